package main

import (
	"path/filepath"

	"berth/proxy"
	"berth/proxy/accesslog"
	"berth/proxy/analytics"
	"berth/sites"
)

// hitSinks hands hits to several.
type hitSinks []proxy.HitSink

func (s hitSinks) Take(hits []sites.Hit) {
	for _, sink := range s {
		sink.Take(hits)
	}
}

// buildTraffic makes what hears of each request: the access logs and the counts.
func (p *program) buildTraffic() {
	p.visits = accesslog.New(accesslog.Config{
		DataDir:    p.cfg.DataDir,
		Format:     accesslog.Format(p.cfg.AccessLog),
		SiteBytes:  p.cfg.AccessLogSiteMB << 20,
		TotalBytes: p.cfg.AccessLogMB << 20,
		Logger:     p.log,
	})
	p.counts = analytics.New(analytics.Config{Store: p.store, File: filepath.Join(p.cfg.DataDir, "visitors-today"), Logger: p.log})
}

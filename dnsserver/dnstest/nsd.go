package dnstest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// NSD starts nsd. As a primary it sends whole zones only.
func NSD(t testing.TB, cfg Config) *Server {
	t.Helper()
	path := Need(t, "nsd")
	return launch(t, cfg.Addr, func(s *Server) *exec.Cmd {
		conf := filepath.Join(s.Dir, "nsd.conf")
		s.writeZones(t, cfg)
		write(t, conf, s.nsdConf(cfg))
		return exec.Command(path, "-d", "-V", "3", "-c", conf)
	})
}

func (s *Server) nsdConf(cfg Config) string {
	var l lines
	reuse := "no"
	if cfg.workers() > 1 {
		reuse = "yes"
	}
	l.add(fmt.Sprintf(`server:
	server-count: %d
	reuseport: %s
	ip-address: 127.0.0.1@%d
	username: ""
	zonesdir: %q
	database: ""
	pidfile: ""
	xfrdfile: %q
	xfrdir: %q
	zonelistfile: %q
	verbosity: 3
	xfrd-reload-timeout: 0
	rrl-ratelimit: 0
	rrl-whitelist-ratelimit: 0
remote-control:
	control-enable: no`, cfg.workers(), reuse, s.Addr.Port(), s.Dir, filepath.Join(s.Dir, "xfrd.state"), s.Dir, filepath.Join(s.Dir, "zone.list")))
	for _, k := range cfg.Keys {
		l.add(fmt.Sprintf("key:\n\tname: %q\n\talgorithm: %s\n\tsecret: %q", k.Name, k.Algorithm, k.base64()))
	}
	for _, z := range cfg.Zones {
		l.add(fmt.Sprintf("zone:\n\tname: %q\n\tzonefile: %q", z.Name, s.ZoneFile(z.Name)))
		for _, p := range z.Primaries {
			l.add(fmt.Sprintf("\trequest-xfr: %s@%d %s\n\tallow-notify: %s %s", p.Addr.Addr(), p.Addr.Port(), nsdKey(p), p.Addr.Addr(), nsdKey(p)))
		}
		for _, p := range z.Allow {
			l.add(fmt.Sprintf("\tprovide-xfr: %s %s", p.Addr.Addr(), nsdKey(p)))
		}
		for _, p := range z.Peers {
			l.add(fmt.Sprintf("\tnotify: %s@%d %s\n\tprovide-xfr: %s %s", p.Addr.Addr(), p.Addr.Port(), nsdKey(p), p.Addr.Addr(), nsdKey(p)))
		}
	}
	return l.String()
}

func nsdKey(p Peer) string {
	if p.Key == "" {
		return "NOKEY"
	}
	return p.Key
}

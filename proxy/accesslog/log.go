package accesslog

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"berth/sites"
)

// Config is what a Log is made of. All fields are required.
type Config struct {
	DataDir    string // the logs are in logs/ below it
	Format     Format
	SiteBytes  int64 // that the files of one site may take
	TotalBytes int64 // that all files may take together
	Logger     *slog.Logger
}

// Log writes the access logs. It is a sites.Applier and a proxy.HitSink.
type Log struct {
	format Format
	log    *slog.Logger

	naming sync.Mutex
	served map[sites.SiteID]struct{} // sites that exist; nil until the first full change
	owners map[string]sites.SiteID   // by the site's own host
	wake   chan struct{}             // has room for one: a site may have gone

	mu        sync.Mutex // held while lines are written
	shelf     *shelf
	portions  map[sites.SiteID]*portion // of the hits that are being taken
	spares    []*portion                // whose memory is used again
	followers map[sites.SiteID][]*follower
	troubled  bool // the last lines could not be written
	stats     Stats
}

// Stats is what the status page and the metrics show of the logs.
type Stats struct {
	Lines uint64 // written since the start
	Lost  uint64 // lines that could not be written since the start
	Bytes int64  // that all files take now
	Err   string // why no lines can be written now, a sentence; empty: they can
}

// portion is what one site gets to its log at once.
type portion struct {
	name  string
	lines []byte
	count int
	ended time.Time
}

// New opens the logs. What cannot be read of the disk is told and left alone.
func New(cfg Config) *Log {
	l := &Log{
		format: cfg.Format, log: cfg.Logger, wake: make(chan struct{}, 1),
		portions: make(map[sites.SiteID]*portion), followers: make(map[sites.SiteID][]*follower),
	}
	if cfg.Format != Off {
		l.shelf = newShelf(filepath.Join(cfg.DataDir, "logs"), cfg.SiteBytes, cfg.TotalBytes)
		if err := l.shelf.survey(); err != nil {
			l.log.Warn("access logs of earlier cannot all be read", "error", err)
		}
	}
	return l
}

// Apply has the logs of sites removed that are gone. A site must be applied here before requests to it are answered.
func (l *Log) Apply(ch sites.Change) {
	l.naming.Lock()
	defer l.naming.Unlock()
	if ch.Full {
		l.served = make(map[sites.SiteID]struct{}, len(ch.Sites))
		l.owners = make(map[string]sites.SiteID, len(ch.Sites))
	}
	if l.served == nil {
		return
	}
	for _, host := range ch.Gone {
		if id, ok := l.owners[host]; ok {
			delete(l.owners, host)
			delete(l.served, id)
		}
	}
	for _, site := range ch.Sites {
		l.served[site.ID] = struct{}{}
		if len(site.Hosts) > 0 {
			l.owners[site.Hosts[0]] = site.ID
		}
	}
	if ch.Full || len(ch.Gone) > 0 {
		signal(l.wake)
	}
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func (l *Log) serves(site sites.SiteID) bool {
	l.naming.Lock()
	defer l.naming.Unlock()
	_, ok := l.served[site]
	return ok
}

// Run removes the logs of sites that are gone until ctx is done, and closes all files then: hits should end before.
func (l *Log) Run(ctx context.Context) {
	for {
		select {
		case <-l.wake:
			l.removeGone()
		case <-ctx.Done():
			l.close()
			return
		}
	}
}

func (l *Log) removeGone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for site := range l.followers {
		if !l.serves(site) {
			l.endFollowers(site)
		}
	}
	if l.shelf == nil {
		return
	}
	for _, site := range l.shelf.siteIDs() {
		if l.serves(site) {
			continue
		}
		if err := l.shelf.remove(site); err != nil {
			l.log.Warn("the access log of a deleted site cannot be removed", "site_id", site, "error", err)
		}
	}
}

// Take writes a line for each hit. Where that fails, which is told once, sites go on without.
func (l *Log) Take(hits []sites.Hit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range hits {
		hit := &hits[i]
		p := l.portions[hit.Site]
		if p == nil {
			p = l.spare(hit.SiteName)
			l.portions[hit.Site] = p
		}
		p.lines = l.format.appendLine(p.lines, hit)
		p.ended = hit.End()
		p.count++
	}
	for site, p := range l.portions {
		if l.serves(site) { // the last requests may end after their site is gone
			l.write(site, p)
			l.tell(site, p.lines)
		}
		if len(l.spares) < maxSpares && cap(p.lines) <= maxSpareBytes {
			l.spares = append(l.spares, p)
		}
	}
	clear(l.portions)
}

// What is kept to be used again is bounded, so that a flood leaves nothing behind.
const (
	maxSpares     = 64
	maxSpareBytes = 64 << 10
)

func (l *Log) spare(name string) *portion {
	if len(l.spares) == 0 {
		return &portion{name: name}
	}
	last := len(l.spares) - 1
	p := l.spares[last]
	l.spares = l.spares[:last]
	*p = portion{name: name, lines: p.lines[:0]}
	return p
}

func (l *Log) write(site sites.SiteID, p *portion) {
	if l.shelf == nil {
		return
	}
	err := l.shelf.write(site, p.name, p.lines, p.ended)
	if err == nil {
		l.stats.Lines += uint64(p.count)
		if l.troubled {
			l.log.Info("access logs are written again", "lost", l.stats.Lost)
		}
		l.troubled, l.stats.Err = false, ""
		return
	}
	l.stats.Lost += uint64(p.count)
	if !l.troubled {
		l.log.Warn("access logs cannot be written for now; sites go on", "error", err)
	}
	l.troubled, l.stats.Err = true, sentence(err)
}

// Stats reads the counters.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.stats
	if l.shelf != nil {
		s.Bytes = l.shelf.total
	}
	return s
}

func (l *Log) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for site := range l.followers {
		l.endFollowers(site)
	}
	if l.shelf != nil {
		l.shelf.close()
	}
}

// Kept reports whether lines are written to files.
func (l *Log) Kept() bool { return l.format != Off }

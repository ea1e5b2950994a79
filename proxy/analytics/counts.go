package analytics

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"berth/sites"
)

const (
	// maxRanked bounds the paths and referrers of all sites that wait to be kept. What is new beyond that is not told by
	// name until then, only counted.
	maxRanked = 100_000
	// maxWaiting bounds the hours of all sites that wait to be kept while the store does not take them.
	maxWaiting = 50_000
	maxKey     = 200 // bytes of a path or referrer
)

// Config is what Counts are made of. All fields are required unless a default is named.
type Config struct {
	Store  Store
	File   string        // where the day's secret and visitors are kept until the day ends; empty: nowhere, and a restart counts anew
	Every  time.Duration // how often what was counted is kept; default 1 min
	Logger *slog.Logger
}

// Counts counts hits. It is a proxy.HitSink.
type Counts struct {
	store Store
	file  string
	every time.Duration
	log   *slog.Logger
	taken int64 // the day of the file that was taken up; 0: there was none

	mu      sync.Mutex
	day     int64 // of the salt
	salt    salt
	sites   map[sites.SiteID]*visitors
	waiting map[span]*sites.TrafficPart
	ranked  int           // keys in rankings of waiting
	full    chan struct{} // has room for one: ranked is at its bound
}

// span is an hour of a site; hours are counted since 1970.
type span struct {
	site sites.SiteID
	hour int64
}

// visitors are those of a site in the present hour and on the present day.
type visitors struct {
	hour, day             int64
	inHour, onDay         sketch
	toldInHour, toldOnDay int64 // those that are in a part already
}

// salt is the secret of a day.
type salt [32]byte

// New returns Counts that keep nothing until Run. What the file has of today is counted on.
func New(cfg Config) *Counts {
	every := cfg.Every
	if every == 0 {
		every = time.Minute
	}
	c := &Counts{
		store: cfg.Store, file: cfg.File, every: every, log: cfg.Logger,
		sites: make(map[sites.SiteID]*visitors), waiting: make(map[span]*sites.TrafficPart), full: make(chan struct{}, 1),
	}
	if c.file != "" {
		if err := c.load(time.Now()); err != nil {
			c.log.Warn("today's visitors are counted anew", "error", err)
		}
	}
	return c
}

// Take counts hits.
func (c *Counts) Take(hits []sites.Hit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range hits {
		c.count(&hits[i])
	}
}

func (c *Counts) count(hit *sites.Hit) {
	hour := hit.End().Unix() / 3600
	part := c.part(span{hit.Site, hour})
	part.Requests++
	part.Bytes += hit.Bytes
	part.Classes[min(max(hit.Status/100, 1), 5)-1]++
	if hit.Status < 400 {
		c.rank(&part.Paths, pathOf(hit.Target))
	}
	if referrer := referrerOf(hit.Referrer, hit.Host); referrer != "" {
		c.rank(&part.Referrers, referrer)
	}
	c.meet(hit, hour)
}

func (c *Counts) part(s span) *sites.TrafficPart {
	part := c.waiting[s]
	if part == nil {
		part = &sites.TrafficPart{Site: s.site, Traffic: sites.Traffic{At: time.Unix(s.hour*3600, 0).UTC()}}
		c.waiting[s] = part
	}
	return part
}

func (c *Counts) rank(r *sites.Ranking, key string) {
	if r.Has(key) {
		r.Add(key, 1, 0)
		return
	}
	if c.ranked >= maxRanked {
		return
	}
	before := r.Len()
	r.Add(strings.Clone(key), 1, 0) // which does not hold on to the whole request
	if c.ranked += r.Len() - before; c.ranked >= maxRanked {
		select {
		case c.full <- struct{}{}:
		default:
		}
	}
}

// meet counts the visitor. Hits come nearly in the order of their ends; what comes a little late counts for the present hour.
func (c *Counts) meet(hit *sites.Hit, hour int64) {
	v := c.sites[hit.Site]
	if v == nil {
		v = &visitors{hour: hour, day: hour / 24}
		c.sites[hit.Site] = v
	}
	if hour > v.hour || hour < v.hour-1 {
		c.turn(hit.Site, v, hour)
	}
	hash := c.visitor(hit, v.day)
	v.inHour.add(hash)
	v.onDay.add(hash)
}

// turn begins another hour of a site.
func (c *Counts) turn(site sites.SiteID, v *visitors, hour int64) {
	c.tell(site, v)
	v.hour, v.inHour, v.toldInHour = hour, sketch{}, 0
	if day := hour / 24; day != v.day {
		v.day, v.onDay, v.toldOnDay = day, sketch{}, 0
	}
}

// tell puts the visitors that were met since the last time into the part of the present hour.
func (c *Counts) tell(site sites.SiteID, v *visitors) {
	inHour, onDay := v.inHour.count(), v.onDay.count()
	if inHour <= v.toldInHour && onDay <= v.toldOnDay {
		return
	}
	part := c.part(span{site, v.hour})
	part.Visitors += max(inHour-v.toldInHour, 0)
	part.DayVisitors += max(onDay-v.toldOnDay, 0)
	v.toldInHour, v.toldOnDay = max(inHour, v.toldInHour), max(onDay, v.toldOnDay)
}

// visitor is the number of a visitor, which says nothing once the day's salt is gone. IPv6 addresses count by their network, as one person has
// many of them.
func (c *Counts) visitor(hit *sites.Hit, day int64) uint64 {
	if day > c.day || day < c.day-1 { // what comes a little late needs no salt of its own
		c.day = day
		_, _ = rand.Read(c.salt[:]) // never fails
	}
	addr := network(hit.Client).As16()
	var room [256]byte
	text := append(append(append(room[:0], c.salt[:]...), addr[:]...), hit.UserAgent...)
	sum := sha256.Sum256(text)
	return binary.LittleEndian.Uint64(sum[:])
}

func network(client netip.Addr) netip.Addr {
	if client.Is6() && !client.Is4In6() {
		prefix, _ := client.Prefix(64) // fits every IPv6 address
		return prefix.Addr()
	}
	if !client.IsValid() {
		return netip.IPv6Unspecified()
	}
	return client
}

// pathOf is a target without its query, which may say something of the visitor.
func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return key(path)
}

// referrerOf is the host that a visitor came from, in lower case; empty for none, and for the site itself.
func referrerOf(referrer, host string) string {
	scheme, rest, ok := strings.Cut(referrer, "://")
	if !ok || !strings.EqualFold(scheme, "https") && !strings.EqualFold(scheme, "http") {
		return ""
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	if port := strings.LastIndexByte(rest, ':'); port >= 0 && !strings.HasSuffix(rest, "]") {
		rest = rest[:port]
	}
	from := strings.ToLower(strings.TrimSuffix(rest, "."))
	if from == host || !plausible(from) {
		return ""
	}
	return from
}

// plausible reports whether a text can be a host, so that no other text gets into a list by way of a header field.
func plausible(host string) bool {
	return host != "" && len(host) <= 253 && !strings.ContainsFunc(host, func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || strings.ContainsRune(".-_[]:", r))
	})
}

// key makes a text valid UTF-8 of bounded length.
func key(text string) string {
	if len(text) > maxKey {
		text = text[:maxKey] + "…"
	}
	return strings.ToValidUTF8(text, "\ufffd")
}

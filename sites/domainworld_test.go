package sites_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"
)

// world is what the world is told of names, as a sites.DomainLook.
type world struct {
	mu     sync.Mutex
	views  map[string]sites.DomainView
	silent bool
	held   map[string]chan struct{} // names whose looks take until the channel is closed
	reach  sites.Reach
	asked  []netip.Addr // by Reach
	ahead  time.Duration
	cas    []string // names of the certificate authorities in CAA records
}

var (
	ours    = netip.MustParseAddr("192.0.2.80")
	ours6   = netip.MustParseAddr("2001:db8::80")
	foreign = netip.MustParseAddr("203.0.113.9")
)

func (w *world) Look(ctx context.Context, name string) (sites.DomainView, error) {
	w.mu.Lock()
	if held := w.held[name]; held != nil {
		w.mu.Unlock()
		select {
		case <-held:
		case <-ctx.Done():
		}
		w.mu.Lock()
	}
	defer w.mu.Unlock()
	if w.silent {
		return sites.DomainView{}, errors.New("no answer")
	}
	return w.views[name], nil
}

func (w *world) Reach(_ context.Context, _ string, addr netip.Addr) sites.Reach {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, addr)
	return w.reach
}

func (w *world) authorities() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cas
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.ahead)
}

func (w *world) set(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
}

func (w *world) tell(name string, v sites.DomainView) { w.set(func() { w.views[name] = v }) }
func (w *world) pass(d time.Duration)                 { w.set(func() { w.ahead += d }) }

func alias(targets ...string) sites.DomainView { return sites.DomainView{Aliases: targets} }

func points(addrs ...netip.Addr) sites.DomainView { return sites.DomainView{Addresses: addrs} }

// bootDomains boots in a world where nobody is told of any name. Nothing is looked at by itself but once, soon after it is added.
func bootDomains(t *testing.T, configure ...func(*sites.Config)) (*berth, *world) {
	t.Helper()
	w := &world{views: map[string]sites.DomainView{}, reach: sites.ReachHere, cas: []string{"ca.example"}}
	b := bootWith(t, t.TempDir(), newStage(), zone, func(cfg *sites.Config) {
		cfg.Domains, cfg.Now, cfg.Addresses, cfg.Authorities = w, w.now, []netip.Addr{ours, ours6}, w.authorities
		for _, fn := range configure {
			fn(cfg)
		}
	})
	return b, w
}

func (b *berth) addDomain(actor sites.Actor, site, name string) sites.DomainStatus {
	b.t.Helper()
	d, err := b.AddDomain(b.t.Context(), actor, site, name)
	if err != nil {
		b.t.Fatalf("add %s: %v", name, err)
	}
	return d
}

func (b *berth) check(actor sites.Actor, site, name string) sites.DomainStatus {
	b.t.Helper()
	d, err := b.CheckDomain(b.t.Context(), actor, site, name)
	if err != nil {
		b.t.Fatalf("check %s: %v", name, err)
	}
	return d
}

// proven has a domain of ann's site become active by a CNAME record.
func (b *berth) proven(w *world, site, name string) {
	b.t.Helper()
	w.tell(name, alias(site+"."+zone))
	b.addDomain(b.ann, site, name)
	if d := b.check(b.ann, site, name); d.State != sites.DomainActive {
		b.t.Fatalf("%s is %s: %q", name, d.State, d.Last.Sentence)
	}
}

func lines(records []sites.DomainRecord) string {
	var all []string
	for _, r := range records {
		all = append(all, strings.Join([]string{r.Name, r.Label, r.Type, r.Data}, " "))
	}
	return strings.Join(all, "\n")
}

func (b *berth) lastEvent(actor sites.Actor, site string) string {
	b.t.Helper()
	events, err := b.Events(b.t.Context(), actor, sites.EventFilter{Subject: site, Limit: 1})
	if err != nil || len(events) == 0 {
		b.t.Fatalf("events of %s: %v, %v", site, events, err)
	}
	return events[0].Action + " " + events[0].Detail
}

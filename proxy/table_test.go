package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"berth/sites"
)

// idleProxy is a Proxy that does not serve.
func idleProxy(static func(string) (http.Handler, error)) *Proxy {
	return New(Config{
		Zone: testZone, PanelHost: testPanel, HTTPSPort: 443, Static: static, Pages: testPages{},
		Panel: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler),
	})
}

func noStatic(string) (http.Handler, error) { return nil, errors.New("no files") }

func numbered(n int) sites.Published {
	p := site(fmt.Sprintf("site%d", n), netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), 8080))
	p.ID = sites.SiteID(n)
	return p
}

func TestApply(t *testing.T) {
	p := idleProxy(noStatic)
	expect := func(what string, want map[string]sites.SiteID, instances int) {
		t.Helper()
		for host, id := range want {
			rt := p.table.find(host)
			if (rt == nil) != (id == 0) || (rt != nil && rt.site.ID != id) {
				t.Errorf("%s: %s routes to %+v, want site %d", what, host, rt, id)
			}
			if id == 0 {
				delete(want, host)
			}
		}
		if s := p.Stats(); s.Hosts != len(want) || s.Instances != instances {
			t.Errorf("%s: %+v, want %d hosts, %d instances", what, s, len(want), instances)
		}
	}
	one, two := numbered(1), numbered(2)
	one.Hosts = append(one.Hosts, "www.example.com")
	p.Apply(sites.Change{Sites: []sites.Published{one, two}})
	expect("added", map[string]sites.SiteID{"site1.berth.test": 1, "www.example.com": 1, "site2.berth.test": 2}, 2)

	moved, taker := numbered(1), numbered(2)
	taker.Hosts = append(taker.Hosts, "www.example.com")
	p.Apply(sites.Change{Sites: []sites.Published{moved, taker}, Gone: []string{"www.example.com"}})
	expect("moved", map[string]sites.SiteID{"site1.berth.test": 1, "www.example.com": 2, "site2.berth.test": 2}, 2)

	p.Apply(sites.Change{Gone: []string{"site1.berth.test", "never.was"}})
	expect("gone", map[string]sites.SiteID{"site1.berth.test": 0, "www.example.com": 2, "site2.berth.test": 2}, 1)

	taker.State = sites.StateStopped // its instance is no longer used, whatever the change says of it
	p.Apply(sites.Change{Sites: []sites.Published{taker}})
	expect("stopped", map[string]sites.SiteID{"www.example.com": 2, "site2.berth.test": 2}, 0)

	p.Apply(sites.Change{Full: true, Sites: []sites.Published{one}})
	expect("full", map[string]sites.SiteID{"site1.berth.test": 1, "www.example.com": 1, "site2.berth.test": 0}, 1)

	before := p.table.find("site1.berth.test")
	p.Apply(sites.Change{Full: true, Sites: []sites.Published{one}})
	if p.table.find("site1.berth.test") != before {
		t.Error("a full change that changes nothing makes a new route")
	}
	p.Apply(sites.Change{Full: true})
	expect("empty", map[string]sites.SiteID{"site1.berth.test": 0, "www.example.com": 0}, 0)
}

func TestFilesAreOpenedOncePerRelease(t *testing.T) {
	var opened atomic.Int32
	fail := true
	p := idleProxy(func(string) (http.Handler, error) {
		opened.Add(1)
		if fail {
			return nil, errors.New("too many open files")
		}
		return http.NotFoundHandler(), nil
	})
	published := numbered(1)
	published.Root = "/releases/1/1"
	files := func() *files { return p.table.find("site1.berth.test").files }
	p.Apply(sites.Change{Sites: []sites.Published{published}})
	if _, err := files().handler(); err == nil {
		t.Fatal("a failure to open is not reported")
	}
	fail = false // must not stick
	for range 3 {
		published.Instances = nil
		p.Apply(sites.Change{Sites: []sites.Published{published}})
		if _, err := files().handler(); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 2 {
		t.Errorf("opened %d times, want 2", n)
	}
	published.Root = "/releases/1/2"
	p.Apply(sites.Change{Sites: []sites.Published{published}})
	if _, err := files().handler(); err != nil || opened.Load() != 3 {
		t.Errorf("the next release: %v, opened %d times", err, opened.Load())
	}
	published.Root = ""
	p.Apply(sites.Change{Sites: []sites.Published{published}})
	if files() != nil {
		t.Error("files are held of a release that is not published")
	}
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	e := startEdge(t, func(c *Config, _ *limits) { c.Static = noStatic })
	published := site("hello", netip.AddrPort{})
	published.Root = "/nowhere"
	e.publish(published)
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.StatusCode != 502 {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
}

func TestEmbeddedReleaseIsServedInProcess(t *testing.T) {
	e := startEdge(t)
	for _, state := range []sites.State{sites.StateRunning, sites.StateStarting, sites.StateFailed} {
		published := site("hello", netip.AddrPort{})
		published.State, published.Root = state, release(t, "from the files")
		e.publish(published)
		if got := get(t, e.client(2), "https://hello.berth.test/"); got.body != "from the files" {
			t.Errorf("%s: got %d %q", state, got.StatusCode, got.body)
		}
	}
}

// full returns a proxy with so many sites, and one change that alternates the instance of one of them.
func full(count int) (p *Proxy, change func()) {
	p = idleProxy(noStatic)
	all := make([]sites.Published, count)
	for i := range all {
		all[i] = numbered(i)
	}
	p.Apply(sites.Change{Full: true, Sites: all})
	a, b := numbered(1), numbered(1)
	b.Instances = []netip.AddrPort{netip.MustParseAddrPort("10.2.0.1:8080")}
	next, after := sites.Change{Sites: []sites.Published{a}}, sites.Change{Sites: []sites.Published{b}}
	return p, func() {
		next, after = after, next
		p.Apply(next)
	}
}

func TestChangeCostsWhatItTouches(t *testing.T) {
	_, few := full(10)
	_, many := full(10_000)
	a, b := testing.AllocsPerRun(100, few), testing.AllocsPerRun(100, many)
	if b > a+1 {
		t.Errorf("a change costs %v allocations among 10 sites, %v among 10,000", a, b)
	}
	// Time is less steady than allocations, so this only rules out a cost that grows with the number of sites.
	short, long := testing.Benchmark(repeat(few)).NsPerOp(), testing.Benchmark(repeat(many)).NsPerOp()
	if long > 100*short {
		t.Errorf("a change takes %d ns among 10 sites, %d ns among 10,000", short, long)
	}
}

func repeat(change func()) func(*testing.B) {
	return func(b *testing.B) {
		for b.Loop() {
			change()
		}
	}
}

func BenchmarkApply(b *testing.B) {
	for _, count := range []int{10, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			_, change := full(count)
			b.ReportAllocs()
			repeat(change)(b)
		})
	}
}

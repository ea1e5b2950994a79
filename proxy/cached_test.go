package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"berth/sites"
	"berth/sites/static"
)

func withCache(c *Config, _ *limits) { c.CacheBytes = 4 << 20 }

// asRelease serves files as instances and berth itself do.
func asRelease(c *Config, _ *limits) {
	c.Static = func(root string) (http.Handler, error) { return static.New(root, nil) }
}

// keptFor answers with a text that is good for an hour, and counts how often it is asked.
func keptFor(text string, asked *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.Header().Set("Cdn-Cache-Control", "max-age=3600")
		w.Header().Set("Content-Type", "text/plain")
		io.WriteString(w, text)
	}
}

func TestSiteIsAnsweredFromTheCache(t *testing.T) {
	e := startEdge(t, withCache)
	var asked atomic.Int64
	e.publish(site("hello", startInstance(t, keptFor("hello", &asked)).addr))
	var requests uint64
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for range 3 {
			requests++
			got := get(t, c, "https://hello.berth.test/")
			if got.body != "hello" || got.Header.Get("Cdn-Cache-Control") != "" || !strings.HasPrefix(got.Header.Get("Cache-Status"), "berth; ") {
				t.Errorf("%q %v", got.body, got.Header)
			}
		}
	})
	if n := asked.Load(); n != 1 {
		t.Errorf("the instance was asked %d times", n)
	}
	if s := e.Stats().Cache; s.Hits != requests-1 || s.Misses != 1 || s.Entries != 1 || s.Bytes == 0 || s.Most != 4<<20 {
		t.Errorf("%+v", s)
	}
}

// What is kept belongs to a release, and is gone with it.
func TestCacheFollowsWhatIsPublished(t *testing.T) {
	e := startEdge(t, withCache)
	c := e.client(1)
	var asked atomic.Int64
	first := site("hello", startInstance(t, keptFor("first", &asked)).addr)
	first.Hosts = append(first.Hosts, "other.berth.test")
	expect := func(what, body string, fromInstance int64) {
		t.Helper()
		before := asked.Load()
		for _, host := range first.Hosts {
			if got := get(t, c, "https://"+host+"/"); !strings.Contains(got.body, body) {
				t.Errorf("%s: %s answers %q", what, host, got.body)
			}
		}
		if n := asked.Load() - before; n != fromInstance {
			t.Errorf("%s: the instance was asked %d times, want %d", what, n, fromInstance)
		}
	}
	e.publish(first)
	expect("at first", "first", 2)
	expect("then", "first", 0)
	e.Apply(sites.Change{Full: true, Sites: []sites.Published{first}})
	expect("after a full change", "first", 0)
	moved := first
	moved.Instances = []netip.AddrPort{startInstance(t, keptFor("not asked", &asked)).addr}
	e.publish(moved)
	expect("after a restart", "first", 0)
	second := first
	second.Release, second.Instances = 2, []netip.AddrPort{startInstance(t, keptFor("second", &asked)).addr}
	e.publish(second)
	expect("after a release", "second", 2)
	e.publish(moved)
	expect("after going back", "not asked", 2)
	stopped := moved
	stopped.State = sites.StateStopped
	e.publish(stopped)
	expect("stopped", "is stopped", 0)
	e.publish(first)
	expect("after a start", "first", 2)
	e.Apply(sites.Change{Gone: first.Hosts})
	expect("deleted", "There is no site", 0)
	e.publish(first)
	expect("another of that name", "first", 2)
	eventually(t, "what is gone takes no memory", func() bool { return e.Stats().Cache.Entries == 2 })
}

// A host that moves to another site takes nothing along, and leaves the rest of the first site's as it was.
func TestCacheOfAHostThatMoves(t *testing.T) {
	e := startEdge(t, withCache)
	c := e.client(1)
	var asked atomic.Int64
	a := site("a", startInstance(t, keptFor("a", &asked)).addr)
	a.Hosts = []string{"a.berth.test", "both.berth.test"}
	b := site("b", startInstance(t, keptFor("b", &asked)).addr)
	b.ID = 2
	e.publish(a, b)
	get(t, c, "https://a.berth.test/")
	get(t, c, "https://both.berth.test/")
	b.Hosts = append(b.Hosts, "both.berth.test")
	a.Hosts = a.Hosts[:1]
	e.publish(b, a)
	if got := get(t, c, "https://both.berth.test/"); got.body != "b" {
		t.Errorf("the moved host answers %q", got.body)
	}
	before := asked.Load()
	if got := get(t, c, "https://a.berth.test/"); got.body != "a" || asked.Load() != before {
		t.Errorf("the first site answers %q, its instance was asked %d times", got.body, asked.Load()-before)
	}
}

// A static site goes on when its container is gone: what visitors have seen comes from the cache, all else from the files.
func TestStaticSiteOutlivesItsInstance(t *testing.T) {
	e := startEdge(t, withCache, asRelease)
	root := release(t, "<p>start</p>")
	if err := os.WriteFile(root+"/later.html", []byte("later"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := static.New(root, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	container := startInstance(t, h.ServeHTTP)
	s := site("hello", container.addr)
	s.Root = root
	e.publish(s)
	everyVersion(t, e, func(t *testing.T, c *http.Client) { get(t, c, "https://hello.berth.test/") })
	container.CloseClientConnections()
	container.Close()
	expect := func(what, path, body, status string) {
		t.Helper()
		got := get(t, e.client(1), "https://hello.berth.test"+path)
		if got.StatusCode != 200 || got.body != body || got.Header.Get("Cache-Status") != status {
			t.Errorf("%s: %s: %d %q %q", what, path, got.StatusCode, got.body, got.Header.Get("Cache-Status"))
		}
		if got.Header.Get("Cache-Control") != "public, max-age=0, must-revalidate" {
			t.Errorf("%s: browsers are told %q", what, got.Header.Get("Cache-Control"))
		}
	}
	expect("without the container", "/", "<p>start</p>", "berth; hit")
	expect("without the container", "/later", "later", "berth; fwd=uri-miss; stored")
	s.Instances, s.State = nil, sites.StateFailed
	e.publish(s)
	expect("without the engine", "/", "<p>start</p>", "berth; hit")
	expect("without the engine", "/later", "later", "berth; hit")
	if n := e.Stats().Failures; n != 0 {
		t.Errorf("%d failures", n)
	}
}

// A dynamic site's answers outlive its instance for as long as it has said they may.
func TestStaleWhileTheInstanceIsDown(t *testing.T) {
	e := startEdge(t, withCache)
	up := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=0, stale-if-error=600")
		w.Header().Set("Etag", `"x"`)
		fmt.Fprint(w, "hello ", r.URL.Path)
	})
	e.publish(site("hello", up.addr))
	c := e.client(1)
	get(t, c, "https://hello.berth.test/seen")
	up.CloseClientConnections()
	up.Close()
	if got := get(t, c, "https://hello.berth.test/seen"); got.StatusCode != 200 || got.body != "hello /seen" {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
	if got := get(t, c, "https://hello.berth.test/unseen"); got.StatusCode != http.StatusBadGateway {
		t.Errorf("%d %q", got.StatusCode, got.body)
	}
}

// An owner's choice of slashes asks the instance for the other form of a path: each is kept as what it is.
func TestCacheUnderEitherFormOfAPath(t *testing.T) {
	e := startEdge(t, withCache, asRelease)
	s := site("hello", netip.AddrPort{})
	s.Instances, s.Root = nil, release(t, "start")
	if err := os.WriteFile(s.Root+"/about.html", []byte("about"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Options.TrailingSlash = sites.SlashAdd
	e.publish(s)
	for range 3 {
		if got := get(t, e.client(1), "https://hello.berth.test/about/"); got.StatusCode != 200 || got.body != "about" {
			t.Errorf("%d %q, to %q", got.StatusCode, got.body, got.Header.Get("Location"))
		}
		if got := get(t, e.client(1), "https://hello.berth.test/about"); !strings.HasSuffix(got.Header.Get("Location"), "/about/") {
			t.Errorf("%d, to %q", got.StatusCode, got.Header.Get("Location"))
		}
	}
	if e.Stats().Cache.Hits == 0 {
		t.Error("nothing came from the cache")
	}
}

// Where only the end of the connection ends a body, it may be the end of the instance.
func TestBodyWithoutALengthIsNotKept(t *testing.T) {
	e := startEdge(t, withCache)
	l := listen(t)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\nsome of it")
			conn.Close()
		}
	}()
	e.publish(site("hello", netip.MustParseAddrPort(l.Addr().String())))
	for range 2 {
		if got := get(t, e.client(1), "https://hello.berth.test/"); got.body != "some of it" || got.Header.Get("Cache-Status") != "berth; fwd=uri-miss" {
			t.Errorf("%q %v", got.body, got.Header)
		}
	}
}

// A client cannot write the answers of others by how it spells the host.
func TestCacheTellsSpellingsOfAHostApart(t *testing.T) {
	e := startEdge(t, withCache)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, r.Host)
	}).addr))
	for _, host := range []string{"hello.berth.test:666", "HELLO.berth.test", "hello.berth.test"} {
		if got := raw(t, e.dialTLS(t), "GET / HTTP/1.1", "Host: "+host); got.body != host {
			t.Errorf("%s gets what was meant for %s", host, got.body)
		}
	}
}

// What a client has the edge drop does not select what is kept.
func TestListedFieldsSelectNothing(t *testing.T) {
	e := startEdge(t, withCache)
	up := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		language := r.Header.Get("Accept-Language")
		w.Header().Set("Cache-Control", "public, max-age=0, stale-if-error=60")
		w.Header().Set("Vary", "Accept-Language")
		w.Header().Set("Etag", fmt.Sprintf("%q", language))
		if r.Header.Get("If-None-Match") == fmt.Sprintf("%q", language) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprintf(w, "in %q", language)
	})
	e.publish(site("hello", up.addr))
	c := e.client(1)
	get(t, c, "https://hello.berth.test/", "Accept-Language", "de")
	raw(t, e.dialTLS(t), "GET / HTTP/1.1", "Host: hello.berth.test", "Accept-Language: de", "Connection: accept-language")
	up.CloseClientConnections()
	up.Close()
	if got := get(t, c, "https://hello.berth.test/", "Accept-Language", "de"); got.body != `in "de"` {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
}

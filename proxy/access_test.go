package proxy

import (
	"bufio"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"berth/sites"
)

// hitList is a HitSink that keeps what it takes.
type hitList struct {
	mu   sync.Mutex
	list []sites.Hit
}

func (l *hitList) Take(list []sites.Hit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, list...)
}

func (l *hitList) taken() []sites.Hit {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]sites.Hit(nil), l.list...)
}

// one waits for the next hit, and wants no other.
func (l *hitList) one(t *testing.T) sites.Hit {
	t.Helper()
	eventually(t, "a hit", func() bool { return len(l.taken()) > 0 })
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.list) != 1 {
		t.Fatalf("%d hits for one request: %+v", len(l.list), l.list)
	}
	hit := l.list[0]
	l.list = nil
	return hit
}

func withHits(sink HitSink) option { return func(c *Config, _ *limits) { c.Hits = sink } }

func TestRequestLeavesAHit(t *testing.T) {
	seen := &hitList{}
	e := startEdge(t, withHits(seen))
	backend := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Status", "berth; hit")
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
		}
		io.WriteString(w, "hello")
	})
	published := site("hello", backend.addr)
	published.ID = 7
	e.publish(published)
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for path, status := range map[string]int{"/a?b=c%0a": http.StatusOK, "/gone": http.StatusGone} {
			get(t, c, "https://hello.berth.test"+path, "Referer", "https://other.test/page", "User-Agent", "tester/1")
			hit := seen.one(t)
			if hit.Site != 7 || hit.SiteName != "hello" || hit.Host != "hello.berth.test" || hit.Client != netip.MustParseAddr("127.0.0.1") {
				t.Errorf("the hit is of site %d %q, host %q, client %s", hit.Site, hit.SiteName, hit.Host, hit.Client)
			}
			if hit.Method != "GET" || hit.Target != path || hit.Status != status || hit.Bytes != 5 {
				t.Errorf("the hit is of %s %q, status %d, %d bytes", hit.Method, hit.Target, hit.Status, hit.Bytes)
			}
			if hit.Referrer != "https://other.test/page" || hit.UserAgent != "tester/1" {
				t.Errorf("the hit has referrer %q and user agent %q", hit.Referrer, hit.UserAgent)
			}
			if hit.Duration <= 0 || hit.FirstByte > hit.Duration || hit.Time.IsZero() || !strings.HasPrefix(hit.Proto, "HTTP/") {
				t.Errorf("the hit came at %s over %s, first byte after %s, end after %s", hit.Time, hit.Proto, hit.FirstByte, hit.Duration)
			}
		}
	})
}

func TestBerthsOwnAnswersAreHits(t *testing.T) {
	seen := &hitList{}
	e := startEdge(t, withHits(seen))
	stopped, fromFiles := site("stopped"), site("files", deadAddress(t))
	stopped.State, fromFiles.Root = sites.StateStopped, release(t, "from files")
	e.publish(stopped, fromFiles)
	c := e.client(1)
	get(t, c, "https://stopped.berth.test/")
	if hit := seen.one(t); hit.Status != http.StatusServiceUnavailable || hit.Bytes == 0 {
		t.Errorf("the page of a stopped site left %+v", hit)
	}
	get(t, c, "https://files.berth.test/")
	if hit := seen.one(t); hit.Status != http.StatusOK || hit.Bytes != int64(len("from files")) {
		t.Errorf("a file left %+v", hit)
	}
	get(t, c, "https://nobody.berth.test/")
	get(t, c, "https://panel.berth.test/")
	get(t, c, "https://files.berth.test/nothing")
	if hit := seen.one(t); hit.Target != "/nothing" || hit.Status != http.StatusNotFound {
		t.Errorf("an unknown host, the panel and a missing file left %+v", hit)
	}
}

func TestUpgradedConnectionCountsWhenItEnds(t *testing.T) {
	seen := &hitList{}
	e := startEdge(t, withHits(seen))
	backend := startInstance(t, echoUpgrade)
	e.publish(site("hello", backend.addr))
	conn := e.dialTLS(t)
	io.WriteString(conn, "GET /socket HTTP/1.1\r\nHost: hello.berth.test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %v", res, err)
	}
	io.WriteString(conn, "ping\n")
	if line, err := in.ReadString('\n'); err != nil || line != "ping\n" {
		t.Fatalf("echo: %q, %v", line, err)
	}
	get(t, e.client(1), "https://hello.berth.test/plain")
	if hit := seen.one(t); hit.Target != "/plain" {
		t.Errorf("a connection that goes on has left %+v", hit)
	}
	conn.Close()
	if hit := seen.one(t); hit.Status != http.StatusSwitchingProtocols || hit.Bytes != int64(len("ping\n")) {
		t.Errorf("the connection left %+v", hit)
	}
}

// echoUpgrade upgrades whoever asks and sends back each line.
func echoUpgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		return
	}
	conn, buf, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	for {
		line, err := buf.ReadString('\n')
		if err != nil {
			return
		}
		io.WriteString(conn, line)
	}
}

func TestClientThatLeavesIsRecorded(t *testing.T) {
	seen := &hitList{}
	e := startEdge(t, withHits(seen))
	arrived := make(chan struct{})
	backend := startInstance(t, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	e.publish(site("hello", backend.addr))
	conn := e.dialTLS(t)
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: hello.berth.test\r\n\r\n")
	receive(t, "the request", arrived)
	conn.Close()
	if hit := seen.one(t); hit.Status != statusGone {
		t.Errorf("a client that left got status %d", hit.Status)
	}
}

func TestLongTextIsCut(t *testing.T) {
	seen := &hitList{}
	e := startEdge(t, withHits(seen))
	e.publish(site("hello", startInstance(t, says("hi")).addr))
	get(t, e.client(2), "https://hello.berth.test/"+strings.Repeat("a", 9000), "User-Agent", strings.Repeat("u", 9000))
	if hit := seen.one(t); len(hit.Target) != maxRecorded || len(hit.UserAgent) != maxRecorded {
		t.Errorf("the hit keeps %d bytes of target and %d of user agent", len(hit.Target), len(hit.UserAgent))
	}
}

// stuck is a sink that takes nothing until it is let go.
type stuck struct {
	hitList
	entered chan struct{}
	letGo   chan struct{}
}

func (s *stuck) Take(list []sites.Hit) {
	signal(s.entered)
	<-s.letGo
	s.hitList.Take(list)
}

func TestSlowSinkHoldsUpNobody(t *testing.T) {
	sink := &stuck{entered: make(chan struct{}, 1), letGo: make(chan struct{})}
	q := newHits(sink)
	ended, done := make(chan struct{}), make(chan struct{})
	go func() { q.relay(ended); close(done) }()
	q.put(&sites.Hit{Site: 1})
	receive(t, "the sink is stuck", sink.entered)
	most := hitsPerShard * len(q.shards)
	for q.dropped.Load() < 10 {
		q.put(&sites.Hit{Site: 2})
	}
	close(sink.letGo)
	close(ended)
	receive(t, "the relay to end", done)
	if n := len(sink.taken()); n > most+1 || n < hitsPerShard {
		t.Errorf("%d hits were kept, of at most %d", n, most+1)
	}
}

func TestServeEndsWhenTheLastHitIsTaken(t *testing.T) {
	seen := &hitList{}
	e := startEdge(t, withHits(seen))
	e.publish(site("hello", startInstance(t, says("hi")).addr))
	for range 20 {
		get(t, e.client(1), "https://hello.berth.test/")
	}
	e.stop()
	if err := receive(t, "Serve to end", e.ended); err != nil {
		t.Error(err)
	}
	e.ended <- nil
	if n := len(seen.taken()); n != 20 {
		t.Errorf("%d of 20 hits were taken", n)
	}
}

func TestResponsesAreCounted(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hi")).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		get(t, c, "https://hello.berth.test/")
		get(t, c, "https://nobody.berth.test/")
	})
	var want []Responses
	for major := 1; major <= 3; major++ {
		want = append(want, Responses{major, 2, 1}, Responses{major, 4, 1})
	}
	eventually(t, "each version counted", func() bool { return slices.Equal(e.Responses(), want) })
}

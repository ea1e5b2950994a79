package cache

import (
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const patience = 30 * time.Second

// clock is a time that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (k *clock) read() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.now
}

func (k *clock) pass(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

// front is a server with a cache before an origin that is a server, too.
type front struct {
	*Cache
	t      testing.TB
	clock  *clock
	space  atomic.Pointer[Space]
	asked  atomic.Int64 // requests that reached the origin
	answer atomic.Pointer[http.HandlerFunc]
	url    string
	client *http.Client
}

func start(t testing.TB, bytes int64, answer http.HandlerFunc) *front {
	t.Helper()
	k := &clock{now: time.Now().Truncate(time.Second)}
	f := &front{Cache: newCache(bytes, slog.New(slog.DiscardHandler), k.read), t: t, clock: k}
	f.space.Store(new(Space))
	f.answer.Store(&answer)
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		w.Header().Set("Date", k.read().UTC().Format(http.TimeFormat))
		(*f.answer.Load())(w, r)
	}))
	t.Cleanup(origin.Close)
	target, err := url.Parse(origin.URL)
	if err != nil {
		t.Fatal(err)
	}
	reverse := &httputil.ReverseProxy{
		Rewrite:       func(pr *httputil.ProxyRequest) { pr.SetURL(target); pr.Out.Host = pr.In.Host },
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		FlushInterval: -1,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler:  func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := f.space.Load()
		if !f.Hit(w, r, s) {
			f.Fetch(w, r, s, reverse.ServeHTTP)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(f.Close)
	f.url = server.URL
	f.client = &http.Client{
		Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(f.client.CloseIdleConnections)
	return f
}

// reply is a response that was read to its end.
type reply struct {
	*http.Response
	body string
	err  error // of the request, or of reading the body
}

// status is what Cache-Status says without the name of the cache.
func (r reply) status() string {
	return strings.TrimPrefix(r.Header.Get("Cache-Status"), "berth; ")
}

// ask sends a request with fields such as "Range: bytes=0-1". Without a response the status is 0.
func (f *front) ask(method, path string, fields ...string) reply {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.url+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, line := range fields {
		if name, v, ok := strings.Cut(line, ": "); ok {
			req.Header.Add(name, v)
		}
	}
	res, err := f.client.Do(req)
	if err != nil {
		return reply{&http.Response{Header: http.Header{}}, "", err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return reply{res, string(body), err}
}

func (f *front) get(path string, fields ...string) reply {
	f.t.Helper()
	return f.ask(http.MethodGet, path, fields...)
}

// says answers with fields such as "Cache-Control: max-age=1" and a body.
func says(body string, fields ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		put(w.Header(), fields)
		io.WriteString(w, body)
	}
}

func put(h http.Header, fields []string) {
	for _, line := range fields {
		name, v, _ := strings.Cut(line, ": ")
		h.Add(name, v)
	}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

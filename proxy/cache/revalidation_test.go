package cache

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// 4.3: what is kept is asked about, and good again when nothing has changed.
func TestRevalidation(t *testing.T) {
	for _, control := range []string{"max-age=10", "no-cache", "max-age=0, must-revalidate", "s-maxage=0, public"} {
		t.Run(control, func(t *testing.T) {
			var version atomic.Int64
			version.Store(1)
			f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
				tag := fmt.Sprintf(`"%d"`, version.Load())
				put(w.Header(), []string{"Cache-Control: " + control, "Etag: " + tag, fmt.Sprint("X-Asked: ", r.Header["If-None-Match"])})
				if r.Header.Get("If-None-Match") == tag {
					w.WriteHeader(304)
					return
				}
				fmt.Fprint(w, "version ", version.Load())
			})
			f.get("/")
			f.clock.pass(20 * time.Second)
			for _, want := range []struct {
				status, body, fields string
				code                 int
			}{
				{"fwd=stale; fwd-status=304", "version 1", "", 200},
				{"fwd=stale; fwd-status=304", "", `If-None-Match: "1"`, 304},
				{"fwd=stale; fwd-status=304", "ersion 1", "Range: bytes=1-", 206},
			} {
				got := f.get("/", want.fields)
				if got.status() != want.status || got.body != want.body || got.StatusCode != want.code || got.Header.Get("X-Asked") != `["1"]` {
					t.Errorf("%q: %d %q %q, the origin was asked about %s", want.fields, got.StatusCode, got.status(), got.body, got.Header.Get("X-Asked"))
				}
				f.clock.pass(20 * time.Second)
			}
			version.Store(2)
			if got := f.get("/"); got.status() != "fwd=stale; stored" || got.body != "version 2" {
				t.Errorf("%q %q", got.status(), got.body)
			}
			if asked := f.asked.Load(); asked != 5 {
				t.Errorf("the origin was asked %d times", asked)
			}
		})
	}
}

// 4.4: what an unsafe request has changed is not answered from before it.
func TestInvalidation(t *testing.T) {
	for _, tt := range []struct {
		method, path string
		status       int
		fields       []string
		gone         bool
	}{
		{"POST", "/a", 200, nil, true},
		{"PUT", "/a", 204, nil, true},
		{"DELETE", "/a", 200, nil, true},
		{"PATCH", "/a", 303, nil, true},
		{"PROPFIND", "/a", 200, nil, true}, // safe or not: it is not known here
		{"POST", "/a", 400, nil, false},
		{"POST", "/a", 500, nil, false},
		{"OPTIONS", "/a", 200, nil, false},
		{"POST", "/b", 201, nil, false},
		{"POST", "/b", 201, []string{"Location: /a"}, true},
		{"POST", "/b", 201, []string{"Content-Location: a"}, true},
		{"POST", "/b", 201, []string{"Location: http://elsewhere.test/a"}, false},
	} {
		t.Run(fmt.Sprint(tt.method, tt.path, tt.status, tt.fields), func(t *testing.T) {
			f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == tt.method {
					put(w.Header(), tt.fields)
					w.WriteHeader(tt.status)
					return
				}
				put(w.Header(), []string{"Cache-Control: max-age=60"})
			})
			f.get("/a")
			if got := f.ask(tt.method, tt.path); got.StatusCode != tt.status || got.status() != "fwd=method" {
				t.Fatalf("%d %q", got.StatusCode, got.status())
			}
			if got := f.get("/a").status(); (got != "hit") != tt.gone {
				t.Errorf("then: %q", got)
			}
		})
	}
}

// RFC 5861.
func TestStale(t *testing.T) {
	for _, tt := range []struct {
		control string
		after   time.Duration
		status  int // of the origin by then
		body    string
	}{
		{"max-age=10, stale-if-error=20", 29 * time.Second, 500, "first"},
		{"max-age=10, stale-if-error=20", 29 * time.Second, 503, "first"},
		{"max-age=10, stale-if-error=20", 29 * time.Second, 404, "second"},
		{"max-age=10, stale-if-error=20", 29 * time.Second, 200, "second"},
		{"max-age=10, stale-if-error=20", 30 * time.Second, 500, "second"},
		{"max-age=10", 11 * time.Second, 500, "second"},
		{"max-age=10, stale-if-error=20, must-revalidate", 11 * time.Second, 500, "second"},
		{"max-age=10, stale-if-error=20, proxy-revalidate", 11 * time.Second, 500, "second"},
		{"no-cache, max-age=10, stale-if-error=20", 11 * time.Second, 500, "second"},
		{"max-age=10, stale-while-revalidate=20", 29 * time.Second, 200, "first"},
		{"max-age=10, stale-while-revalidate=20", 30 * time.Second, 200, "second"},
		{"max-age=10, stale-while-revalidate=20, must-revalidate", 29 * time.Second, 200, "second"},
	} {
		t.Run(fmt.Sprint(tt.control, tt.after, tt.status), func(t *testing.T) {
			f := start(t, 1<<20, says("first", "Cache-Control: "+tt.control, `Etag: "1"`))
			f.get("/")
			second := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=100", `Etag: "2"`})
				w.WriteHeader(tt.status)
				io.WriteString(w, "second")
			})
			f.answer.Store(&second)
			f.clock.pass(tt.after)
			got := f.get("/")
			if got.body != tt.body {
				t.Fatalf("%d %q %q", got.StatusCode, got.status(), got.body)
			}
			switch {
			case tt.body == "second":
			case tt.status == 200:
				eventually(t, "the fresh one is kept", func() bool { return f.get("/").body == "second" })
			default:
				if f.get("/"); f.asked.Load() != 2 {
					t.Errorf("a failing origin was asked again at once")
				}
			}
		})
	}
}

// What a 304 brings for its own visitor is not for those who wait for it.
func TestConfirmationForOneIsNotShared(t *testing.T) {
	for _, field := range []string{"Set-Cookie: session=secret", "Cache-Control: private", "Cache-Control: no-store"} {
		t.Run(field, func(t *testing.T) {
			const clients = 5
			var f *front
			f = start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
				put(w.Header(), []string{`Etag: "1"`})
				if r.Header.Get("If-None-Match") == "" {
					put(w.Header(), []string{"Cache-Control: max-age=10"})
					io.WriteString(w, "hello")
					return
				}
				if f.asked.Load() == 2 {
					put(w.Header(), []string{field, "X-First: yes"})
					eventually(t, "all wait", func() bool { return f.waiting() == clients-1 })
				}
				w.WriteHeader(http.StatusNotModified)
			})
			f.get("/")
			f.clock.pass(20 * time.Second)
			first := 0
			for i, got := range f.crowd(clients, "/") {
				if got.body != "hello" || got.err != nil {
					t.Errorf("%d: %d %q %v", i, got.StatusCode, got.body, got.err)
				}
				if got.Header.Get("X-First") != "" {
					first++
				}
			}
			if first != 1 {
				t.Errorf("%d visitors got what was for one", first)
			}
		})
	}
}

// What the origin wants to be asked about each time it may have made for one visitor, by whatever it knows them.
func TestWhatIsAskedAboutEachTimeIsNotShared(t *testing.T) {
	for _, test := range []struct {
		control string
		shared  bool
	}{{"no-cache", false}, {"max-age=0", false}, {"max-age=0, must-revalidate", false}, {"public, no-cache", true}, {"max-age=1", true}} {
		t.Run(test.control, func(t *testing.T) {
			const clients = 4
			var f *front
			f = start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
				if f.asked.Load()%clients == 1 {
					eventually(t, "all wait", func() bool { return f.waiting() == clients-1 })
				}
				who := r.Header.Get("X-Api-Key")
				put(w.Header(), []string{"Cache-Control: " + test.control, fmt.Sprintf("Etag: %q", who)})
				if r.Header.Get("If-None-Match") == fmt.Sprintf("%q", who) {
					w.WriteHeader(http.StatusNotModified)
					return
				}
				io.WriteString(w, who)
			})
			var asking sync.WaitGroup
			var others atomic.Int64
			for i := range clients {
				asking.Go(func() {
					who := fmt.Sprint("visitor ", i)
					if got := f.get("/", "X-Api-Key: "+who); got.body != who {
						others.Add(1)
					}
				})
			}
			asking.Wait()
			if shared := others.Load() > 0; shared != test.shared {
				t.Errorf("%d visitors got what another did", others.Load())
			}
		})
	}
}

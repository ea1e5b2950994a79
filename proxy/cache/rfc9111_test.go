package cache

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Each line is a response and whether it answers the next request, at once or some seconds later.
func TestWhatIsKept(t *testing.T) {
	const big = 1 << 20
	for _, tt := range []struct {
		fields  string // of the response, separated by " | "
		request string // likewise
		status  int
		after   time.Duration
		kept    bool
	}{
		// 3: what may be stored
		{fields: "Cache-Control: max-age=60", kept: true},
		{fields: "Cache-Control: MAX-AGE=60", kept: true},
		{fields: `Cache-Control: max-age="60"`, kept: true},
		{fields: "Cache-Control: public, max-age=60", kept: true},
		{fields: "Cache-Control: s-maxage=60", kept: true},
		{fields: "Cache-Control: public"},
		{fields: ""},
		{fields: `Etag: "a" | Last-Modified: Wed, 04 Mar 2026 05:06:07 GMT`},
		{fields: "Cache-Control: max-age=60, no-store"},
		{fields: "Cache-Control: max-age=60 | Cache-Control: no-store"},
		{fields: "Cache-Control: max-age=60, no-store, must-understand", kept: true},
		{fields: "Cache-Control: max-age=60, private"},
		{fields: `Cache-Control: max-age=60, private="X-Mine"`},
		{fields: `Cache-Control: max-age=60, ext="a, no-store, b"`, kept: true},
		{fields: `Cache-Control: ext="a\", no-store`, kept: false},
		{fields: "Cache-Control: max-age=60, no-cache"},
		{fields: "Cache-Control: max-age=60", request: "Cache-Control: no-store"},
		{fields: "Cache-Control: max-age=60 | Set-Cookie: a=b"},
		{fields: "Cache-Control: max-age=60 | Vary: *"},
		{fields: "Cache-Control: max-age=60 | Vary: Accept, *"},
		// Statuses
		{fields: "Cache-Control: max-age=60", status: 404, kept: true},
		{fields: "Cache-Control: max-age=60", status: 301, kept: true},
		{fields: "Cache-Control: max-age=60", status: 302, kept: true},
		{fields: "Cache-Control: max-age=60", status: 204, kept: true},
		{fields: "Cache-Control: max-age=60", status: 410, kept: true},
		{fields: "Cache-Control: max-age=60", status: 500},
		{fields: "Cache-Control: max-age=60", status: 503},
		{fields: "Cache-Control: max-age=60", status: 403},
		{fields: "Cache-Control: max-age=60", status: 299},
		// 3.5: Authorization
		{fields: "Cache-Control: max-age=60", request: "Authorization: Basic x"},
		{fields: "Cache-Control: max-age=60, public", request: "Authorization: Basic x", kept: true},
		{fields: "Cache-Control: s-maxage=60", request: "Authorization: Basic x", kept: true},
		{fields: "Cache-Control: max-age=60, must-revalidate", request: "Authorization: Basic x", kept: true},
		// Somebody's cookie asks for more than a lifetime
		{fields: "Cache-Control: max-age=60", request: "Cookie: a=b"},
		{fields: "Cache-Control: public, max-age=60", request: "Cookie: a=b", kept: true},
		{fields: "Cache-Control: s-maxage=60", request: "Cookie: a=b", kept: true},
		{fields: "CDN-Cache-Control: max-age=60", request: "Cookie: a=b", kept: true},
		// 4.2: freshness
		{fields: "Cache-Control: max-age=60", after: 59 * time.Second, kept: true},
		{fields: "Cache-Control: max-age=60", after: 60 * time.Second},
		{fields: "Cache-Control: max-age=60, s-maxage=10", after: 9 * time.Second, kept: true},
		{fields: "Cache-Control: max-age=60, s-maxage=10", after: 10 * time.Second},
		{fields: "Cache-Control: max-age=10, s-maxage=60", after: 59 * time.Second, kept: true},
		{fields: "Cache-Control: max-age=60, max-age=10", after: 10 * time.Second},
		{fields: "Cache-Control: max-age=99999999999999999999", after: 1000 * time.Hour, kept: true},
		{fields: "Cache-Control: max-age=60x"},
		{fields: "Cache-Control: max-age=-1"},
		{fields: "Cache-Control: max-age=60.5"},
		{fields: "Cache-Control: max-age"},
		{fields: "Cache-Control: max-age=60 | Age: 50", after: 9 * time.Second, kept: true},
		{fields: "Cache-Control: max-age=60 | Age: 50", after: 10 * time.Second},
		{fields: "Cache-Control: max-age=60 | Age: 60"},
		{fields: "Cache-Control: max-age=60 | Age: nonsense", kept: true},
		{fields: "Expires: +60", kept: true},
		{fields: "Expires: +60", after: 60 * time.Second},
		{fields: "Expires: 0"},
		{fields: "Expires: +60 | Cache-Control: max-age=0"},
		{fields: "Expires: 0 | Cache-Control: max-age=60", kept: true},
		{fields: "Date: -50 | Cache-Control: max-age=60", after: 9 * time.Second, kept: true},
		{fields: "Date: -50 | Cache-Control: max-age=60", after: 10 * time.Second},
		// RFC 9213: the targeted field comes first
		{fields: "CDN-Cache-Control: max-age=60 | Cache-Control: no-store", kept: true},
		{fields: "CDN-Cache-Control: max-age=60 | Cache-Control: max-age=1", after: 59 * time.Second, kept: true},
		{fields: "CDN-Cache-Control: no-store | Cache-Control: max-age=60"},
		{fields: "CDN-Cache-Control: no-store=?0, max-age=60 | Cache-Control: no-store", kept: true},
		{fields: "CDN-Cache-Control: private | Cache-Control: max-age=60"},
		{fields: "CDN-Cache-Control: max-age=60;x=1, ext=(a b);q", kept: true},
		{fields: "CDN-Cache-Control: max-age=1 | CDN-Cache-Control: max-age=60", kept: true},
		{fields: `CDN-Cache-Control: max-age="60" | Cache-Control: max-age=60`},
		{fields: "CDN-Cache-Control: max-age=60.5 | Cache-Control: max-age=60"},
		{fields: "CDN-Cache-Control: max-age=-60 | Cache-Control: max-age=60"},
		{fields: "CDN-Cache-Control: max-age=60,, | Cache-Control: no-store"},
		{fields: "CDN-Cache-Control: Max-Age=1 | Cache-Control: max-age=60", kept: true},
		{fields: "CDN-Cache-Control:  | Cache-Control: max-age=60", kept: true},
		{fields: "CDN-Cache-Control: max-age=60 | Expires: 0", kept: true},
		{fields: "CDN-Cache-Control: public | Expires: +60"},
		{fields: "Berth-CDN-Cache-Control: max-age=60"},
		// Bounds
		{fields: fmt.Sprintf("Cache-Control: max-age=60 | Content-Length: %d", big), kept: true},
	} {
		t.Run(fmt.Sprintf("%s/%s/%d/%s", tt.fields, tt.request, tt.status, tt.after), func(t *testing.T) {
			var f *front
			f = start(t, 64<<20, func(w http.ResponseWriter, _ *http.Request) {
				for line := range strings.SplitSeq(tt.fields, " | ") {
					name, v, _ := strings.Cut(line, ": ")
					if name == "Date" || name == "Expires" {
						v = f.shifted(v)
						w.Header().Del(name)
					}
					if name != "" {
						w.Header().Add(name, v)
					}
				}
				w.WriteHeader(max(200, tt.status))
				if strings.Contains(tt.fields, "Content-Length") {
					w.Write(make([]byte, big))
				}
			})
			var request []string
			if tt.request != "" {
				request = append(request, tt.request)
			}
			first := f.get("/a?b=c", request...)
			if first.Header.Get("CDN-Cache-Control") != "" {
				t.Errorf("the client sees CDN-Cache-Control: %q", first.Header.Get("CDN-Cache-Control"))
			}
			f.clock.pass(tt.after)
			if tt.request != "" && strings.HasPrefix(tt.request, "Cache-Control") {
				request = nil
			}
			second := f.get("/a?b=c", request...)
			if kept := f.asked.Load() == 1; kept != tt.kept {
				t.Errorf("kept: %v, want %v; Cache-Status %q, then %q", kept, tt.kept, first.status(), second.status())
			}
			if (second.status() == "hit") != tt.kept || second.StatusCode != first.StatusCode || second.body != first.body {
				t.Errorf("%q, %d, %d bytes; then %q, %d, %d bytes", first.status(), first.StatusCode, len(first.body), second.status(), second.StatusCode, len(second.body))
			}
		})
	}
}

// shifted turns "+60" into the date in a minute.
func (f *front) shifted(v string) string {
	if d, err := time.ParseDuration(v + "s"); err == nil && v != "0" {
		return f.clock.read().Add(d).UTC().Format(http.TimeFormat)
	}
	return v
}

func TestHeaderOfAHit(t *testing.T) {
	f := start(t, 1<<20, says("hello", "Cache-Control: max-age=60", "X-Theirs: yes", "Connection: X-Hop", "X-Hop: 1", "Age: 3", "Etag: \"x\""))
	first := f.get("/")
	if first.status() != "fwd=uri-miss; stored" || first.Header.Get("Age") != "3" {
		t.Errorf("first: %v", first.Header)
	}
	f.clock.pass(7 * time.Second)
	got := f.get("/")
	if got.Header.Get("Age") != "10" || got.Header.Get("X-Theirs") != "yes" || got.Header.Get("X-Hop") != "" || got.ContentLength != 5 {
		t.Errorf("hit: %v", got.Header)
	}
	if got.Header.Get("Date") != first.Header.Get("Date") {
		t.Errorf("Date %q became %q", first.Header.Get("Date"), got.Header.Get("Date"))
	}
	head := f.ask(http.MethodHead, "/")
	if head.status() != "hit" || head.body != "" || head.ContentLength != 5 {
		t.Errorf("HEAD: %d %v %q", head.ContentLength, head.Header, head.body)
	}
}

func TestHeadIsNotKept(t *testing.T) {
	f := start(t, 1<<20, says("hello", "Cache-Control: max-age=60"))
	f.ask(http.MethodHead, "/")
	if got := f.get("/"); got.status() != "fwd=uri-miss; stored" || got.body != "hello" {
		t.Errorf("%q %q", got.status(), got.body)
	}
}

// Requests that differ in what the origin sees have answers of their own.
func TestKeys(t *testing.T) {
	f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=60")
		io.WriteString(w, r.Host+r.RequestURI)
	})
	bodies := map[string]bool{}
	for _, path := range []string{"/", "/a", "/A", "/a/", "/a?", "/a?x=1", "/a?x=2", "/%61", "/a?x=1&x=2"} {
		for range 2 {
			bodies[f.get(path).body] = true
		}
	}
	if len(bodies) != 9 || f.asked.Load() != 9 {
		t.Errorf("%d bodies of %d answers", len(bodies), f.asked.Load())
	}
}

func TestVary(t *testing.T) {
	f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60", "Vary: X-A, x-b"})
		fmt.Fprintf(w, "%q %q", r.Header["X-A"], r.Header["X-B"])
	})
	for range 2 {
		for _, fields := range [][]string{nil, {"X-A: 1"}, {"X-B: 1"}, {"X-A: 1", "X-B: 1"}, {"X-A: 1", "X-A: 2"}} {
			h := http.Header{}
			put(h, fields)
			if got := f.get("/", fields...); got.body != fmt.Sprintf("%q %q", h["X-A"], h["X-B"]) {
				t.Errorf("%v: %s", fields, got.body)
			}
		}
	}
	if f.asked.Load() != 5 {
		t.Errorf("the origin was asked %d times", f.asked.Load())
	}
}

func TestVariantsAreBounded(t *testing.T) {
	f := start(t, 64<<20, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60", "Vary: X-A"})
		io.WriteString(w, r.Header.Get("X-A"))
	})
	for i := range 100 {
		if got := f.get("/", fmt.Sprintf("X-A: %d", i)); got.body != fmt.Sprint(i) {
			t.Fatalf("%d: %q", i, got.body)
		}
	}
	res := f.find(key{space: f.space.Load(), host: strings.TrimPrefix(f.url, "http://"), path: "/"})
	if res == nil || len(res.responses) != mostVariants {
		t.Errorf("%+v are kept", res)
	}
}

func TestConditionalRequestsFromTheCache(t *testing.T) {
	const modified, older = "Wed, 04 Mar 2026 05:06:07 GMT", "Wed, 04 Mar 2026 05:06:06 GMT"
	body := "0123456789"
	f := start(t, 1<<20, says(body, "Cache-Control: max-age=60", `Etag: "tag"`, "Last-Modified: "+modified, "Content-Type: text/plain"))
	f.get("/")
	for _, tt := range []struct {
		fields string
		status int
		body   string
	}{
		{`If-None-Match: "tag"`, 304, ""},
		{`If-None-Match: W/"tag"`, 304, ""},
		{`If-None-Match: "a", "tag"`, 304, ""},
		{`If-None-Match: "a" , W/"tag" , "b"`, 304, ""},
		{`If-None-Match: *`, 304, ""},
		{`If-None-Match: "other"`, 200, body},
		{`If-None-Match: tag`, 200, body},
		{`If-None-Match: "tag`, 200, body},
		{"If-Modified-Since: " + modified, 304, ""},
		{"If-Modified-Since: " + older, 200, body},
		{`If-None-Match: "other" | If-Modified-Since: ` + modified, 200, body},
		{"Range: bytes=2-4", 206, "234"},
		{"Range: bytes=-2", 206, "89"},
		{"Range: bytes=8-", 206, "89"},
		{"Range: bytes=8-100", 206, "89"},
		{"Range: lines=1-2", 200, body}, // RFC 9110 section 14.2: of an unknown unit
		{"Range: bytes=4-2", 416, "invalid range\n"},
		{"Range: bytes=10-", 416, "invalid range: failed to overlap\n"},
		{`Range: bytes=2-4 | If-Range: "tag"`, 206, "234"},
		{`Range: bytes=2-4 | If-Range: W/"tag"`, 200, body},
		{`Range: bytes=2-4 | If-Range: "other"`, 200, body},
		{"Range: bytes=2-4 | If-Range: " + modified, 206, "234"},
		{"Range: bytes=2-4 | If-Range: " + older, 200, body},
		{`Range: bytes=2-4 | If-None-Match: "tag"`, 304, ""},
		{`Range: bytes=2-4 | If-None-Match: "other"`, 206, "234"},
	} {
		got := f.get("/", strings.Split(tt.fields, " | ")...)
		if got.StatusCode != tt.status || got.body != tt.body || got.status() != "hit" {
			t.Errorf("%s: %d %q %q, want %d %q", tt.fields, got.StatusCode, got.body, got.status(), tt.status, tt.body)
		}
		if tt.status < 400 && got.Header.Get("Etag") != `"tag"` {
			t.Errorf("%s: Etag %q", tt.fields, got.Header.Get("Etag"))
		}
		if tt.status == 304 && (got.Header.Get("Content-Type") != "" || got.Header.Get("Content-Length") != "") {
			t.Errorf("%s: 304 with %v", tt.fields, got.Header)
		}
	}
	if f.asked.Load() != 1 {
		t.Errorf("the origin was asked %d times", f.asked.Load())
	}
	for _, field := range []string{`If-Match: "other"`, "If-Unmodified-Since: " + older} {
		if got := f.get("/", field); got.status() != "fwd=request" {
			t.Errorf("%s: %q", field, got.status())
		}
	}
}

// 5.2.1: what clients may ask for.
func TestRequestDirectives(t *testing.T) {
	for _, tt := range []struct {
		age    time.Duration // of what is kept for a minute
		fields string
		status string
	}{
		{2 * time.Second, "Cache-Control: no-cache", "fwd=stale; fwd-status=304"},
		{2 * time.Second, "Pragma: no-cache", "fwd=stale; fwd-status=304"},
		{2 * time.Second, "Pragma: no-cache | Cache-Control: max-age=30", "hit"},
		{0, "Cache-Control: no-cache", "hit"}, // the origin has just been asked
		{2 * time.Second, "Cache-Control: max-age=0", "fwd=stale; fwd-status=304"},
		{20 * time.Second, "Cache-Control: max-age=20", "hit"},
		{21 * time.Second, "Cache-Control: max-age=20", "fwd=stale; fwd-status=304"},
		{20 * time.Second, "Cache-Control: min-fresh=40", "hit"},
		{21 * time.Second, "Cache-Control: min-fresh=40", "fwd=stale; fwd-status=304"},
		{70 * time.Second, "Cache-Control: max-stale=20", "hit"},
		{80 * time.Second, "Cache-Control: max-stale=20", "fwd=stale; fwd-status=304"},
		{80 * time.Second, "Cache-Control: max-stale", "hit"},
		{0, "Cache-Control: only-if-cached", "hit"},
		{60 * time.Second, "Cache-Control: only-if-cached", "detail=only-if-cached"},
		{2 * time.Second, "Cache-Control: unheard-of", "hit"},
	} {
		t.Run(fmt.Sprint(tt.age, tt.fields), func(t *testing.T) {
			f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=60", `Etag: "a"`})
				if r.Header.Get("If-None-Match") == `"a"` {
					w.WriteHeader(304)
					return
				}
				io.WriteString(w, "hello")
			})
			f.get("/")
			f.clock.pass(tt.age)
			got := f.get("/", strings.Split(tt.fields, " | ")...)
			if got.status() != tt.status {
				t.Errorf("%q, want %q", got.status(), tt.status)
			}
			if gone := strings.HasPrefix(tt.status, "detail"); gone != (got.StatusCode == 504) || !gone && got.body != "hello" {
				t.Errorf("%d %q", got.StatusCode, got.body)
			}
		})
	}
}

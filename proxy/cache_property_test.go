package proxy

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/sites/static"
)

// Whatever visitors ask for in whatever order, while one release follows another, the edge answers what the files would.
func TestCacheAnswersAsTheFilesWould(t *testing.T) {
	random := rand.New(rand.NewPCG(20261121, 9111))
	e := startEdge(t, withCache, asRelease)
	c := e.client(1)
	c.Transport.(*http.Transport).DisableCompression = true
	s := site("hello")
	var files *static.Handler
	deploy := func() {
		s.Release++
		s.Root = randomRelease(t, random)
		h, err := static.New(s.Root, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		files = h
		e.publish(s)
	}
	deploy()
	var tags []string
	for i := range 1500 {
		if random.IntN(60) == 0 {
			deploy()
		}
		req := randomRequest(t, random, tags)
		want := httptest.NewRecorder()
		files.ServeHTTP(want, req.Clone(t.Context()))
		got := do(t, c, req)
		if tag := got.Header.Get("Etag"); tag != "" {
			tags = append(tags, tag)
		}
		body := want.Body.String()
		if req.Method == http.MethodHead {
			body = ""
		}
		if got.StatusCode != want.Code || got.body != body {
			t.Fatalf("%d: %s %s %v: %d %q, the files say %d %q", i, req.Method, req.URL, req.Header, got.StatusCode, got.body, want.Code, body)
		}
		for _, name := range []string{"Content-Type", "Content-Encoding", "Content-Range", "Etag", "Last-Modified", "Location", "Cache-Control", "X-Content-Type-Options"} {
			if a, b := got.Header.Get(name), want.Header().Get(name); a != b {
				t.Fatalf("%d: %s %s %v: %d %s %q, the files say %q (%s)", i, req.Method, req.URL, req.Header, got.StatusCode, name, a, b, got.Header.Get("Cache-Status"))
			}
		}
	}
	if s := e.Stats().Cache; s.Hits < 300 || s.Misses < 100 {
		t.Errorf("too little was tried: %+v", s)
	}
}

// randomRelease has files too short to be encoded, some with siblings that are.
func randomRelease(t *testing.T, random *rand.Rand) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"index.html", "a.html", "b/index.html", "c.css", "d.css", "404.html"} {
		if name != "404.html" && random.IntN(4) == 0 { // the one built in is long enough to be encoded
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		text := strings.Repeat(fmt.Sprint(random.IntN(1000), " "), random.IntN(40))
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if random.IntN(4) == 0 {
			if err := os.WriteFile(filepath.Join(root, name+".gz"), []byte("packed "+text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

func randomRequest(t *testing.T, random *rand.Rand, tags []string) *http.Request {
	t.Helper()
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	path := one("/", "/", "/a", "/a/", "/a.html", "/b", "/b/", "/c.css", "/d.css", "/none", "//a", "/c.css?x=1", "/.hidden")
	req, err := http.NewRequestWithContext(t.Context(), one("GET", "GET", "GET", "HEAD"), "https://hello.berth.test"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(name, v string) {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	set("Accept-Encoding", one("", "gzip", "gzip, br", "br", "identity"))
	if len(tags) > 0 && random.IntN(3) == 0 {
		set(one("If-None-Match", "If-None-Match", "If-Match"), one(tags[max(0, len(tags)-10):]...))
	}
	if req.Method == http.MethodGet && random.IntN(5) == 0 {
		set("Range", one("bytes=0-3", "bytes=-2", "bytes=5-", "bytes=9999-"))
		if len(tags) > 0 && random.IntN(2) == 0 {
			set("If-Range", one(tags[max(0, len(tags)-10):]...))
		}
	}
	set("Cache-Control", one("", "", "", "no-cache", "max-age=0"))
	return req
}

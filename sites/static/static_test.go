package static

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// site is a release being served by a real server.
type site struct {
	handler *Handler
	addr    string
	log     *record
}

// record is a log that can be read while it is written.
type record struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}

var changed = time.Date(2026, 3, 4, 5, 6, 7, 890, time.UTC)

// writeFiles makes a directory with the files, all changed at the same time.
func writeFiles(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, changed, changed); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func serveDir(t testing.TB, dir string) site {
	t.Helper()
	log := &record{}
	h, err := New(dir, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return site{h, server.Listener.Addr().String(), log}
}

// answer is a response that has been read.
type answer struct {
	status int
	header http.Header
	body   string
	length int64 // -1: not told
}

// ask sends a request byte by byte as given, so that no client cleans the path or decodes the body.
func (s site) ask(t testing.TB, method, target string, headers ...string) answer {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: site.test", "Connection: close"}, headers...)
	if _, err := io.WriteString(conn, strings.Join(lines, "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return answer{resp.StatusCode, resp.Header, string(body), resp.ContentLength}
}

func (s site) get(t testing.TB, target string, headers ...string) answer {
	t.Helper()
	return s.ask(t, "GET", target, headers...)
}

func TestPaths(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{
		"index.html": "start", "about.html": "about", "404.html": "nothing here", "style.css": "a{}",
		"docs/index.html": "docs", "docs/a b.html": "spaced", "both/index.html": "folder", "both.html": "page",
		"data/x.json": "{}", "data.html": "data page", "empty/.keep": "", "files/list.txt": "list",
		".env": "secret", ".git/config": "secret", "docs/.htpasswd": "secret", "docs/.well-known/x": "secret",
		".well-known/security.txt": "contact", ".well-known/.hidden": "secret", ".well-known/a/.b/c": "secret", "grüße.html": "grüße", "a..b": "dots",
	}))
	for _, tt := range []struct {
		target string
		status int
		want   string // body, or where a redirect leads
	}{
		{"/", 200, "start"},
		{"/index.html", 200, "start"},
		{"/index", 200, "start"},
		{"/about", 200, "about"},
		{"/about.html", 200, "about"},
		{"/about/", 308, "/about"},
		{"/about/?q=1&r=%2F", 308, "/about?q=1&r=%2F"},
		{"/style.css", 200, "a{}"},
		{"/style.css/", 404, "nothing here"},
		{"/style.css/x", 404, "nothing here"},
		{"/docs", 308, "/docs/"},
		{"/docs?x=1", 308, "/docs/?x=1"},
		{"/docs/", 200, "docs"},
		{"/docs/a%20b", 200, "spaced"},
		{"/docs/a%20b/", 308, "/docs/a%20b"},
		{"/both", 308, "/both/"},
		{"/both/", 200, "folder"},
		{"/both.html", 200, "page"},
		{"/data", 200, "data page"},
		{"/data/", 308, "/data"},
		{"/data/x.json", 200, "{}"},
		{"/files", 404, "nothing here"},
		{"/files/", 404, "nothing here"},
		{"/empty/", 404, "nothing here"},
		{"/none", 404, "nothing here"},
		{"/none/", 404, "nothing here"},
		{"/None/../about", 404, "nothing here"},
		{"/ABOUT", 404, "nothing here"},
		{"/404", 200, "nothing here"},
		{"/gr%C3%BC%C3%9Fe", 200, "grüße"},
		{"/a..b", 200, "dots"},
		{"/.env", 404, "nothing here"},
		{"/%2Eenv", 404, "nothing here"},
		{"/.git/config", 404, "nothing here"},
		{"/docs/.htpasswd", 404, "nothing here"},
		{"/docs/.well-known/x", 404, "nothing here"},
		{"/.well-known/security.txt", 200, "contact"},
		{"/.well-known/.hidden", 404, "nothing here"},
		{"/.well-known/a/.b/c", 404, "nothing here"},
		{"/.well-known/../.env", 404, "nothing here"},
		{"/.well-known/%2e%2e/.env", 404, "nothing here"},
		{"/.well-known", 404, "nothing here"},
		{"/.well-known/", 404, "nothing here"},
		{"/..", 404, "nothing here"},
		{"/../../../../etc/passwd", 404, "nothing here"},
		{"/%2e%2e/%2e%2e/etc/passwd", 404, "nothing here"},
		{"/docs%2Findex.html", 404, "nothing here"},
		{"/..%2f..%2fetc/passwd", 404, "nothing here"},
		{`/..\..\etc\passwd`, 404, "nothing here"},
		{"/about%00", 404, "nothing here"},
		{"/about%00.html", 404, "nothing here"},
		{"/%ff", 404, "nothing here"},
		{"/" + strings.Repeat("n", 300), 404, "nothing here"},
		{"/" + strings.Repeat("n/", 3000), 404, "nothing here"},
		{"//evil.com/", 308, "/evil.com/"},
		{"//evil.com/%2e%2e", 404, "nothing here"},
		{"/docs//a%20b?x", 308, "/docs/a%20b?x"},
		{"///", 308, "/"},
		{"http://site.test", 200, "start"},
		{"http://site.test/about", 200, "about"},
	} {
		t.Run(fmt.Sprintf("%.40s", tt.target), func(t *testing.T) {
			got := s.get(t, tt.target)
			if got.status != tt.status {
				t.Errorf("status %d, want %d", got.status, tt.status)
			}
			text := got.body
			if got.status == http.StatusPermanentRedirect {
				text = got.header.Get("Location")
			}
			if text != tt.want {
				t.Errorf("got %q, want %q", text, tt.want)
			}
			if got.header.Get("Cache-Control") != cacheControl || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("headers %v", got.header)
			}
			head := s.ask(t, "HEAD", tt.target)
			if head.status != got.status || head.body != "" || (got.status != 308 && head.length != got.length) {
				t.Errorf("HEAD differs: %d, %d bytes, want %d, %d", head.status, head.length, got.status, got.length)
			}
		})
	}
}

func TestNoRedirectLeavesTheSite(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{`\evil.com/index.html`: "x", "evil.com.html": "x"}))
	for _, target := range []string{
		"//evil.com", "//evil.com/", "///evil.com//", `/\evil.com`, "/%5Cevil.com", `//\evil.com`, "/%09/evil.com//", "//evil.com/%0d%0aX: y//",
	} {
		location := s.get(t, target).header.Get("Location")
		if strings.HasPrefix(location, "//") || strings.HasPrefix(location, `/\`) || strings.ContainsAny(location, "\r\n\t") || (location != "" && location[0] != '/') {
			t.Errorf("%s leads to %q", target, location)
		}
	}
}

func TestMethods(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"index.html": "start"}))
	for method, status := range map[string]int{"POST": 405, "PUT": 405, "DELETE": 405, "PROPFIND": 405, "TRACE": 405, "OPTIONS": 204} {
		got := s.ask(t, method, "/")
		if got.status != status || got.header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("%s: %d, Allow %q, want %d", method, got.status, got.header.Get("Allow"), status)
		}
	}
}

func TestContentTypesAreOurOwn(t *testing.T) {
	want := map[string]string{
		"a.html": "text/html; charset=utf-8", "a.HTM": "text/html; charset=utf-8", "a.css": "text/css; charset=utf-8",
		"a.js": "text/javascript; charset=utf-8", "a.mjs": "text/javascript; charset=utf-8", "a.txt": "text/plain; charset=utf-8",
		"a.xml": "text/xml; charset=utf-8", "a.json": "application/json", "a.js.map": "application/json", "a.svg": "image/svg+xml",
		"a.webmanifest": "application/manifest+json", "a.wasm": "application/wasm", "a.woff2": "font/woff2", "a.png": "image/png",
		"a.webm": "video/webm", "a.mp4": "video/mp4", "a.pdf": "application/pdf", "a.zip": "application/zip", "a.tar.gz": "application/gzip",
		"LICENSE": "text/plain; charset=utf-8", "data.unheard-of": "application/octet-stream", "feed": "text/html; charset=utf-8",
		".well-known/apple-app-site-association": "application/json", "empty.unheard-of": "text/plain; charset=utf-8",
	}
	files := make(map[string]string)
	for name := range want {
		files[name] = "some text"
	}
	files["data.unheard-of"], files["feed"], files["empty.unheard-of"] = "\x00\x01\x02", "<!doctype html><p>x", ""
	s := serveDir(t, writeFiles(t, files))
	for name, contentType := range want {
		got := s.get(t, "/"+name)
		if got.header.Get("Content-Type") != contentType || got.body != files[name] {
			t.Errorf("%s: %q %q, want %q", name, got.header.Get("Content-Type"), got.body, contentType)
		}
	}
}

func TestNotFoundWithoutAPageOfTheSite(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"a.txt": "x"}))
	for _, target := range []string{"/", "/none"} {
		got := s.get(t, target)
		if got.status != 404 || !strings.Contains(got.body, "<h1>Page not found</h1>") || got.header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %+v", target, got)
		}
	}
}

func TestLinksDoNotLeadOut(t *testing.T) {
	outside := writeFiles(t, map[string]string{"secret.txt": "secret"})
	dir := writeFiles(t, map[string]string{"in.txt": "in", "404.html": "nothing"})
	for link, to := range map[string]string{
		"abs.txt": filepath.Join(outside, "secret.txt"), "up.txt": "../" + filepath.Base(outside) + "/secret.txt",
		"dir": outside, "ok.txt": "in.txt", "loop.txt": "loop.txt",
	} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	s := serveDir(t, dir)
	for _, target := range []string{"/abs.txt", "/up.txt", "/dir/secret.txt", "/dir/", "/dir", "/loop.txt"} {
		if got := s.get(t, target); got.status != 404 || got.body != "nothing" {
			t.Errorf("%s: %d %q", target, got.status, got.body)
		}
	}
	if got := s.get(t, "/ok.txt"); got.body != "in" {
		t.Errorf("a link within the site: %d %q", got.status, got.body)
	}
}

func TestLogTellsTheOwnerWhatIsMissing(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"index.html": "x"}))
	s.get(t, "/")
	if log := s.log.String(); log != "" {
		t.Errorf("a hit was logged: %s", log)
	}
	s.get(t, "/missing.png?token=1")
	if log := s.log.String(); !strings.Contains(log, "path=/missing.png") || !strings.Contains(log, "status=404") || strings.Contains(log, "token") {
		t.Errorf("log %q", log)
	}
}

func TestClosedHandlerIsUnavailable(t *testing.T) {
	dir := writeFiles(t, map[string]string{"index.html": "x"})
	s := serveDir(t, dir)
	if err := s.handler.Close(); err != nil {
		t.Fatal(err)
	}
	got := s.get(t, "/")
	if got.status != 503 || strings.Contains(got.body, dir) || strings.Contains(got.body, "closed") {
		t.Errorf("%d %q", got.status, got.body)
	}
	if log := s.log.String(); !strings.Contains(log, "status=503") {
		t.Errorf("log %q", log)
	}
}

// readerFrom is a ResponseWriter that takes a whole reader, as the connection of a real server does with sendfile.
type readerFrom struct {
	*httptest.ResponseRecorder
	from io.Reader
}

func (w *readerFrom) ReadFrom(r io.Reader) (int64, error) {
	w.from = r
	return io.Copy(w.ResponseRecorder, r)
}

func TestFilesReachTheConnectionAsFiles(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"a.txt": "a", "a.txt.gz": "b", "404.html": "none"}))
	for _, target := range []string{"/a.txt", "/none"} {
		for _, accept := range []string{"", "gzip"} {
			w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
			r.Header.Set("Accept-Encoding", accept)
			s.handler.ServeHTTP(w, r)
			limited, _ := w.from.(*io.LimitedReader)
			if limited == nil {
				t.Fatalf("%s came as %T", target, w.from)
			}
			if _, ok := limited.R.(*os.File); !ok {
				t.Errorf("%s came as %T, which sendfile does not take", target, limited.R)
			}
		}
	}
}

func TestNewRefusesWhatIsNoDirectory(t *testing.T) {
	dir := writeFiles(t, map[string]string{"file": "x"})
	for _, path := range []string{filepath.Join(dir, "file"), filepath.Join(dir, "none")} {
		if h, err := New(path, nil); err == nil {
			_ = h.Close()
			t.Errorf("%s is served", path)
		}
	}
}

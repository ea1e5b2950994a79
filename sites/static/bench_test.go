package static

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// discard is a ResponseWriter that costs nothing, to see what a handler costs.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func benchFiles() map[string]string {
	files := map[string]string{
		"index.html": strings.Repeat("<p>hello</p>", 400), "assets/js/app.js": strings.Repeat("f();", 10_000),
		"about.html": "about", "big.bin": strings.Repeat("0123456789abcdef", 1<<18),
	}
	for i := range 2000 {
		files[fmt.Sprintf("docs/%d.html", i)] = "x"
	}
	return files
}

// BenchmarkHandler is the handler alone, beside http.FileServer, on the same files. With "siblings" some other
// file has siblings of every kind, so that each request looks for its own: that is what knowing the kinds spares
// all other sites.
func BenchmarkHandler(b *testing.B) {
	files := benchFiles()
	dir := writeFiles(b, files)
	for _, suffix := range []string{".br", ".zst", ".gz"} {
		files["docs/1.html"+suffix] = "x"
	}
	withSiblings := writeFiles(b, files)
	for _, target := range []string{"/", "/assets/js/app.js", "/about"} {
		for name, h := range map[string]http.Handler{
			"static": newHandler(b, dir), "siblings": newHandler(b, withSiblings), "FileServer": http.FileServer(http.Dir(dir)),
		} {
			if target == "/about" && name == "FileServer" {
				continue // knows no clean URLs
			}
			b.Run(name+target, func(b *testing.B) {
				r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, target, nil)
				r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd")
				b.ReportAllocs()
				for b.Loop() {
					h.ServeHTTP(discard{make(http.Header)}, r)
				}
			})
		}
	}
}

// BenchmarkServer is the same through a real server and connections that are kept.
func BenchmarkServer(b *testing.B) {
	dir := writeFiles(b, benchFiles())
	for _, target := range []string{"/", "/big.bin"} {
		for name, h := range map[string]http.Handler{"static": newHandler(b, dir), "FileServer": http.FileServer(http.Dir(dir))} {
			b.Run(name+target, func(b *testing.B) {
				server := httptest.NewServer(h)
				defer server.Close()
				client := server.Client()
				b.ReportAllocs()
				for b.Loop() {
					resp, err := client.Get(server.URL + target)
					if err != nil {
						b.Fatal(err)
					}
					n, err := io.Copy(io.Discard, resp.Body)
					if err != nil || resp.StatusCode != http.StatusOK {
						b.Fatal(resp.Status, err)
					}
					b.SetBytes(n)
					if err := resp.Body.Close(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkSurvey is what the first request of a release pays.
func BenchmarkSurvey(b *testing.B) {
	h := newHandler(b, writeFiles(b, benchFiles()))
	for b.Loop() {
		if present, complete := h.look(); present != 0 || !complete {
			b.Fatal("found siblings")
		}
	}
}

func newHandler(b *testing.B, dir string) *Handler {
	b.Helper()
	h, err := New(dir, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = h.Close() })
	return h
}

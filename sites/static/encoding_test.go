package static

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSiblingsByAcceptEncoding(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{
		"index.html": "plain", "index.html.br": "in br", "index.html.zst": "in zstd", "index.html.gz": "in gzip",
		"a.js": "plain", "a.js.gz": "in gzip", "b.css": "plain", "download.tar.gz": "a download", "only.txt.br": "no plain one",
		"LICENSE": "plain text", "LICENSE.gz": "\x1f\x8b in gzip", "404.html": "nothing", "404.html.br": "nothing in br",
	}))
	for _, tt := range []struct {
		target, accept, body, encoding string
	}{
		{"/", "", "plain", ""},
		{"/", "gzip, deflate, br, zstd", "in br", "br"},
		{"/", "gzip, deflate, zstd", "in zstd", "zstd"},
		{"/", "gzip", "in gzip", "gzip"},
		{"/", "x-gzip", "in gzip", "gzip"},
		{"/", "GZIP", "in gzip", "gzip"},
		{"/", "deflate", "plain", ""},
		{"/", "br;q=0.5, gzip;q=0.9", "in gzip", "gzip"},
		{"/", "br; q=0.5 , gzip ; q=0.4", "in br", "br"},
		{"/", "br;q=0, gzip;q=0.001", "in gzip", "gzip"},
		{"/", "br;q=0", "plain", ""},
		{"/", "*", "in br", "br"},
		{"/", "br;q=0, *", "in zstd", "zstd"},
		{"/", "*;q=0", "plain", ""},
		{"/", "identity, gzip;q=0.5", "plain", ""},
		{"/", "identity;q=0.5, gzip;q=0.5", "in gzip", "gzip"},
		{"/", "identity;q=0, gzip", "in gzip", "gzip"},
		{"/", "gzip;q=nonsense", "plain", ""},
		{"/", "gzip;q=7", "plain", ""},
		{"/", "gzip;", "in gzip", "gzip"},
		{"/", ",;,=;q,", "plain", ""},
		{"/a", "br, gzip", "nothing in br", "br"}, // 404
		{"/a.js", "br, gzip", "in gzip", "gzip"},
		{"/b.css", "br, gzip", "plain", ""},
		{"/a.js.gz", "br, gzip", "in gzip", ""},
		{"/download.tar.gz", "br, gzip", "a download", ""},
		{"/only.txt", "br", "nothing in br", "br"},
		{"/LICENSE", "gzip", "\x1f\x8b in gzip", "gzip"},
		{"/none", "gzip", "nothing", ""},
	} {
		t.Run(tt.target+" "+tt.accept, func(t *testing.T) {
			var headers []string
			if tt.accept != "" {
				headers = append(headers, "Accept-Encoding: "+tt.accept)
			}
			got := s.get(t, tt.target, headers...)
			if got.body != tt.body || got.header.Get("Content-Encoding") != tt.encoding {
				t.Errorf("%q in %q, want %q in %q", got.body, got.header.Get("Content-Encoding"), tt.body, tt.encoding)
			}
			if got.length != int64(len(tt.body)) {
				t.Errorf("Content-Length %d, want %d", got.length, len(tt.body))
			}
			if strings.HasSuffix(tt.target, ".gz") != (got.header.Get("Vary") == "") {
				t.Errorf("Vary %q", got.header.Get("Vary"))
			}
		})
	}
	for target, want := range map[string]string{
		"/": "text/html; charset=utf-8", "/a.js": "text/javascript; charset=utf-8", "/LICENSE": "text/plain; charset=utf-8",
		"/a.js.gz": "application/gzip", "/none": "text/html; charset=utf-8",
	} {
		if got := s.get(t, target, "Accept-Encoding: gzip, br").header.Get("Content-Type"); got != want {
			t.Errorf("%s is %q, want %q", target, got, want)
		}
	}
}

func TestAcceptEncodingOnSeveralLines(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"index.html": "plain", "index.html.gz": "in gzip"}))
	if got := s.get(t, "/", "Accept-Encoding: deflate", "Accept-Encoding: gzip"); got.body != "in gzip" {
		t.Errorf("got %q", got.body)
	}
}

// A release without siblings is not searched for any, and says nothing of encodings.
func TestSurvey(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		want  encodings
	}{
		"none":              {map[string]string{"index.html": "x", "a/b/c": "x"}, 0},
		"downloads only":    {map[string]string{"index.html": "x", "a.tar.gz": "x", "b.br": "x"}, 0},
		"gzip in a folder":  {map[string]string{"a/b/c.js": "x", "a/b/c.js.gz": "x"}, 4},
		"brotli and Zstd":   {map[string]string{"a": "x", "a.br": "x", "b": "x", "b.zst": "x"}, 3},
		"all, and a folder": {map[string]string{"a": "x", "a.br": "x", "a.zst": "x", "a.gz": "x", "d/b": "x", "d.gz": "x"}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			s := serveDir(t, writeFiles(t, tt.files))
			if got := s.handler.encodings(); got != tt.want {
				t.Errorf("found %03b, want %03b", got, tt.want)
			}
		})
	}
}

func TestSurveyIsKept(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a": "x", "a.gz": "x"})
	var survey Survey
	open := func() *Handler {
		h, err := NewSurveyed(dir, nil, &survey)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		return h
	}
	// What a handler finds that is closed under its hands is not the truth.
	closed := open()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if got := closed.encodings(); got != 0 {
		t.Errorf("a closed handler found %03b", got)
	}
	if got := open().encodings(); got != 4 {
		t.Errorf("found %03b", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "a.br"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := open().encodings(); got != 4 {
		t.Errorf("found %03b: the directory was walked again", got)
	}
}

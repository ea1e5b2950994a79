package static

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const long = "0123456789abcdefghijklmnopqrstuvwxyz"

func TestConditionalRequests(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"a.txt": long, "a.txt.gz": "packed"}))
	plain := s.get(t, "/a.txt")
	packed := s.get(t, "/a.txt", "Accept-Encoding: gzip")
	tag, packedTag := plain.header.Get("Etag"), packed.header.Get("Etag")
	modified := plain.header.Get("Last-Modified")
	if modified != "Wed, 04 Mar 2026 05:06:07 GMT" || !strings.HasPrefix(tag, `"`) || tag == packedTag {
		t.Fatalf("Last-Modified %q, Etag %q and %q", modified, tag, packedTag)
	}
	for _, tt := range []struct {
		headers string // separated by "; "
		status  int
		body    string
	}{
		{"If-None-Match: " + tag, 304, ""},
		{"If-None-Match: W/" + tag, 304, ""},
		{`If-None-Match: "other", ` + tag, 304, ""},
		{"If-None-Match: *", 304, ""},
		{`If-None-Match: "other"`, 200, long},
		{"If-None-Match: " + packedTag, 200, long},
		{"If-None-Match: " + packedTag + "; Accept-Encoding: gzip", 304, ""},
		{"If-None-Match: " + tag + "; Accept-Encoding: gzip", 200, "packed"},
		{"If-Modified-Since: " + modified, 304, ""},
		{"If-Modified-Since: Wed, 04 Mar 2026 05:06:06 GMT", 200, long},
		{"If-Modified-Since: Wed, 04 Mar 2026 05:06:08 GMT", 200, long}, // of a newer release, before it was rolled back
		{"If-Modified-Since: " + modified + "; Accept-Encoding: gzip", 304, ""},
		{`If-None-Match: "other"; If-Modified-Since: ` + modified, 200, long},
		{"If-Match: " + tag, 200, long},
		{`If-Match: "other"`, 412, ""},
		{`If-Match: "other"; Accept-Encoding: gzip`, 412, ""},
		{"If-Match: " + packedTag + "; Accept-Encoding: gzip", 200, "packed"},
		{"If-Unmodified-Since: " + modified, 200, long},
		{"If-Unmodified-Since: Wed, 04 Mar 2026 05:06:06 GMT", 412, ""},
		{"Range: bytes=0-3", 206, "0123"},
		{"Range: bytes=-2", 206, "yz"},
		{"Range: bytes=34-", 206, "yz"},
		{"Range: bytes=99-", 416, "invalid range: failed to overlap\n"},
		{"Range: bytes=0-3; If-Range: " + tag, 206, "0123"},
		{`Range: bytes=0-3; If-Range: "other"`, 200, long},
		{"Range: bytes=0-3; If-Range: " + modified, 206, "0123"},
		{"Range: bytes=0-3; If-Range: Wed, 04 Mar 2026 05:06:06 GMT", 200, long},
		{"Range: bytes=2-3; Accept-Encoding: gzip", 206, "ck"},
		{"Range: bytes=2-3; Accept-Encoding: gzip; If-Range: " + packedTag, 206, "ck"},
		{"Range: bytes=2-3; Accept-Encoding: gzip; If-Range: " + tag, 200, "packed"},
		{"Range: bytes=99-; Accept-Encoding: gzip", 416, "invalid range: failed to overlap\n"},
	} {
		t.Run(tt.headers, func(t *testing.T) {
			got := s.get(t, "/a.txt", strings.Split(tt.headers, "; ")...)
			if got.status != tt.status || got.body != tt.body {
				t.Errorf("%d %q, want %d %q", got.status, got.body, tt.status, tt.body)
			}
			if got.status != 304 && got.length != int64(len(tt.body)) && !strings.Contains(tt.headers, "If-Match: "+packedTag) {
				t.Errorf("Content-Length %d, want %d", got.length, len(tt.body))
			}
			if got.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("Vary %q", got.header.Get("Vary"))
			}
		})
	}
}

func TestSeveralRangesComePlain(t *testing.T) {
	s := serveDir(t, writeFiles(t, map[string]string{"a.txt": long, "a.txt.gz": "packed"}))
	got := s.get(t, "/a.txt", "Range: bytes=0-1,10-11", "Accept-Encoding: gzip")
	if got.status != 206 || got.header.Get("Content-Encoding") != "" || !strings.Contains(got.body, "\r\n\r\n01\r\n") || !strings.Contains(got.body, "\r\n\r\nab\r\n") {
		t.Errorf("%d %v %q", got.status, got.header, got.body)
	}
}

func TestTagChangesWithTheFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{"a.txt": long})
	s := serveDir(t, dir)
	before := s.get(t, "/a.txt").header.Get("Etag")
	later := changed.Add(time.Millisecond)
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), later, later); err != nil {
		t.Fatal(err)
	}
	if after := s.get(t, "/a.txt").header.Get("Etag"); after == before {
		t.Errorf("Etag is still %s", after)
	}
}

package http2_test

import (
	"net/http"
	"testing"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

// BenchmarkSmallResponse is one request at a time for 4 KiB, without TLS and without a kernel between.
func BenchmarkSmallResponse(b *testing.B) {
	page := make([]byte, 4<<10)
	fields := http.Header{"Content-Type": {"text/html"}, "Etag": {`"x"`}, "Content-Length": {"4096"}}
	s := &http2.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		for name, values := range fields {
			h[name] = values
		}
		_, _ = w.Write(page)
	})}
	c, serving := pipe(b, s)
	defer func() { c.Close(); <-serving }()
	c.SetReuseFrames()
	block := c.to("GET", "/page.html", "user-agent", "bench", "accept", "*/*")
	again := c.to("GET", "/page.html", "user-agent", "bench", "accept", "*/*") // from the table
	id := uint32(1)
	b.ReportAllocs()
	for b.Loop() {
		c.must(c.open(id, true, block))
		await(c, "the end", func(f *xhttp2.DataFrame) bool { return f.StreamEnded() })
		if id%64 == 1 {
			c.must(c.WriteWindowUpdate(0, 64*4<<10))
		}
		id, block = id+2, again
	}
}

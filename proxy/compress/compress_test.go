package compress

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

func decoded(t *testing.T, coding string, r io.Reader) string {
	t.Helper()
	var err error
	switch coding {
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		var z *zstd.Decoder
		z, err = zstd.NewReader(r)
		if err == nil {
			t.Cleanup(z.Close)
			r = z
		}
	case "gzip":
		r, err = gzip.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", coding, err)
	}
	return string(text)
}

func TestNegotiation(t *testing.T) {
	for _, tt := range []struct{ accept, smallest, fastest, class string }{
		{"", "identity", "identity", "---"},
		{"gzip, deflate, br, zstd", "br", "zstd", "bzg"},
		{"gzip, deflate, br", "br", "gzip", "b-g"},
		{"gzip", "gzip", "gzip", "--g"},
		{"GZIP", "gzip", "gzip", "--g"},
		{"x-gzip", "gzip", "gzip", "--g"},
		{"br", "br", "br", "b--"},
		{"deflate", "identity", "identity", "---"},
		{"br;q=0.5, gzip;q=0.9", "gzip", "gzip", "b-g"},
		{"br ; q=0.5 , gzip ; q=0.4", "br", "br", "b-g"},
		{"br;q=0, gzip;q=0.001", "gzip", "gzip", "--g"},
		{"*", "br", "zstd", "bzg"},
		{"br;q=0, *", "zstd", "zstd", "-zg"},
		{"*;q=0", "identity", "identity", "---"},
		{"gzip, *;q=0", "gzip", "gzip", "--g"},
		{"identity;q=0, gzip", "gzip", "gzip", "--g"},
		{"identity;q=0", "identity", "identity", "---"},
		{"identity, gzip;q=0.5", "identity", "identity", "--g"},
		{"identity;q=0.5, gzip;q=0.5", "gzip", "gzip", "--g"},
		{"gzip;q=1.000, br;q=0.999", "gzip", "gzip", "b-g"},
		{"gzip;q=1.001", "identity", "identity", "---"},
		{"gzip;q=2", "identity", "identity", "---"},
		{"gzip;q=-1", "identity", "identity", "---"},
		{"gzip;q=0.1234", "identity", "identity", "---"},
		{"gzip;q=", "identity", "identity", "---"},
		{"gzip;q=.5", "identity", "identity", "---"},
		{"gzip;level=9", "identity", "identity", "---"},
		{",;,=;q,", "identity", "identity", "---"},
	} {
		accept := []string{tt.accept}
		if got := Smallest(accept).Name(); got != tt.smallest {
			t.Errorf("%q: smallest %s, want %s", tt.accept, got, tt.smallest)
		}
		if got := Fastest(accept).Name(); got != tt.fastest {
			t.Errorf("%q: fastest %s, want %s", tt.accept, got, tt.fastest)
		}
		if got := Class(accept); got != tt.class {
			t.Errorf("%q: class %s, want %s", tt.accept, got, tt.class)
		}
		if got, want := Takes(accept, "gzip"), tt.class[2] == 'g'; got != want {
			t.Errorf("%q takes gzip: %v", tt.accept, got)
		}
	}
	if !Takes([]string{"br", "deflate;q=0.5"}, "deflate") || Takes([]string{"deflate;q=0"}, "deflate") || !Takes(nil, "") {
		t.Error("codings that are not ours")
	}
}

func TestWorthwhile(t *testing.T) {
	for _, tt := range []struct {
		status int
		header string
		want   bool
	}{
		{200, "Content-Type: text/html; charset=utf-8", true},
		{200, "Content-Type: TEXT/CSS", true},
		{200, "Content-Type: application/json", true},
		{200, "Content-Type: application/problem+json", true},
		{200, "Content-Type: image/svg+xml", true},
		{200, "Content-Type: text/event-stream", true},
		{404, "Content-Type: text/html", true},
		{200, "Content-Type: text/html | Content-Length: 512", true},
		{200, "Content-Type: text/html | Content-Length: 511", false},
		{200, "", false},
		{200, "Content-Type: image/png", false},
		{200, "Content-Type: font/woff2", false},
		{200, "Content-Type: video/mp4", false},
		{200, "Content-Type: application/zip", false},
		{200, "Content-Type: application/octet-stream", false},
		{200, "Content-Type: application/grpc", false},
		{200, "Content-Type: text/html | Content-Encoding: gzip", false},
		{200, "Content-Type: text/html | Cache-Control: public, No-Transform", false},
		{206, "Content-Type: text/html | Content-Range: bytes 0-1/2", false},
		{204, "Content-Type: text/html", false},
		{304, "Content-Type: text/html", false},
		{101, "Content-Type: text/html", false},
	} {
		h := http.Header{}
		for line := range strings.SplitSeq(tt.header, " | ") {
			if name, v, ok := strings.Cut(line, ": "); ok {
				h.Add(name, v)
			}
		}
		if got := Worthwhile(tt.status, h); got != tt.want {
			t.Errorf("%d %s: %v", tt.status, tt.header, got)
		}
	}
}

func TestWhole(t *testing.T) {
	z := New(1)
	text := strings.Repeat("the same words over and over, ", 2000)
	noise := make([]byte, 10_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for c := Brotli; c < Codings; c++ {
		body := z.Whole(c, []byte(text))
		if body == nil || len(body) > len(text)/20 || decoded(t, c.Name(), bytes.NewReader(body)) != text {
			t.Errorf("%s: %d bytes of %d", c.Name(), len(body), len(text))
		}
		if body := z.Whole(c, noise); body != nil {
			t.Errorf("%s: made %d bytes of noise to %d", c.Name(), len(noise), len(body))
		}
	}
}

// respond has a handler answer through a Writer, as a server does.
func respond(t *testing.T, z *Compressor, method, accept string, handle http.HandlerFunc) *http.Response {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := z.Wrap(w, r)
		defer out.Abort()
		handle(&out, r)
		if err := out.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		req.Header.Set("Accept-Encoding", accept)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

func TestWriter(t *testing.T) {
	text := strings.Repeat("hello, ", 1000)
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Length", "7000")
		w.Header().Set("Etag", `"tag"`)
		w.Header().Set("Accept-Ranges", "bytes")
		w.Header().Set("Vary", "Origin")
		io.Copy(w, strings.NewReader(text))
	}
	for _, accept := range []string{"", "zstd", "br", "gzip", "deflate"} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			res := respond(t, New(10), method, accept, page)
			coding := accept
			if accept == "deflate" {
				coding = ""
			}
			h := res.Header
			if h.Get("Content-Encoding") != coding || strings.Join(h["Vary"], ", ") != "Origin, Accept-Encoding" {
				t.Errorf("%s %q: %v", method, accept, h)
			}
			if plain := coding == ""; plain != (h.Get("Etag") == `"tag"`) || !plain && h.Get("Etag") != `W/"tag"` || plain != (res.ContentLength == 7000) || plain != (h.Get("Accept-Ranges") != "") {
				t.Errorf("%s %q: %v, %d bytes", method, accept, h, res.ContentLength)
			}
			if method == http.MethodGet && decoded(t, coding, res.Body) != text {
				t.Errorf("%q: another body", accept)
			}
		}
	}
}

// A body whose length nobody has announced is encoded if it turns out to be long enough.
func TestUnannouncedLength(t *testing.T) {
	for _, tt := range []struct {
		parts  []int
		coding string
	}{
		{nil, ""},
		{[]int{1}, ""},
		{[]int{100, 100, 311}, ""},
		{[]int{100, 100, 312}, "gzip"},
		{[]int{600, 1}, "gzip"},
	} {
		var text string
		handle := func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			for _, n := range tt.parts {
				io.WriteString(w, strings.Repeat("x", n))
			}
		}
		for _, n := range tt.parts {
			text += strings.Repeat("x", n)
		}
		res := respond(t, New(1), http.MethodGet, "gzip", handle)
		got := decoded(t, res.Header.Get("Content-Encoding"), res.Body)
		if res.Header.Get("Content-Encoding") != tt.coding || got != text || tt.parts != nil && res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%v: %v, %d bytes", tt.parts, res.Header, len(got))
		}
		if head := respond(t, New(1), http.MethodHead, "gzip", handle); head.Header.Get("Content-Encoding") != "" {
			t.Errorf("HEAD %v: %v", tt.parts, head.Header)
		}
	}
}

// Each event reaches the client when it is sent, and not with the next one.
func TestFlush(t *testing.T) {
	for _, coding := range []string{"zstd", "br", "gzip"} {
		t.Run(coding, func(t *testing.T) {
			next := make(chan struct{})
			res := respond(t, New(10), http.MethodGet, coding, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for range 3 {
					io.WriteString(w, "data: event\n\n")
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
					<-next
				}
			})
			var r io.Reader
			switch coding {
			case "zstd":
				z, err := zstd.NewReader(res.Body, zstd.WithDecoderConcurrency(1))
				if err != nil {
					t.Fatal(err)
				}
				defer z.Close()
				r = z
			case "br":
				r = brotli.NewReader(res.Body)
			case "gzip":
				z, err := gzip.NewReader(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				r = z
			}
			for range 3 {
				event := make([]byte, len("data: event\n\n"))
				if _, err := io.ReadFull(r, event); err != nil || string(event) != "data: event\n\n" {
					t.Fatalf("%q %v", event, err)
				}
				next <- struct{}{}
			}
		})
	}
}

// However many responses are under way, only so many are encoded: the rest are sent as they are.
func TestStreamsAreBounded(t *testing.T) {
	z := New(2)
	text := strings.Repeat("hello, ", 1000)
	for round := range 3 {
		var open []*Writer
		for i := range 4 {
			to := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := z.Wrap(to, r)
			to.Header().Set("Content-Type", "text/plain")
			io.WriteString(&w, text)
			if got, want := to.Header().Get("Content-Encoding") == "gzip", i < 2; got != want {
				t.Errorf("round %d: stream %d is encoded: %v", round, i, got)
			}
			if to.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("Vary %q", to.Header().Get("Vary"))
			}
			open = append(open, &w)
		}
		for i, w := range open {
			if i%2 == 0 {
				w.Abort()
			} else if err := w.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Streams of events, which never end, leave room for what does.
func TestEventsLeaveRoom(t *testing.T) {
	z := New(2)
	for i, kind := range []string{"text/event-stream", "text/event-stream", "text/html"} {
		to := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := z.Wrap(to, r)
		defer w.Abort()
		to.Header().Set("Content-Type", kind)
		io.WriteString(&w, "data")
		w.Flush()
		if got, want := to.Header().Get("Content-Encoding") == "gzip", i != 1; got != want {
			t.Errorf("response %d is encoded: %v", i, got)
		}
	}
}

func BenchmarkEncoders(b *testing.B) {
	text := []byte(strings.Repeat("<li class=item>the same words over and over</li>\n", 400))
	z := New(1000)
	for c := Brotli; c < Codings; c++ {
		b.Run("whole/"+c.Name(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				z.Whole(c, text)
			}
		})
		b.Run("stream/"+c.Name(), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				e := z.take(c, io.Discard, false)
				e.Write(text)
				e.Close()
				z.give(c, e)
			}
		})
		b.Run("new/"+c.Name(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				e := newEncoder(c)
				e.Reset(io.Discard)
				e.Write(text)
				e.Flush()
			}
		})
	}
}

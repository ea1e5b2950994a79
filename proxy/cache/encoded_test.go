package cache

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded undoes the Content-Encoding of a response.
func (r reply) decoded(t *testing.T) string {
	t.Helper()
	var from io.Reader = strings.NewReader(r.body)
	switch r.Header.Get("Content-Encoding") {
	case "br":
		from = brotli.NewReader(from)
	case "zstd":
		z, err := zstd.NewReader(from)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		from = z
	case "gzip":
		z, err := gzip.NewReader(from)
		if err != nil {
			t.Fatal(err)
		}
		from = z
	}
	text, err := io.ReadAll(from)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is kept is encoded once for each coding, and each has a length, a tag and a weight of its own.
func TestKeptResponsesAreEncodedOnce(t *testing.T) {
	text := strings.Repeat("hello, ", 2000)
	f := start(t, 4<<20, says(text, "Cache-Control: max-age=60", "Content-Type: text/html", `Etag: "tag"`))
	for round := range 3 {
		for accept, coding := range map[string]string{
			"": "", "gzip": "gzip", "zstd": "zstd", "gzip, deflate, br, zstd": "br", "br;q=0.1, identity": "", "*;q=0": "", "deflate": "",
		} {
			got := f.get("/", "Accept-Encoding: "+accept)
			if got.decoded(t) != text || got.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("round %d, %q: %d bytes, %v", round, accept, len(got.body), got.Header)
			}
			if round == 0 {
				continue // the first one is encoded on its way, the next ones as places are free
			}
			tag := `"tag"`
			if coding != "" {
				tag = `W/"tag"`
			}
			if got.Header.Get("Content-Encoding") != coding || got.Header.Get("Etag") != tag || got.ContentLength != int64(len(got.body)) {
				t.Errorf("%q: %v, %d bytes", accept, got.Header, got.ContentLength)
			}
			head := f.ask(http.MethodHead, "/", "Accept-Encoding: "+accept)
			if head.ContentLength != got.ContentLength || head.Header.Get("Content-Encoding") != coding || head.Header.Get("Etag") != tag {
				t.Errorf("HEAD %q: %v", accept, head.Header)
			}
			for _, known := range []string{`"tag"`, `W/"tag"`} {
				if same := f.get("/", "Accept-Encoding: "+accept, "If-None-Match: "+known); same.StatusCode != 304 || same.Header.Get("Etag") != tag || same.Header.Get("Vary") != "Accept-Encoding" {
					t.Errorf("%q knows %s: %d %v", accept, known, same.StatusCode, same.Header)
				}
			}
			if part := f.get("/", "Accept-Encoding: "+accept, "Range: bytes=7-11"); part.StatusCode != 206 || part.body != "hello" || part.Header.Get("Content-Encoding") != "" || part.Header.Get("Etag") != `"tag"` {
				t.Errorf("%q, a part: %d %q %v", accept, part.StatusCode, part.body, part.Header)
			}
		}
	}
	if n := f.asked.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
	for k, res := range f.store().All() {
		if got, want := f.Stats().Bytes, uint64(weigh(k, res)); got != want {
			t.Errorf("%d bytes are counted, %d are kept", got, want)
		}
	}
}

func TestWhatIsNotEncoded(t *testing.T) {
	long := strings.Repeat("hello, ", 1000)
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, long)
	z.Close()
	for _, tt := range []struct{ body, fields, coding string }{
		{long, "Content-Type: text/html", "br"},
		{long, "Content-Type: image/png", ""},
		{long, "Content-Type: text/html | Cache-Control: no-transform", ""},
		{"short", "Content-Type: text/html", ""},
		{packed.String(), "Content-Type: text/html | Content-Encoding: gzip", "gzip"},
	} {
		t.Run(tt.fields, func(t *testing.T) {
			f := start(t, 1<<20, says(tt.body, append(strings.Split(tt.fields, " | "), "Cache-Control: max-age=60")...))
			for range 3 {
				got := f.get("/", "Accept-Encoding: gzip, br")
				if got.Header.Get("Content-Encoding") != tt.coding && got.status() == "hit" {
					t.Errorf("%q: %v", got.status(), got.Header)
				}
				if tt.coding != "br" && (got.body != tt.body || got.Header.Get("Content-Encoding") != tt.coding) {
					t.Errorf("%q: %d bytes, %v", got.status(), len(got.body), got.Header)
				}
			}
			if n := f.asked.Load(); n != 1 {
				t.Errorf("the origin was asked %d times", n)
			}
		})
	}
}

// An origin that encodes by itself has each client get what it can read, whether it says Vary or not.
func TestEncodedByTheOrigin(t *testing.T) {
	for _, vary := range []string{"Vary: Accept-Encoding", ""} {
		t.Run(vary, func(t *testing.T) {
			f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: text/html", vary})
				if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
					io.WriteString(w, "plain")
					return
				}
				w.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(w)
				io.WriteString(z, "plain")
				z.Close()
			})
			for range 2 {
				for _, accept := range []string{"gzip", "gzip, deflate, br", "", "br", "gzip;q=0"} {
					got := f.get("/", "Accept-Encoding: "+accept)
					if got.decoded(t) != "plain" || got.Header.Get("Content-Encoding") != "" && !strings.HasPrefix(accept, "gzip") {
						t.Errorf("%q: %q %v", accept, got.body, got.Header)
					}
				}
			}
			if n := f.asked.Load(); vary != "" && n > 5 {
				t.Errorf("the origin was asked %d times", n)
			}
		})
	}
}

// A vouched-for response keeps what was encoded of it.
func TestRevalidationKeepsTheEncodedBodies(t *testing.T) {
	text := strings.Repeat("hello, ", 1000)
	f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Cache-Control: no-cache", "Content-Type: text/html", `Etag: "tag"`, "Vary: X-A", "CDN-Cache-Control: no-cache"})
		if r.Header.Get("If-None-Match") == `"tag"` {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, text)
	})
	f.get("/")
	for i := range 3 {
		got := f.get("/", "Accept-Encoding: br")
		if got.decoded(t) != text || got.Header.Get("Content-Encoding") != "br" || got.status() != "fwd=stale; fwd-status=304" {
			t.Errorf("%d: %q %v", i, got.status(), got.Header)
		}
		if vary := strings.Join(got.Header["Vary"], ", "); vary != "X-A, Accept-Encoding" {
			t.Errorf("%d: Vary %s", i, vary)
		}
	}
	if n := f.asked.Load(); n != 4 {
		t.Errorf("the origin was asked %d times", n)
	}
}

// An answer for one request alone is encoded on its way, and a 304 to it is the origin's.
func TestPassedResponsesAreEncoded(t *testing.T) {
	text := strings.Repeat("hello, ", 1000)
	f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Content-Type: application/json", `Etag: "tag"`})
		if strings.TrimPrefix(r.Header.Get("If-None-Match"), "W/") == `"tag"` {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, text)
	})
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		got := f.ask(method, "/", "Accept-Encoding: gzip, zstd")
		if got.decoded(t) != text || got.Header.Get("Content-Encoding") != "zstd" || got.Header.Get("Etag") != `W/"tag"` {
			t.Errorf("%s: %v", method, got.Header)
		}
	}
	if got := f.get("/", "Accept-Encoding: zstd", `If-None-Match: W/"tag"`); got.StatusCode != 304 {
		t.Errorf("then: %d", got.StatusCode)
	}
	if got := f.get("/", "Accept-Encoding: zstd;q=0"); got.body != text {
		t.Errorf("plain: %v", got.Header)
	}
}

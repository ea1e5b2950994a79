package proxy

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"berth/sites"
)

// BenchmarkRequest has both proxies answer the same requests over TLS from the same instance, in one process: what
// differs is what berth adds to a plain httputil.ReverseProxy.
func BenchmarkRequest(b *testing.B) {
	for _, size := range []int{1 << 10, 64 << 10} {
		name := fmt.Sprintf("%dKiB", size>>10)
		body := make([]byte, size)
		backend := startInstance(b, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Write(body)
		})
		e := startEdge(b, withHits(&noHits{}))
		fromFiles := site("files", netip.AddrPort{})
		fromFiles.Root = b.TempDir()
		if err := os.WriteFile(filepath.Join(fromFiles.Root, "body.bin"), body, 0o600); err != nil {
			b.Fatal(err)
		}
		e.publish(site("hello", backend.addr), fromFiles)
		plain := startPlain(b, e, backend)
		for _, major := range []int{1, 2} {
			version := []string{"", "HTTP1", "HTTP2"}[major]
			b.Run(name+"/"+version+"/plain", func(b *testing.B) { load(b, plain.client(major), "https://hello.berth.test/", size) })
			b.Run(name+"/"+version+"/berth", func(b *testing.B) { load(b, e.client(major), "https://hello.berth.test/", size) })
			b.Run(name+"/"+version+"/files", func(b *testing.B) { load(b, e.client(major), "https://files.berth.test/body.bin", size) })
		}
	}
}

// startPlain serves a httputil.NewSingleHostReverseProxy with the edge's certificate and as many kept connections.
func startPlain(b *testing.B, e *edge, backend *instance) *edge {
	b.Helper()
	target, err := url.Parse(backend.URL)
	if err != nil {
		b.Fatal(err)
	}
	reverse := httputil.NewSingleHostReverseProxy(target)
	reverse.Transport = &http.Transport{MaxIdleConnsPerHost: 64}
	server := &http.Server{Handler: reverse, TLSConfig: e.secureTLS()}
	l := listen(b)
	go server.ServeTLS(l, "", "")
	b.Cleanup(func() { server.Close() })
	return &edge{t: b, secure: l.Addr().String(), roots: e.roots}
}

func load(b *testing.B, c *http.Client, url string, size int) {
	b.ReportAllocs()
	b.SetBytes(int64(size))
	before := processorTime(b)
	defer func() { b.ReportMetric(float64((processorTime(b)-before).Microseconds())/float64(b.N), "cpu-µs/op") }()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := c.Get(url)
			if err != nil {
				b.Error(err)
				return
			}
			n, err := io.Copy(io.Discard, res.Body)
			res.Body.Close()
			if err != nil || n != int64(size) {
				b.Errorf("%d of %d bytes, %v", n, size, err)
				return
			}
		}
	})
}

// processorTime is what the process has used, client and instance included; unlike time it is steady on a busy machine.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// discard is a response that goes nowhere.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// noHits is a HitSink that keeps nothing.
type noHits struct{}

func (*noHits) Take([]sites.Hit) {}

// BenchmarkRoute is the cost of finding a site among 10,000, without network.
func BenchmarkRoute(b *testing.B) {
	p := New(Config{
		Zone: testZone, PanelHost: testPanel, HTTPSPort: 443, Pages: testPages{}, Panel: http.NotFoundHandler(),
		Logger: slog.New(slog.DiscardHandler), Hits: &noHits{},
		Static: func(string) (http.Handler, error) {
			return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil
		},
	})
	all := make([]sites.Published, 10_000)
	for i := range all {
		all[i] = numbered(i)
		all[i].Instances, all[i].Root = nil, "/"
	}
	p.Apply(sites.Change{Full: true, Sites: all})
	defer p.relayHits()()
	req := request(b, http.MethodGet, "https://site4711.berth.test/", "")
	req.Body, req.RemoteAddr, req.RequestURI = http.NoBody, net.JoinHostPort("127.0.0.1", "1"), "/"
	req.TLS = &tls.ConnectionState{}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		w, r := discard{http.Header{}}, *req
		for pb.Next() {
			p.serveSecure(w, &r)
		}
	})
}

// BenchmarkHit is the cost of an answer from the cache, without network: what it allocates is what it adds to net/http.
func BenchmarkHit(b *testing.B) {
	p := New(Config{
		Zone: testZone, PanelHost: testPanel, HTTPSPort: 443, Pages: testPages{}, Panel: http.NotFoundHandler(),
		Logger: slog.New(slog.DiscardHandler), CacheBytes: 1 << 20,
		Static: func(string) (http.Handler, error) {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Cdn-Cache-Control", "max-age=3600")
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Etag", `"x"`)
				_, _ = w.Write(make([]byte, 4<<10))
			}), nil
		},
	})
	s := numbered(1)
	s.Instances, s.Root = nil, "/"
	p.Apply(sites.Change{Sites: []sites.Published{s}})
	defer p.relayHits()()
	for name, accept := range map[string]string{"plain": "", "encoded": "gzip, deflate, br, zstd"} {
		b.Run(name, func(b *testing.B) {
			req := request(b, http.MethodGet, "https://"+s.Hosts[0]+"/", "", "Accept-Encoding", accept, "User-Agent", "bench")
			req.Body, req.ContentLength, req.RemoteAddr = http.NoBody, 0, net.JoinHostPort("127.0.0.1", "1")
			req.TLS = new(tls.ConnectionState)
			for range 2 {
				p.serveSecure(discard{http.Header{}}, req)
			}
			b.ReportAllocs()
			w := discard{make(http.Header, 16)}
			for b.Loop() {
				p.serveSecure(w, req)
			}
			if got := w.header.Get("Cache-Status"); got != "berth; hit" {
				b.Fatal(got)
			}
		})
	}
}

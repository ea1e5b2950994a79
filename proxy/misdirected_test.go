package proxy

import (
	"crypto/tls"
	"net/http"
	"testing"
)

func TestCovers(t *testing.T) {
	names := []string{"berth.test", "*.Berth.test", "www.custom.example"}
	for host, want := range map[string]bool{
		"berth.test": true, "a.berth.test": true, "a.b.berth.test": false, ".berth.test": false, "test": false, "www.custom.example": true,
		"custom.example": false, "x.www.custom.example": false, "127.0.0.1": false, "": false, "aberth.test": false,
	} {
		if got := covers(names, host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
	if n := testing.AllocsPerRun(10, func() { covers(names, "a.b.berth.test") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// perHost has the edge give each name its own certificate, and the rest of the zone the wildcard.
func perHost(t *testing.T, own ...string) option {
	wildcard, _ := testCertificate(t)
	byName := map[string]*tls.Certificate{}
	for _, name := range own {
		leaf := *wildcard.Leaf
		leaf.DNSNames = []string{name}
		pair := *wildcard
		pair.Leaf = &leaf
		byName[name] = &pair
	}
	return func(c *Config, _ *limits) {
		c.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if pair, ok := byName[hello.ServerName]; ok {
				return pair, nil
			}
			return wildcard, nil
		}
	}
}

// Names that one certificate covers may share a connection; others are told that they are in the wrong place.
func TestMisdirectedRequests(t *testing.T) {
	e := startEdge(t, perHost(t, "own.berth.test"))
	e.publish(site("hello", startInstance(t, says("hello")).addr), site("own", startInstance(t, says("own")).addr))
	sessions := tls.NewLRUClientSessionCache(4)
	for _, test := range []struct {
		server, host string
		status       int
	}{
		{"hello.berth.test", "hello.berth.test", 200},
		{"hello.berth.test", "panel.berth.test", 200}, // by the wildcard
		{"hello.berth.test", "own.berth.test", 200},   // likewise
		{"hello.berth.test", "custom.example", 421},
		{"own.berth.test", "own.berth.test", 200},
		{"own.berth.test", "OWN.berth.test.:443", 200},
		{"own.berth.test", "hello.berth.test", 421},
		{"own.berth.test", "panel.berth.test", 421},
		{"", "hello.berth.test", 200}, // without SNI nothing is contradicted
		{"", "custom.example", 404},
	} {
		for _, resumed := range []bool{false, true} {
			config := &tls.Config{ServerName: test.server, InsecureSkipVerify: true, ClientSessionCache: sessions}
			if test.server == "" {
				config.ClientSessionCache = nil
			}
			conn := tls.Client(dial(t, e.secure), config)
			got := raw(t, conn, "GET / HTTP/1.1", "Host: "+test.host, "Connection: close")
			if got.StatusCode != test.status {
				t.Errorf("%q by a connection to %q, resumed %v: got %d, want %d", test.host, test.server,
					conn.ConnectionState().DidResume, got.StatusCode, test.status)
			}
			if resumed && test.server != "" && !conn.ConnectionState().DidResume {
				t.Errorf("%q was not resumed", test.server)
			}
			conn.Close()
		}
	}
}

func TestMisdirectedByEveryVersion(t *testing.T) {
	e := startEdge(t)
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for host, want := range map[string]int{"panel.berth.test": 200, "custom.example": 421} {
			req := request(t, http.MethodGet, "https://panel.berth.test/", "")
			req.Host = host
			if got := do(t, c, req); got.StatusCode != want {
				t.Errorf("%s: got %d, want %d", host, got.StatusCode, want)
			}
		}
	})
}

// A gateway uses its connections for whatever it is asked.
func TestGatewaysAreNotMisdirected(t *testing.T) {
	e := startEdge(t, perHost(t, "own.berth.test"), trusting("127.0.0.1/32"))
	conn := tls.Client(dial(t, e.secure), &tls.Config{ServerName: "own.berth.test", InsecureSkipVerify: true})
	got := raw(t, conn, "GET / HTTP/1.1", "Host: panel.berth.test", "X-Forwarded-For: 192.0.2.1")
	if got.body != "panel" || got.Header.Get("Alt-Svc") != "" {
		t.Errorf("got %d %q, %v", got.StatusCode, got.body, got.Header)
	}
}

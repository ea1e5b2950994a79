package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"testing"
	"time"
)

func trusting(prefixes ...string) option {
	return func(c *Config, _ *limits) {
		for _, p := range prefixes {
			c.TrustedProxies = append(c.TrustedProxies, netip.MustParsePrefix(p))
		}
	}
}

func TestForwardedFor(t *testing.T) {
	trusted := networks{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("2001:db8:9::/48")}
	for _, test := range []struct {
		fields []string
		want   string
	}{
		{nil, "127.0.0.1"},
		{[]string{""}, "127.0.0.1"},
		{[]string{"198.51.100.7"}, "198.51.100.7"},
		{[]string{"192.0.2.1, 198.51.100.7"}, "198.51.100.7"}, // the first is what the client claims
		{[]string{"198.51.100.7,127.0.0.2 ,\t2001:db8:9::1"}, "198.51.100.7"},
		{[]string{"192.0.2.1, 198.51.100.7", "127.0.0.2"}, "198.51.100.7"},
		{[]string{"198.51.100.7", "127.0.0.2, "}, "127.0.0.1"},
		{[]string{"127.0.0.3, 127.0.0.2"}, "127.0.0.3"}, // gateways all the way
		{[]string{"unknown, 127.0.0.2"}, "127.0.0.2"},
		{[]string{"198.51.100.7:4711"}, "198.51.100.7"},
		{[]string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		{[]string{"[2001:db8::7]"}, "2001:db8::7"},
		{[]string{"2001:db8::7"}, "2001:db8::7"},
		{[]string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{[]string{"fe80::1%eth0"}, "fe80::1"},
	} {
		if got := trusted.forwardedFor(test.fields, netip.MustParseAddr("127.0.0.1")); got.String() != test.want {
			t.Errorf("%q: got %s, want %s", test.fields, got, test.want)
		}
	}
}

func TestClientAddr(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "[::ffff:192.0.2.7]:1": "192.0.2.7", "[2001:db8::7]:0": "2001:db8::7", "@": "invalid IP", "": "invalid IP",
	} {
		if got := clientAddr(&http.Request{RemoteAddr: remote}); got.String() != want {
			t.Errorf("%q: got %s, want %s", remote, got, want)
		}
	}
	r := &http.Request{RemoteAddr: "[2001:db8::7]:4711"}
	if n := testing.AllocsPerRun(10, func() { clientAddr(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// describes answers with what an instance, or the panel, is told of the client.
func describes(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s %s", clientAddr(r), r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"))
}

func TestTrustedGatewaySaysWhoTheClientIs(t *testing.T) {
	e := startEdge(t, trusting("127.0.0.0/8"), withPanel(describes))
	e.publish(site("hello", startInstance(t, describes).addr))
	header := []string{"X-Forwarded-For", "192.0.2.1, 198.51.100.7", "X-Forwarded-Proto", "https"}
	for _, scheme := range []string{"http", "https"} {
		c := e.client(1)
		if got := get(t, c, scheme+"://hello.berth.test/", header...); got.body != "127.0.0.1 198.51.100.7 https" {
			t.Errorf("an instance, by %s: %d %q", scheme, got.StatusCode, got.body)
		}
		if got := get(t, c, scheme+"://panel.berth.test/", header...); got.body != "198.51.100.7  " {
			t.Errorf("the panel, by %s: %d %q", scheme, got.StatusCode, got.body)
		}
		for _, proto := range []string{"http", "HTTP", "https, http"} {
			got := get(t, c, scheme+"://hello.berth.test/a?b", "X-Forwarded-Proto", proto)
			if want := "https://hello.berth.test:8443/a?b"; got.StatusCode != 308 || got.Header.Get("Location") != want {
				t.Errorf("a client that came by %s, by %s: %d to %s", proto, scheme, got.StatusCode, got.Header.Get("Location"))
			}
		}
	}
	if got := get(t, e.client(1), "http://hello.berth.test/", "X-Forwarded-Proto", "gopher"); got.StatusCode != 308 {
		t.Errorf("without a scheme that is known: %d", got.StatusCode)
	}
}

// The deadlines of the plain listener are for its redirects.
func TestGatewayMayTakeItsTime(t *testing.T) {
	e := startEdge(t, trusting("127.0.0.0/8"), withLimits(func(l *limits) { l.header = 3 * time.Second }))
	e.publish(site("hello", startInstance(t, countsBody).addr))
	conn := dial(t, e.plain)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nX-Forwarded-Proto: https\r\nContent-Length: 2\r\n\r\nx")
	eventually(t, "the request is in flight", func() bool { return e.Stats().InFlight == 1 })
	slow := dial(t, e.plain) // one that the deadline is for
	io.WriteString(slow, "POST / HTTP/1.1\r\n")
	untilClosed(t, slow)
	io.WriteString(conn, "y")
	if got := readReply(t, conn); got.body != "2" {
		t.Errorf("got %d %q", got.StatusCode, got.body)
	}
}

func TestNobodyElseSaysWhoTheClientIs(t *testing.T) {
	e := startEdge(t, trusting("192.0.2.0/24"))
	e.publish(site("hello", startInstance(t, describes).addr))
	forged := []string{"X-Forwarded-For", "198.51.100.7", "X-Forwarded-Proto", "https"}
	if got := get(t, e.client(2), "https://hello.berth.test/", forged...); got.body != "127.0.0.1 127.0.0.1 https" {
		t.Errorf("got %q", got.body)
	}
	if got := get(t, e.client(1), "http://hello.berth.test/", forged...); got.StatusCode != 308 {
		t.Errorf("without TLS: got %d", got.StatusCode)
	}
}

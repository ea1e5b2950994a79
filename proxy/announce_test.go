package proxy

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// v2 is a header of version 2 with what follows its fixed part.
func v2(command, family byte, rest string) string {
	return announceV2 + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

const (
	ends4 = "\xc6\x33\x64\x07\x7f\x00\x00\x01\x12\x67\x01\xbb"                                                                // 198.51.100.7:4711 to 127.0.0.1:443
	ends6 = "\x20\x01\x0d\xb8" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" + "sixteen  octets." + "\x12\x67\x01\xbb" // [2001:db8::7]:4711
)

func TestReadAnnouncement(t *testing.T) {
	for _, test := range []struct{ header, client string }{
		{"PROXY TCP4 198.51.100.7 127.0.0.1 4711 443\r\n", "198.51.100.7:4711"},
		{"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n", "[2001:db8::7]:4711"},
		{"PROXY TCP6 ::ffff:198.51.100.7 ::1 4711 443\r\n", "198.51.100.7:4711"},
		{"PROXY UNKNOWN\r\n", "invalid AddrPort"},
		{"PROXY UNKNOWN whatever that may be\r\n", "invalid AddrPort"},
		{v2(0x21, 0x11, ends4), "198.51.100.7:4711"},
		{v2(0x21, 0x21, ends6), "[2001:db8::7]:4711"},
		{v2(0x21, 0x11, ends4+"\x04\x00\x04more"), "198.51.100.7:4711"},
		{v2(0x21, 0x11, ends4+strings.Repeat("x", 65000)), "198.51.100.7:4711"},
		{v2(0x20, 0x00, ""), "invalid AddrPort"},    // the balancer looks whether we live
		{v2(0x20, 0x11, ends4), "invalid AddrPort"}, // likewise
		{v2(0x21, 0x00, "any"), "invalid AddrPort"},
		{v2(0x21, 0x31, strings.Repeat("/", 216)), "invalid AddrPort"}, // a socket of Unix
	} {
		r := bytes.NewBufferString(test.header + "next")
		got, err := readAnnouncement(iotest.OneByteReader(r))
		if err != nil || got.String() != test.client {
			t.Errorf("%q: got %s, %v, want %s", test.header, got, err, test.client)
		}
		if r.String() != "next" {
			t.Errorf("%q: %q is left", test.header, r)
		}
		for cut := range min(len(test.header), 300) {
			if _, err := readAnnouncement(strings.NewReader(test.header[:cut])); err == nil {
				t.Errorf("%q is taken for a whole header", test.header[:cut])
			}
		}
	}
	for _, header := range []string{
		"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03AAAA", "PROXY TCP5 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n", "PROXY TCP4 ::1 1.2.3.4 1 2\r\n",
		"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", "PROXY \r\nthe rest of it",
		"PROXY UNKNOWN " + strings.Repeat("x", 100) + "\r\n",
		v2(0x11, 0x11, ends4), v2(0x22, 0x11, ends4), v2(0x21, 0x11, ends4[1:]), v2(0x21, 0x21, ends4),
	} {
		if got, err := readAnnouncement(strings.NewReader(header)); err == nil {
			t.Errorf("%q: got %s", header, got)
		}
	}
}

func FuzzReadAnnouncement(f *testing.F) {
	for _, seed := range []string{"PROXY TCP4 198.51.100.7 127.0.0.1 4711 443\r\n", "PROXY UNKNOWN\r\n", v2(0x21, 0x11, ends4), v2(0x20, 0, "")} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		client, err := readAnnouncement(r)
		if err != nil && client.IsValid() && !strings.HasPrefix(string(data), announceV2) {
			t.Errorf("%s in spite of %v", client, err)
		}
		if client.Addr().Is4In6() {
			t.Errorf("%s is not unmapped", client)
		}
	})
}

func balancedBy(prefixes ...string) option {
	return func(c *Config, l *limits) {
		trusting(prefixes...)(c, l)
		c.Balancers, c.TrustedProxies = c.TrustedProxies, nil
	}
}

func (e *edge) announced(t *testing.T, header string) net.Conn {
	t.Helper()
	conn := dial(t, e.secure)
	if _, err := io.WriteString(conn, header); err != nil {
		t.Fatal(err)
	}
	return tls.Client(conn, &tls.Config{RootCAs: e.roots, ServerName: testZone})
}

func TestBalancersAnnounceTheirClients(t *testing.T) {
	e := startEdge(t, balancedBy("127.0.0.1/32"), withPanel(describes))
	e.publish(site("hello", startInstance(t, describes).addr))
	for header, want := range map[string]string{
		"PROXY TCP4 198.51.100.7 127.0.0.1 4711 443\r\n": "198.51.100.7",
		v2(0x21, 0x21, ends6):                            "2001:db8::7",
		v2(0x20, 0x00, ""):                               "127.0.0.1",
		"PROXY UNKNOWN\r\n":                              "127.0.0.1",
	} {
		for host, says := range map[string]string{"hello": "127.0.0.1 " + want + " https", "panel": want + "  "} {
			conn := e.announced(t, header)
			if got := raw(t, conn, "GET / HTTP/1.1", "Host: "+host+".berth.test", "X-Forwarded-For: 192.0.2.1"); got.body != says {
				t.Errorf("%q: got %q, want %q", header, got.body, says)
			}
			conn.Close()
		}
	}
	plain := dial(t, e.plain)
	io.WriteString(plain, "PROXY TCP4 198.51.100.7 127.0.0.1 4711 80\r\n")
	if got := raw(t, plain, "GET / HTTP/1.1", "Host: hello.berth.test"); got.StatusCode != 308 {
		t.Errorf("without TLS: got %d", got.StatusCode)
	}
}

// The header is required of balancers and means nothing from others.
func TestAnnouncementsOfTheWrongKind(t *testing.T) {
	e := startEdge(t, balancedBy("127.0.0.1/32"), withLimits(func(l *limits) { l.header = 4 * time.Second }))
	for name, header := range map[string]string{"none": "", "another": "HELLO TCP4 198.51.100.7\r\n", "half of one": "PROXY TCP4 198"} {
		conn := dial(t, e.secure)
		io.WriteString(conn, header)
		if name == "none" {
			_ = tls.Client(conn, &tls.Config{RootCAs: e.roots, ServerName: testZone}).HandshakeContext(t.Context())
		}
		untilClosed(t, conn)
	}
	if log := e.logged.String(); strings.Count(log, "does not begin") != 1 || !strings.Contains(log, "balancer=127.0.0.1:") {
		t.Errorf("logged: %s", log)
	}
	stranger := dialFrom(t, "127.0.0.2", e.secure)
	io.WriteString(stranger, "PROXY TCP4 198.51.100.7 127.0.0.1 4711 443\r\n")
	untilClosed(t, stranger)
	if got := raw(t, e.dialTLSFrom(t, "127.0.0.2"), "GET / HTTP/1.1", "Host: panel.berth.test"); got.body != "panel" {
		t.Errorf("got %q", got.body)
	}
}

// The gate counts clients, not the balancer that they all come by.
func TestBalancersAreNotCounted(t *testing.T) {
	e := startEdge(t, balancedBy("127.0.0.1/32"), withDescriptors(descriptors{clients: 100, perClient: 1, instances: 8, perInstance: 8, files: 8}))
	var conns []net.Conn
	for _, client := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3"} {
		conn := e.announced(t, "PROXY TCP4 "+client+" 127.0.0.1 4711 443\r\n")
		raw(t, conn, "GET / HTTP/1.1", "Host: panel.berth.test")
		conns = append(conns, conn)
	}
	if n := e.connections(); n != 3 {
		t.Errorf("%d connections count", n)
	}
	eventually(t, "all wait", func() bool { return e.waiting() == 3 })
	raw(t, e.announced(t, "PROXY TCP4 198.51.100.2 127.0.0.1 4712 443\r\n"), "GET / HTTP/1.1", "Host: panel.berth.test")
	untilClosed(t, conns[1])
	for _, kept := range []net.Conn{conns[0], conns[2]} {
		if got := raw(t, kept, "GET / HTTP/1.1", "Host: panel.berth.test"); got.body != "panel" {
			t.Errorf("got %q", got.body)
		}
	}
}

func TestShutdownWithAnnouncementsToCome(t *testing.T) {
	e := startEdge(t, balancedBy("127.0.0.0/8"))
	silent := dial(t, e.secure)
	e.stop()
	if err := receive(t, "the end of Serve", e.ended); err != nil {
		t.Error(err)
	}
	e.ended <- nil // for the cleanup
	untilClosed(t, silent)
}

package dnsserver

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// asking makes a query with options, each as "code hex".
func asking(what string, options ...string) *dns.Msg {
	return withEDNS(what, func(o *dns.OPT) {
		for _, text := range options {
			var code uint16
			var data []byte
			if n, _ := fmt.Sscanf(text, "%d %x", &code, &data); n == 0 {
				panic(text)
			}
			o.Option = append(o.Option, &dns.EDNS0_LOCAL{Code: code, Data: data})
		}
	})
}

const (
	optNSID      = "3"
	optSubnet    = "8 0001000000"
	optExpire    = "9"
	optCookie    = "10 0102030405060708"
	optKeepalive = "11"
	optPadding   = "12 0000"
)

// optionsOf is the options of an answer, each as its name and value.
func optionsOf(m *dns.Msg) string {
	var texts []string
	opt := m.IsEdns0()
	if opt == nil {
		return "no EDNS"
	}
	for _, o := range opt.Option {
		switch o := o.(type) {
		case *dns.EDNS0_NSID:
			text, _ := hex.DecodeString(o.Nsid)
			texts = append(texts, "nsid "+string(text))
		case *dns.EDNS0_COOKIE:
			texts = append(texts, fmt.Sprintf("cookie of %d", len(o.Cookie)/2))
		case *dns.EDNS0_EXPIRE:
			texts = append(texts, fmt.Sprint("expire ", o.Expire))
		case *dns.EDNS0_TCP_KEEPALIVE:
			texts = append(texts, fmt.Sprint("keepalive ", o.Timeout))
		case *dns.EDNS0_PADDING:
			texts = append(texts, "padding")
		case *dns.EDNS0_EDE:
			texts = append(texts, fmt.Sprint("explanation ", o.InfoCode))
		default:
			texts = append(texts, fmt.Sprint("option ", o.Option()))
		}
	}
	return strings.Join(texts, ", ")
}

func TestOptions(t *testing.T) {
	cfg := testConfig()
	cfg.NSID = "ns1 in Oslo"
	s := newServer(t, cfg)
	ch := full(7, "hello")
	ch.Zones = []sites.PublishedZone{{Zone: sites.Zone{ID: 9, Name: "copy.test", Kind: sites.ZoneSecondary}}}
	s.Apply(ch)
	bare := question("example.test SOA")
	bare.Question = nil
	greeting := func(options ...string) *dns.Msg {
		q := asking("example.test SOA", options...)
		q.Question = nil
		return q
	}
	const soa = "example.test SOA"
	for _, c := range []struct {
		name, rcode, want string
		query             *dns.Msg
		via               transport
	}{
		{"none", "NOERROR", "", asking(soa), overUDP},
		{"no EDNS", "NOERROR", "no EDNS", question(soa), overUDP},
		{"NSID", "NOERROR", "nsid ns1 in Oslo", asking(soa, optNSID), overUDP},
		{"client cookie", "NOERROR", "cookie of 24", asking(soa, optCookie), overUDP},
		{"client cookie, name error", "NXDOMAIN", "cookie of 24", asking("missing.example.test A", optCookie), overUDP},
		{"cookie of another server", "NOERROR", "cookie of 24", asking(soa, optCookie+strings.Repeat("ab", 8)), overUDP},
		{"long cookie of another server", "NOERROR", "cookie of 24", asking(soa, optCookie+strings.Repeat("ab", 32)), overUDP},
		{"two cookies", "NOERROR", "cookie of 24", asking(soa, optCookie, optCookie), overUDP},
		{"cookie of no length", "FORMERR", "", asking(soa, "10"), overUDP},
		{"cookie too short", "FORMERR", "", asking(soa, "10 01020304050607"), overUDP},
		{"cookie between the lengths", "FORMERR", "", asking(soa, optCookie+"ababababababab"), overUDP},
		{"cookie too long", "FORMERR", "", asking(soa, optCookie+strings.Repeat("ab", 33)), overUDP},
		{"cookie and no question", "NOERROR", "cookie of 24", greeting(optCookie), overUDP},
		{"no cookie and no question", "FORMERR", "nsid ns1 in Oslo", greeting(optNSID), overUDP},
		{"nothing at all", "FORMERR", "no EDNS", bare, overUDP},
		{"keepalive over UDP", "NOERROR", "", asking(soa, optKeepalive), overUDP},
		{"keepalive over TCP", "NOERROR", "keepalive 100", asking(soa, optKeepalive), overTCP},
		{"keepalive with a time", "FORMERR", "keepalive 100", asking(soa, optKeepalive+" 0064"), overTCP},
		{"padding over UDP", "NOERROR", "", asking(soa, optPadding), overUDP},
		{"padding over TCP", "NOERROR", "", asking(soa, optPadding), overTCP},
		{"padding over TLS", "NOERROR", "padding", asking(soa, optPadding), overTLS},
		{"no padding asked for", "NOERROR", "", asking(soa), overTLS},
		{"expire", "NOERROR", "expire 604800", asking(soa, optExpire), overUDP},
		{"expire of no zone", "NOERROR", "", asking("hello.example.test A", optExpire), overUDP},
		{"client subnet", "NOERROR", "", asking(soa, optSubnet), overUDP},
		{"all at once", "NOERROR", "cookie of 24, nsid ns1 in Oslo, expire 604800", asking(soa, optNSID, optSubnet, optExpire, optCookie), overUDP},
		{"another zone", "REFUSED", "explanation 20", asking("elsewhere.test A"), overUDP},
		{"another zone, no EDNS", "REFUSED", "no EDNS", question("elsewhere.test A"), overUDP},
		{"a zone that is not known yet", "SERVFAIL", "explanation 14", asking("copy.test SOA"), overUDP},
		{"another version", "BADVERS", "", withVersion(asking(soa, optNSID, optCookie)), overUDP},
		{"another version, faulty cookie", "BADVERS", "", withVersion(asking(soa, "10 01")), overUDP},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := direct(t, s, c.query, c.via)
			if got := rcodeName(m.Rcode); got != c.rcode {
				t.Errorf("%s, want %s", got, c.rcode)
			}
			if got := optionsOf(m); got != c.want {
				t.Errorf("options %q, want %q", got, c.want)
			}
			if m.Rcode != dns.RcodeSuccess && len(m.Answer) > 0 {
				t.Errorf("answered %v", m)
			}
		})
	}
}

func withVersion(q *dns.Msg) *dns.Msg {
	q.IsEdns0().SetVersion(1)
	return q
}

// Messages over TLS are padded to blocks of 468 bytes (RFC 8467), whatever is in them.
func TestPaddingFillsBlocks(t *testing.T) {
	s := populated(t)
	for _, ask := range []string{"example.test SOA", "example.test NS", "missing.example.test A", "hello.example.test MX", "elsewhere.test A"} {
		for _, options := range [][]string{{optPadding}, {optPadding, optCookie, optNSID}} {
			out := s.newResponder().respond(nil, pack(t, asking(ask, options...)), overTLS, testClient)
			if len(out)%padBlock != 0 {
				t.Errorf("%s: %d bytes", ask, len(out))
			}
			var m dns.Msg
			if err := m.Unpack(out); err != nil {
				t.Errorf("%s: %v", ask, err)
			}
		}
	}
	long := bulky(t, 100)
	out := long.newResponder().respond(nil, pack(t, asking("bulk.example.test TXT", optPadding)), overTLS, testClient)
	if len(out)%padBlock != 0 || len(out) < 5*padBlock {
		t.Errorf("%d bytes", len(out))
	}
}

// A cookie that has come back is as good as an address that is proven, and is given back while it is young.
func TestCookiesAreGivenBack(t *testing.T) {
	s := populated(t)
	first := cookieIn(t, direct(t, s, asking("example.test SOA", optCookie), overUDP))
	again := asking("example.test SOA", "10 "+first)
	if second := cookieIn(t, direct(t, s, again, overUDP)); second != first {
		t.Errorf("cookie %s became %s", first, second)
	}
	if stats := s.Stats(); stats.ValidCookies != 1 || stats.BadCookies != 0 {
		t.Errorf("%+v", stats)
	}
	from := netip.MustParseAddrPort("203.0.113.8:4242")
	m := new(dns.Msg)
	if err := m.Unpack(s.newResponder().respond(nil, pack(t, again), overUDP, from)); err != nil {
		t.Fatal(err)
	}
	if cookieIn(t, m) == first || m.Rcode != dns.RcodeSuccess || s.Stats().BadCookies != 1 {
		t.Errorf("from another address: %v", m)
	}
}

func cookieIn(t testing.TB, m *dns.Msg) string {
	t.Helper()
	for _, o := range m.IsEdns0().Option {
		if c, ok := o.(*dns.EDNS0_COOKIE); ok {
			return c.Cookie
		}
	}
	t.Fatalf("no cookie in %v", m)
	return ""
}

func TestQueryLog(t *testing.T) {
	r := start(t, populated(t))
	ctx, stop := contextOf(t)
	lines := r.WatchQueries(ctx, "Hello.example.test.")
	all := r.WatchQueries(ctx, "")
	exchange(t, "udp", r.udp4, question("shop.example.test A"))
	exchange(t, "udp", r.udp4, question("heLLo.example.test MX"))
	exchange(t, "tcp", r.tcp4, question("x.hello.example.test TYPE1000"))
	exchange(t, "tcp", r.tcp4, question("elsewhere.test A"))
	var got []string
	for range 2 {
		line := <-lines
		if line.Client != netip.MustParseAddr("127.0.0.1") || time.Since(line.At) > time.Minute || line.Limited {
			t.Errorf("%+v", line)
		}
		got = append(got, strings.Join([]string{line.Transport, line.Name, line.Type, line.Rcode}, " "))
	}
	if want := []string{"UDP heLLo.example.test. MX NOERROR", "TCP x.hello.example.test. TYPE1000 NXDOMAIN"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for range 4 {
		<-all
	}
	stop()
	if line, open := <-lines; open {
		t.Errorf("another line: %+v", line)
	}
	eventually(t, "nobody watches", func() bool { return r.queries.watchers.Load() == nil })
}

// Who does not read the log holds up nobody.
func TestQueryLogIsBounded(t *testing.T) {
	s := populated(t)
	ctx, _ := contextOf(t)
	lines := s.WatchQueries(ctx, "example.test")
	for range 2 * watchedLines {
		direct(t, s, question("example.test SOA"), overUDP)
	}
	if len(lines) != watchedLines {
		t.Errorf("%d lines wait", len(lines))
	}
}

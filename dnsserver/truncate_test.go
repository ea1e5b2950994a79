package dnsserver

import (
	"fmt"
	"strings"
	"testing"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

// bulky has sets of records of about 40 bytes each, n of them.
func bulky(t testing.TB, n int) *Server {
	s := newServer(t, testConfig())
	ch := full(7, "hello")
	texts := sites.RRSet{Name: "bulk.example.test", Type: "TXT", TTL: 60}
	mail := sites.RRSet{Name: "mail.example.test", Type: "MX", TTL: 60}
	nameservers := sites.RRSet{Name: "child.example.test", Type: "NS", TTL: 60}
	for i := range n {
		texts.Data = append(texts.Data, fmt.Sprintf("%q", fmt.Sprintf("%027d", i)))
		host := fmt.Sprintf("mx%d.example.test", i)
		mail.Data = append(mail.Data, "10 "+host+".")
		ch.RRSets = append(ch.RRSets, sites.RRSet{Name: host, Type: "AAAA", TTL: 60, Data: []string{"2001:db8::2"}})
		glue := fmt.Sprintf("ns%d.child.example.test", i)
		nameservers.Data = append(nameservers.Data, glue+".")
		ch.RRSets = append(ch.RRSets, sites.RRSet{Name: glue, Type: "AAAA", TTL: 60, Data: []string{"2001:db8::3"}})
	}
	ch.RRSets = append(ch.RRSets, texts, mail, nameservers)
	s.Apply(ch)
	return s
}

func withSize(ask string, size uint16) *dns.Msg {
	q := question(ask)
	if size > 0 {
		q.SetEdns0(size, true)
	}
	return q
}

func TestTruncation(t *testing.T) {
	for _, c := range []struct {
		records  int
		ask      string
		size     uint16 // 0: no EDNS
		limit    int
		complete bool
	}{
		{11, "bulk.example.test TXT", 0, 512, true}, // 12 + 23 + 11 × 40 = 475
		{12, "bulk.example.test TXT", 0, 512, false},
		{11, "bulk.example.test TXT", 512, 512, true}, // 486 with OPT
		{11, "bulk.example.test TXT", 1, 512, true},   // sizes below 512 mean 512 (RFC 6891 section 6.2.3)
		{12, "bulk.example.test TXT", 600, 600, true},
		{13, "bulk.example.test TXT", 566, 566, true}, // 12 + 23 + 13 × 40 + 11
		{13, "bulk.example.test TXT", 565, 565, false},
		{29, "bulk.example.test TXT", 1232, 1232, true}, // 1206
		{30, "bulk.example.test TXT", 1232, 1232, false},
		{30, "bulk.example.test TXT", 4096, 1232, false}, // no answer leaves that a network would fragment
		{30, "bulk.example.test TXT", 65535, 1232, false},
		{12, "child.example.test A", 0, 512, false}, // glue must be whole (RFC 9471)
		{10, "child.example.test A", 1232, 1232, true},
		{30, "child.example.test A", 1232, 1232, false},
	} {
		t.Run(fmt.Sprint(c.ask, c.records, " in ", c.size), func(t *testing.T) {
			s := bulky(t, c.records)
			q := withSize(c.ask, c.size)
			out := s.newResponder().respond(nil, pack(t, q), overUDP, testClient)
			m := new(dns.Msg)
			if err := m.Unpack(out); err != nil {
				t.Fatal(err)
			}
			if len(out) > c.limit {
				t.Errorf("%d bytes", len(out))
			}
			if m.Truncated == c.complete {
				t.Errorf("TC is %v with %d bytes", m.Truncated, len(out))
			}
			if records := len(m.Answer) + len(m.Ns); c.complete && records != c.records || !c.complete && records != 0 {
				t.Errorf("%d records", records)
			}
			if (m.IsEdns0() != nil) != (c.size > 0) || len(m.Question) != 1 {
				t.Errorf("question or OPT is missing: %v", m)
			}
			whole := direct(t, s, q, overTCP)
			if records := len(whole.Answer) + len(whole.Ns); whole.Truncated || records != c.records {
				t.Errorf("over TCP: TC is %v, %d records", whole.Truncated, records)
			}
		})
	}
}

// What is merely additional is left out without TC.
func TestAdditionalIsLeftOut(t *testing.T) {
	s := bulky(t, 12)
	m := direct(t, s, question("mail.example.test MX"), overUDP)
	if m.Truncated || len(m.Answer) != 12 || len(m.Extra) == 0 || len(m.Extra) >= 12 {
		t.Errorf("TC is %v, %d answers, %d additional", m.Truncated, len(m.Answer), len(m.Extra))
	}
	if m = direct(t, s, question("mail.example.test MX"), overTCP); len(m.Extra) != 12 {
		t.Errorf("%d additional over TCP", len(m.Extra))
	}
}

// huge has sets whose answers leave the reach of pointers (16 KiB) and of TCP (64 KiB).
func huge(t testing.TB) *Server {
	s := newServer(t, testConfig())
	ch := full(7)
	mail := sites.RRSet{Name: "mail.example.test", Type: "MX", TTL: 60}
	long := sites.RRSet{Name: "long.example.test", Type: "TXT", TTL: 60}
	tooLong := sites.RRSet{Name: "toolong.example.test", Type: "TXT", TTL: 60}
	for i := range zone.MaxRecords {
		host := fmt.Sprintf("%s.%s.mx%d.example.test", strings.Repeat("a", 63), strings.Repeat("b", 63), i)
		host = strings.Repeat("c", 63) + "." + host
		mail.Data = append(mail.Data, "10 "+host+".")
		ch.RRSets = append(ch.RRSets, sites.RRSet{Name: host, Type: "AAAA", TTL: 60, Data: []string{"2001:db8::2"}})
		text := fmt.Sprintf(" %q %q", fmt.Sprintf("%0200d", i), fmt.Sprintf("%0200d", i))
		long.Data = append(long.Data, text)
		tooLong.Data = append(tooLong.Data, text+text)
	}
	ch.RRSets = append(ch.RRSets, mail, long, tooLong)
	s.Apply(ch)
	return s
}

func TestHugeAnswers(t *testing.T) {
	s := huge(t)
	m := direct(t, s, question("mail.example.test MX"), overTCP)
	if m.Truncated || len(m.Answer) != zone.MaxRecords || len(m.Extra) != zone.MaxRecords {
		t.Fatalf("TC is %v, %d answers, %d additional", m.Truncated, len(m.Answer), len(m.Extra))
	}
	for i, rr := range m.Answer {
		if got, want := m.Extra[i].Header().Name, rr.(*dns.MX).Mx; got != want {
			t.Fatalf("additional %d is %q, want %q", i, got, want)
		}
	}
	if m = direct(t, s, question("long.example.test TXT"), overTCP); m.Truncated || len(m.Answer) != zone.MaxRecords {
		t.Errorf("TC is %v with %d answers", m.Truncated, len(m.Answer))
	}
	if m = direct(t, s, question("toolong.example.test TXT"), overTCP); !m.Truncated || len(m.Answer) != 0 {
		t.Errorf("TC is %v with %d answers", m.Truncated, len(m.Answer))
	}
}

// A client that asks over UDP first gets everything over TCP.
func TestTruncatedIsAskedAgain(t *testing.T) {
	r := start(t, bulky(t, 100))
	m := exchange(t, "udp", r.udp4, withSize("bulk.example.test TXT", 4096))
	if !m.Truncated {
		t.Fatal("not truncated")
	}
	if m = exchange(t, "tcp", r.tcp4, withSize("bulk.example.test TXT", 4096)); m.Truncated || len(m.Answer) != 100 {
		t.Errorf("TC is %v with %d answers", m.Truncated, len(m.Answer))
	}
	if r.Stats().Truncated != 1 {
		t.Errorf("counted %d", r.Stats().Truncated)
	}
}

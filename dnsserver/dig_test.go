package dnsserver

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"berth/dnsserver/dnstest"
)

// dig's own view of the server: what it prints, over every transport, with warnings counted as faults.
func TestDig(t *testing.T) {
	path := dnstest.Need(t, "dig")
	r := start(t, populated(t))
	for _, via := range []struct {
		name, addr string
		args       []string
	}{
		{"UDP over IPv4", r.udp4, []string{"+notcp"}},
		{"UDP over IPv6", r.udp6, []string{"+notcp"}},
		{"TCP over IPv4", r.tcp4, []string{"+tcp"}},
		{"TCP over IPv6", r.tcp6, []string{"+tcp"}},
	} {
		t.Run(via.name, func(t *testing.T) {
			if via.addr == "" {
				t.Skip("no IPv6 on this machine")
			}
			host, port, err := net.SplitHostPort(via.addr)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range digs {
				t.Run(c.args, func(t *testing.T) {
					args := append([]string{"@" + host, "-p", port, "+norec", "+tries=1", "+time=5"}, via.args...)
					out, err := exec.Command(path, append(args, strings.Fields(c.args)...)...).CombinedOutput()
					if err != nil {
						t.Fatalf("dig: %v\n%s", err, out)
					}
					checkDig(t, string(out), c.want, c.not)
				})
			}
		})
	}
}

func checkDig(t *testing.T, out string, want, not []string) {
	t.Helper()
	for _, line := range append([]string{"WARNING", "Warning", "malformed", "mismatch", "extra bytes"}, not...) {
		if strings.Contains(out, line) {
			t.Errorf("%q in\n%s", line, out)
		}
	}
	plain := strings.Join(strings.Fields(out), " ")
	for _, line := range want {
		if !strings.Contains(plain, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

var digs = []struct {
	args      string
	want, not []string
}{
	{args: "hello.example.test A", want: []string{
		"status: NOERROR", "flags: qr aa;", "ANSWER: 1", "hello.example.test. 300 IN A 192.0.2.1", "EDNS: version: 0, flags:; udp: 1232",
	}},
	{args: "hello.example.test AAAA", want: []string{"hello.example.test. 300 IN AAAA 2001:db8::1"}},
	{args: "missing.example.test A", want: []string{"status: NXDOMAIN", "flags: qr aa;", "AUTHORITY: 1", "example.test. 60 IN SOA"}},
	{args: "dns.example.test A", want: []string{"status: NOERROR", "ANSWER: 0", "AUTHORITY: 1", "example.test. 60 IN SOA"}},
	{args: "example.test NS", want: []string{"ANSWER: 3", "ADDITIONAL: 5", "ns1.example.test. 3600 IN A 192.0.2.1"}},
	{args: "_acme-challenge.shop.example.test TXT", want: []string{`0 IN TXT "token"`}},
	{args: "host.child.example.test A", want: []string{"flags: qr;", "AUTHORITY: 3", "ns.child.example.test. 900 IN A 198.51.100.53"}},
	{args: "elsewhere.test A", want: []string{"status: REFUSED", "flags: qr;"}},
	{args: "version.bind CH TXT", want: []string{"status: REFUSED"}},
	// The list of RFC 8906 section 8.
	{args: "+noedns +noad example.test SOA", want: []string{"status: NOERROR", "flags: qr aa;", "ANSWER: 1"}, not: []string{"OPT PSEUDOSECTION"}},
	{args: "+noedns +noad example.test TYPE1000", want: []string{"status: NOERROR", "flags: qr aa;", "ANSWER: 0", "AUTHORITY: 1"}},
	{args: "+noedns +ad example.test SOA", want: []string{"status: NOERROR", "flags: qr aa;"}},
	{args: "+noedns +noad +cd example.test SOA", want: []string{"status: NOERROR", "flags: qr aa cd;"}},
	{args: "+noedns +noad +zflag example.test SOA", want: []string{"status: NOERROR", "flags: qr aa;"}, not: []string{"MBZ"}},
	{args: "+noedns +noad +opcode=15 +header-only", want: []string{"opcode: RESERVED15, status: NOTIMP", "flags: qr;"}},
	{args: "+edns=0 +nocookie +noad example.test SOA", want: []string{"status: NOERROR", "EDNS: version: 0"}},
	{args: "+edns=1 +noednsneg +nocookie +noad example.test SOA", want: []string{"status: BADVERS", "EDNS: version: 0"}, not: []string{"IN\tSOA\tns1"}},
	{args: "+edns=0 +nocookie +noad +ednsopt=100 example.test SOA", want: []string{"status: NOERROR", "EDNS: version: 0"}, not: []string{"OPT=100"}},
	{args: "+edns=0 +nocookie +noad +ednsflags=0x40 example.test SOA", want: []string{"status: NOERROR", "EDNS: version: 0, flags:;"}, not: []string{"MBZ"}},
	{args: "+edns=0 +nocookie +noad +dnssec example.test SOA", want: []string{"status: NOERROR", "EDNS: version: 0, flags: do;"}},
	{args: "+edns=1 +noednsneg +nocookie +noad +ednsopt=100 example.test SOA", want: []string{"status: BADVERS"}, not: []string{"OPT=100"}},
	{args: "+edns=0 +nocookie +noad +subnet=0.0.0.0/0 example.test SOA", want: []string{"status: NOERROR", "EDNS: version: 0"}},
	{args: "+edns=0 +cookie +nsid +expire +noad example.test SOA", want: []string{"status: NOERROR", "ANSWER: 1"}},
	{args: "+bufsize=512 +dnssec +ignore example.test DNSKEY", want: []string{"status: NOERROR", "ANSWER: 0"}},
}

// dig falls back to TCP by itself when an answer is truncated.
func TestDigFallsBackToTCP(t *testing.T) {
	path := dnstest.Need(t, "dig")
	s := bulky(t, 100)
	// The same port for both transports, as in life.
	udp, tcp := samePort(t)
	serveOn(t, s, udp, tcp)
	_, port, err := net.SplitHostPort(tcp[0].Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "@127.0.0.1", "-p", port, "+norec", "bulk.example.test", "TXT").CombinedOutput()
	if err != nil {
		t.Fatalf("dig: %v\n%s", err, out)
	}
	checkDig(t, string(out), []string{"Truncated, retrying in TCP mode", "ANSWER: 100", "flags: qr aa;"}, nil)
}

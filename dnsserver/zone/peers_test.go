package zone

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
	"berth/sites"

	"github.com/miekg/dns"
)

// trickyZone has one of everything that makes answers hard.
const trickyZone = `$ORIGIN example.test.
$TTL 300
@ 3600 SOA ns1 admin 10 3600 600 86400 120
@ 3600 NS ns1
@ 3600 NS ns.elsewhere.test.
@ MX 10 mail
@ MX 20 host.secure
@ CAA 0 issue "ca.test"
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
mail A 192.0.2.2
www A 192.0.2.3
www TXT "one" "two"
UpperCase A 192.0.2.4
a.b.c TXT deep
_sip._tcp SRV 1 2 5060 mail
svc HTTPS 1 www alpn=h2
svc1 HTTPS 1 svc alpn=h2
svc0 HTTPS 0 svc
svc00 HTTPS 0 svc0
svcn HTTPS 0 missing
svcc HTTPS 0 host.secure
svca HTTPS 0 alias
_443._tcp.www TLSA 3 1 1 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
unknown TYPE65400 \# 4 01020304
a\.b TXT dotted
\000.z TXT zero
\001.z TXT one
\200.z TXT high
z A 192.0.2.8
*.z.z TXT star
*.wild A 192.0.2.9
*.wild TXT wild
*.wild MX 5 mail
x.wild AAAA 2001:db8::2
y.ent.wild A 192.0.2.10
a.*.entwild TXT deep
*.cwild CNAME www
*.cloop CNAME x.cloop
*.dwild CNAME host.secure
*.nwild CNAME missing
*.wwild CNAME foo.wild
alias CNAME www
chain CNAME alias
away CNAME www.elsewhere.test.
nowhere CNAME missing
nodata CNAME b.c
loop1 CNAME loop2
loop2 CNAME loop1
into CNAME x.insecure
intosecure CNAME x.secure
intowild CNAME foo.wild
intowildalias CNAME foo.cwild
intodn CNAME host.dn
atcut CNAME insecure
secure NS ns.secure
secure NS ns.elsewhere.test.
secure DS 12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
ns.secure A 192.0.2.11
ns.secure AAAA 2001:db8::11
host.secure A 192.0.2.12
insecure NS ns.sub.insecure
insecure NS ns1
ns.sub.insecure A 192.0.2.13
d1.onlycuts NS ns1
d2.x.onlycuts NS ns.d2.x.onlycuts
ns.d2.x.onlycuts A 192.0.2.14
insecurf A 192.0.2.15
target A 192.0.2.16
host.target A 192.0.2.17
*.wild.target A 192.0.2.18
cut.target NS ns1
dn DNAME target
dn A 192.0.2.19
dnout DNAME elsewhere.test.
dnlong DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
`

// signZone signs a zone with Debian's dnssec-signzone and returns the content.
func signZone(t testing.TB, zone string, flags ...string) string {
	t.Helper()
	keygen, signzone := dnstest.Need(t, "dnssec-keygen"), dnstest.Need(t, "dnssec-signzone")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "zone"), []byte(zone), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(name string, args ...string) {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	run(keygen, "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "example.test")
	run(keygen, "-q", "-a", "ECDSAP256SHA256", "example.test")
	run(signzone, append(append([]string{"-q", "-S", "-o", "example.test", "-O", "full", "-f", "signed"}, flags...), "zone")...)
	text, err := os.ReadFile(filepath.Join(dir, "signed"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var signings = []struct {
	name  string
	flags []string
}{
	{"NSEC", nil},
	{"NSEC3", []string{"-3", "-", "-H", "0"}},
	{"NSEC3 with salt and iterations", []string{"-3", "aabbccdd", "-H", "5"}},
	{"NSEC3 with opt-out", []string{"-3", "-", "-H", "0", "-A"}},
}

// served are zones with the content of trickyZone: secondary ones that BIND has signed in each way, and one that is signed
// here.
func served(t testing.TB) map[string]*Zone {
	zones := map[string]*Zone{"signed here": signedHere(t)}
	for _, signing := range signings {
		zones[signing.name] = newSecondary(t, "example.test", signZone(t, trickyZone, signing.flags...))
	}
	return zones
}

// signedHere enters what can be entered.
func signedHere(t testing.TB) *Zone {
	t.Helper()
	z := newSignedZone(t, &clock{time.Now()}, "hello", "shop")
	sets := map[string]*sites.RRSet{}
	for _, rr := range records(t, trickyZone) {
		h := rr.Header()
		if h.Rrtype == dns.TypeSOA || h.Rrtype == dns.TypeDNAME || h.Rrtype > dns.TypeCAA || h.Rrtype == dns.TypeNS && h.Name == "example.test." {
			continue
		}
		key := h.Name + dns.TypeToString[h.Rrtype]
		if sets[key] == nil {
			sets[key] = &sites.RRSet{Name: h.Name, Type: dns.TypeToString[h.Rrtype], TTL: h.Ttl}
		}
		sets[key].Data = append(sets[key].Data, strings.TrimPrefix(rr.String(), h.String()))
	}
	ch := sites.Change{Revision: 10}
	for _, set := range sets {
		ch.RRSets = append(ch.RRSets, *set)
	}
	z.Apply(ch)
	return z
}

// message is the reply to a question as a message of the library.
func message(t testing.TB, z *Zone, question dns.Question, do bool) *dns.Msg {
	t.Helper()
	wire, err := PackName(question.Name)
	if err != nil {
		t.Fatal(err)
	}
	key, _ := z.AppendKey(nil, []byte(wire))
	var r Reply
	z.Current().Lookup(&r, key, question.Qtype, do)
	m := new(dns.Msg)
	m.Question = []dns.Question{question}
	m.Response, m.Authoritative, m.Rcode = true, r.Authoritative, r.Rcode
	m.Answer, m.Ns, m.Extra = unpack(t, r.Answer), unpack(t, r.Authority), unpack(t, r.Additional)
	if do {
		m.SetEdns0(4096, true)
	}
	return m
}

func unpack(t testing.TB, section []Placed) (rrs []dns.RR) {
	t.Helper()
	add := func(p Placed, rrtype uint16, data []byte) {
		wire := binary.BigEndian.AppendUint16([]byte(p.Owner), rrtype)
		wire = binary.BigEndian.AppendUint16(wire, dns.ClassINET)
		wire = binary.BigEndian.AppendUint32(wire, p.Set.TTL)
		wire = append(binary.BigEndian.AppendUint16(wire, uint16(len(data))), data...)
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	for _, p := range section {
		for i := range p.Set.Records {
			add(p, p.Set.Type, p.Set.Records[i].AppendData(nil))
		}
		for data := range split(p.Signatures) {
			add(p, dns.TypeRRSIG, data)
		}
	}
	return rrs
}

// questionsAbout asks about every name of a zone, those around it, and all types.
func questionsAbout(rrs []dns.RR) []dns.Question {
	names := map[string]bool{}
	for _, rr := range rrs {
		host := strings.ToLower(rr.Header().Name)
		if covered(rr) == dns.TypeNSEC3 {
			continue
		}
		for _, prefix := range []string{"", "x.", "*.", "0.", "zz.", `\255.`, "host.", "x.y.", "a.*.", "www."} {
			names[prefix+host] = true
		}
		for at, end := dns.NextLabel(host, 0); !end && strings.HasSuffix(host[at:], "example.test."); at, end = dns.NextLabel(host, at) {
			names[host[at:]] = true
		}
		if host != "example.test." {
			first, rest, _ := strings.Cut(host, ".")
			if !strings.Contains(first, `\`) {
				for _, label := range []string{first + "0", first + "-x", first + `\000`, first[:len(first)-1], first + `\.x`} {
					if len(label) > 0 {
						names[label+"."+rest] = true
					}
				}
			}
		}
	}
	names[strings.Repeat("abcdefghijklmnopqrstuvwxyz.", 4)+"dnlong.example.test."] = true
	var questions []dns.Question
	for host := range names {
		if _, ok := dns.IsDomainName(host); !ok {
			continue
		}
		for _, rrtype := range []uint16{
			dns.TypeA, dns.TypeNS, dns.TypeCNAME, dns.TypeSOA, dns.TypeMX, dns.TypeTXT, dns.TypeAAAA, dns.TypeDS,
			dns.TypeNSEC, dns.TypeDNSKEY, dns.TypeDNAME, dns.TypeNSEC3PARAM, dns.TypeSRV, dns.TypeHTTPS, dns.TypeTLSA, dns.TypeCAA, 65400,
		} {
			questions = append(questions, dns.Question{Name: host, Qtype: rrtype, Qclass: dns.ClassINET})
		}
	}
	slices.SortFunc(questions, func(a, b dns.Question) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return int(a.Qtype) - int(b.Qtype)
	})
	return questions
}

package zonefile

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"berth/sites"

	"github.com/miekg/dns"
)

func hexDigits(n int) string { return strings.Repeat("aB", n/2) }

// What people enter, and what becomes of it: canonical data that an edit form can show and take again.
func TestRecordIsCanonical(t *testing.T) {
	upper := strings.ToUpper
	for _, c := range []struct{ name, rrtype, data, want, target string }{
		{"WWW.Example.org.", "a", " 192.0.2.10 ", "192.0.2.10", ""},
		{"*.example.org", "A", "192.0.2.10", "192.0.2.10", ""},
		{"example.org", "AAAA", "2001:DB8:0:0::10", "2001:db8::10", ""},
		{"example.org", "AAAA", "::ffff:192.0.2.1", "::ffff:192.0.2.1", ""},
		{"bücher.example.org", "A", "192.0.2.10", "192.0.2.10", ""},
		{"www.example.org", "CNAME", "Shop.Example.net", "shop.example.net.", "shop.example.net"},
		{"s1._domainkey.example.org", "CNAME", "s1._domainkey.mailer.example.", "s1._domainkey.mailer.example.", "s1._domainkey.mailer.example"},
		{"example.org", "CNAME", "bücher.example", "xn--bcher-kva.example.", "xn--bcher-kva.example"},
		{"example.org", "MX", "010   Mail.Example.org", "10 mail.example.org.", "mail.example.org"},
		{"example.org", "MX", "0 .", "0 .", ""},
		{"example.org", "NS", "ns1.example.net", "ns1.example.net.", "ns1.example.net"},
		{"_sip._tcp.example.org", "SRV", "0 5 5060 SIP.example.org", "0 5 5060 sip.example.org.", "sip.example.org"},
		{"_imap._tcp.example.org", "SRV", "0 0 0 .", "0 0 0 .", ""},
		{"_ldap._tcp.dc._msdcs.example.org", "SRV", "0 100 389 dc1.example.org", "0 100 389 dc1.example.org.", "dc1.example.org"},
		{"10.2.0.192.in-addr.arpa", "PTR", "host.example.org", "host.example.org.", "host.example.org"},
		{"_http._tcp.example.org", "PTR", "web._http._tcp.example.org", "web._http._tcp.example.org.", "web._http._tcp.example.org"},
		{"example.org", "DS", "12345 13 2 " + hexDigits(32) + " " + hexDigits(32), "12345 13 2 " + upper(hexDigits(64)), ""},
		{"_443._tcp.example.org", "TLSA", "3 1 1 " + hexDigits(64), "3 1 1 " + upper(hexDigits(64)), ""},
		{"_443._tcp.example.org", "TLSA", "3 0 0 ( 3082 )", "3 0 0 3082", ""},
		{"example.org", "SSHFP", "4 2 " + hexDigits(64), "4 2 " + upper(hexDigits(64)), ""},
		{"example.org", "HTTPS", "0 Other.example.net", "0 other.example.net.", "other.example.net"},
		{"example.org", "HTTPS", `1 . port=8443 alpn=h2,h3`, `1 . alpn="h2,h3" port="8443"`, ""},
		{"example.org", "SVCB", `1 svc.example.net mandatory=port,alpn alpn="h2" port="53"`, `1 svc.example.net. mandatory="alpn,port" alpn="h2" port="53"`, "svc.example.net"},
		{"example.org", "TYPE65", `\# 3 0001 00`, `1 .`, ""},
		{"example.org", "TYPE1", `\# 4 c000020a`, "192.0.2.10", ""},
	} {
		t.Run(c.rrtype+" "+c.data, func(t *testing.T) {
			got := accepted(t, sites.Record{Name: c.name, Type: c.rrtype, Data: c.data}, c.target)
			if got.Data != c.want {
				t.Errorf("data %q, want %q", got.Data, c.want)
			}
		})
	}
}

// Text may be entered as it is, of any length; what is in quotes is presentation format.
func TestTextIsSplitIntoStrings(t *testing.T) {
	long := strings.Repeat("k", 300)
	for _, c := range []struct{ data, want string }{
		{`v=spf1 mx -all`, `"v=spf1 mx -all"`},
		{`v=DMARC1; p=none`, `"v=DMARC1; p=none"`},
		{`say "hi" \o/`, `"say \"hi\" \\o/"`},
		{`a  b`, `"a  b"`},
		{`"one" "two"`, `"one" "two"`},
		{`"a\"b\\c\065"`, `"a\"b\\cA"`},
		{`""`, `""`},
		{`grün`, `"gr\195\188n"`},
		{long, `"` + long[:255] + `" "` + long[255:] + `"`},
		{`"` + long + `"`, `"` + long[:255] + `" "` + long[255:] + `"`},
		{"( \"v=DKIM1; k=rsa; \"\n\t  \"p=AAAA\" )  ; ----- DKIM key mail for example.org", `"v=DKIM1; k=rsa; " "p=AAAA"`},
	} {
		got := accepted(t, sites.Record{Name: "example.org", Type: "TXT", Data: c.data}, "")
		if got.Data != c.want {
			t.Errorf("%q: data %q, want %q", c.data, got.Data, c.want)
		}
	}
}

// RFC 8659 section 4.2, with quotes or without.
func TestCAARecord(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{`0 issue letsencrypt.org`, `0 issue "letsencrypt.org"`},
		{`0 ISSUE "LetsEncrypt.org"`, `0 issue "letsencrypt.org"`},
		{`128 issuewild ";"`, `128 issuewild ";"`},
		{`0 issue ;`, `0 issue ";"`},
		{`0 issue letsencrypt.org; validationmethods=dns-01;accounturi=https://ca.example/acct/1`, `0 issue "letsencrypt.org; validationmethods=dns-01; accounturi=https://ca.example/acct/1"`},
		{"0\tiodef  mailto:security@example.org", `0 iodef "mailto:security@example.org"`},
		{`0 contactemail "dns@example.org"`, `0 contactemail "dns@example.org"`},
		{`( 0 issue "letsencrypt.org" )`, `0 issue "letsencrypt.org"`},
	} {
		got := accepted(t, sites.Record{Name: "example.org", Type: "CAA", Data: c.data}, "")
		if got.Data != c.want {
			t.Errorf("%q: data %q, want %q", c.data, got.Data, c.want)
		}
	}
	for data, want := range map[string]string{
		`0 issue`:                        "flags, a tag and a value",
		`1 issue "ca.example"`:           "flags",
		`0 isue "ca.example"`:            "tag is issue,",
		`0 issue ""`:                     `forbids all with`,
		`0 issue "not a domain"`:         "by its domain",
		`0 issue "ca.example; x"`:        "parameters",
		`0 issue "ca.example" "x"`:       "one text in quotes",
		`0 iodef "security@example.org"`: "mailto:",
		`0 contactemail nobody`:          "mail address",
	} {
		refused(t, sites.Record{Name: "example.org", Type: "CAA", Data: data}, "data", want)
	}
}

// Each fault has a sentence that says what would be right, and names the field.
func TestFaultsAreSentences(t *testing.T) {
	for _, c := range []struct{ name, rrtype, data, field, want string }{
		{"example.org", "A", "foo", "data", `An A record holds an IPv4 address such as 192.0.2.10; "foo" is none.`},
		{"example.org", "A", "2001:db8::1", "data", "Choose the type AAAA."},
		{"example.org", "A", "192.0.2.1 192.0.2.2", "data", "a record for each"},
		{"example.org", "A", "", "data", "such as 192.0.2.10"},
		{"example.org", "AAAA", "192.0.2.1", "data", "Choose the type A."},
		{"example.org", "AAAA", "fe80::1%eth0", "data", "holds an IPv6 address"},
		{"www.example.org", "CNAME", "192.0.2.1", "data", "is an IP address. Give a name an A or AAAA record"},
		{"www.example.org", "CNAME", "https://shop.example.net/x", "data", `write "shop.example.net" alone`},
		{"www.example.org", "CNAME", "www.example.org.", "data", "not at its own"},
		{"www.example.org", "CNAME", "@", "data", "in full instead of @"},
		{"www.example.org", "CNAME", "a..example.net", "data", "between two of its dots"},
		{"www.example.org", "CNAME", "a.example.net b", "data", "one host name"},
		{"www.example.org", "CNAME", "\"a.example.net", "data", "quotes are not closed"},
		{"example.org", "MX", "mail.example.org", "data", "a preference and a mail host, such as 10 mail.example.org"},
		{"example.org", "MX", "ten mail.example.org", "data", "The preference is a number from 0 to 65535"},
		{"example.org", "MX", "10 192.0.2.1", "data", "is an IP address"},
		{"example.org", "MX", "10 mail", "data", `in full, such as "mail.example.org"`},
		{"example.org", "MX", "10 .", "data", "with preference 0"},
		{"example.org", "MX", "10 my_mail.example.org", "data", "cannot hold an underscore"},
		{"example.org", "MX", "10 me@example.org", "data", "is a mail address"},
		{"example.org", "NS", "192.0.2", "data", "neither one nor an IP address"},
		{"*.example.org", "NS", "ns1.example.net", "name", "A wildcard cannot have NS records"},
		{"example.org", "SRV", "0 5 5060 sip.example.org", "name", "_sip._tcp.example.org"},
		{"_sip._tcp.example.org", "SRV", "0 5 65536 sip.example.org", "data", "The port is a number from 0 to 65535"},
		{"_sip._tcp.example.org", "SRV", "5060 sip.example.org", "data", "priority, weight, port and host"},
		{"example.org", "TXT", "one\ntwo", "data", "one line"},
		{"example.org", "TXT", `"one`, "data", "quotes are not closed"},
		{"example.org", "TXT", `"\2"`, "data", "backslash"},
		{"example.org", "TXT", `"\999"`, "data", "backslash"},
		{"example.org", "TXT", strings.Repeat("x", maxText+1), "data", "at most 16384 bytes"},
		{"example.org", "DS", "1 13 2 abcd", "data", "has 64 hexadecimal digits, not 4"},
		{"example.org", "DS", "1 13 3 abcd", "data", "digest type"},
		{"example.org", "DS", "1 0 2 " + hexDigits(64), "data", "algorithm of a key"},
		{"example.org", "TLSA", "3 1 1 xyz", "data", "pairs of hexadecimal digits"},
		{"example.org", "TLSA", "3 1 2 " + hexDigits(64), "data", "has 128 hexadecimal digits, not 64"},
		{"example.org", "TLSA", "4 1 1 " + hexDigits(64), "data", "usage"},
		{"example.org", "SSHFP", "5 2 " + hexDigits(64), "data", "algorithm"},
		{"example.org", "SSHFP", "4 1 " + hexDigits(64), "data", "has 40 hexadecimal digits"},
		{"example.org", "HTTPS", `0 a.example.net alpn="h2"`, "data", "is an alias and holds no parameters"},
		{"example.org", "HTTPS", `1 . alpn`, "data", "alpn needs a value"},
		{"example.org", "HTTPS", `1 . port=1 port=2`, "data", "once only"},
		{"example.org", "HTTPS", `1 . mandatory=port`, "data", "only parameters that the record holds"},
		{"example.org", "HTTPS", `1 . mandatory=mandatory`, "data", "cannot name itself"},
		{"example.org", "HTTPS", `1 . mandatory=port,port port=1`, "data", "twice"},
		{"example.org", "HTTPS", `1 . no-default-alpn`, "data", "needs alpn beside it"},
		{"example.org", "HTTPS", `1 . color=red`, "data", "are not valid"},
		{"example.org", "HTTPS", `1 192.0.2.1`, "data", "is an IP address"},
		{"www.*.example.org", "A", "192.0.2.1", "name", "whole first part"},
		{"my_host.example.org", "A", "192.0.2.1", "name", "cannot hold an underscore"},
		{"-a.example.org", "A", "192.0.2.1", "name", "begin or end with a hyphen"},
		{"a b.example.org", "TXT", "x", "name", "only letters, digits"},
		{strings.Repeat("a", 64) + ".example.org", "TXT", "x", "name", "63 characters"},
		{strings.Repeat("a.", 130) + "org", "TXT", "x", "name", "253 characters"},
		{"", "A", "192.0.2.1", "name", "full name"},
		{"example.org", "A", `\# 3 c00002`, "data", "number of bytes"},
		{"example.org", "SOA", "x", "type", "berth makes them itself. Offered are A, AAAA,"},
		{"example.org", "RRSIG", "x", "type", "berth makes them itself"},
		{"example.org", "DNAME", "x.example.net", "type", `"DNAME" are not offered. Offered are A, AAAA,`},
		{"example.org", "NAPTR", "x", "type", "not offered"},
		{"example.org", "ANY", "x", "type", "not offered"},
		{"example.org", "TYPE65000", "x", "type", "not offered"},
		{"example.org", "SPF", "v=spf1 -all", "type", "as a TXT record"},
		{"example.org", "", "x", "type", "Choose"},
	} {
		t.Run(c.rrtype+" "+c.data[:min(len(c.data), 40)], func(t *testing.T) {
			refused(t, sites.Record{Name: c.name, Type: c.rrtype, Data: c.data}, c.field, c.want)
		})
	}
}

func TestTTLBounds(t *testing.T) {
	for ttl, want := range map[uint32]uint32{0: 300, 30: 30, 86400: 86400} {
		got, _, err := Syntax{}.Record(sites.Record{Name: "example.org", Type: "A", TTL: ttl, Data: "192.0.2.1"})
		if err != nil || got.TTL != want {
			t.Errorf("a TTL of %d becomes %d (%v), want %d", ttl, got.TTL, err, want)
		}
	}
	for _, ttl := range []uint32{1, 29, 86401, 1<<32 - 1} {
		refused(t, sites.Record{Name: "example.org", Type: "A", TTL: ttl, Data: "192.0.2.1"}, "ttl", "30 to 86400 seconds")
	}
}

// What is offered can be entered by its own example, so that sentences never name what is refused.
func TestExamplesAreAccepted(t *testing.T) {
	for _, k := range offered {
		data := k.example
		if front, digits, ok := strings.Cut(data, " followed by 64"); ok {
			data = front + " " + hexDigits(64)
			_ = digits
		}
		accepted(t, sites.Record{Name: "_sip._tcp.example.org", Type: k.name, Data: data}, "*")
	}
}

// accepted returns the canonical form of a record, which stays as it is and which the DNS server can read.
func accepted(t *testing.T, in sites.Record, target string) sites.Record {
	t.Helper()
	if k, err := kindOf(in.Type); err == nil && in.Name == "_sip._tcp.example.org" && k.owner == hostOwner || err == nil && k.owner == cutOwner {
		in.Name = "example.org"
	}
	in.ID, in.Zone, in.Site = 1, 2, 3
	got, points, err := Syntax{}.Record(in)
	if err != nil {
		t.Fatalf("%s %q: %v", in.Type, in.Data, err)
	}
	if points != target && target != "*" {
		t.Errorf("target %q, want %q", points, target)
	}
	if got.ID != 1 || got.Zone != 2 || got.Site != 3 {
		t.Errorf("the record's keys have changed: %+v", got)
	}
	again, pointsAgain, err := Syntax{}.Record(got)
	if err != nil || again != got || pointsAgain != points {
		t.Errorf("entered again it is %+v (%v), was %+v", again, err, got)
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s. %d IN %s %s", got.Name, got.TTL, got.Type, got.Data))
	if err != nil {
		t.Fatalf("not to be read: %v", err)
	}
	if _, err := dns.PackRR(rr, make([]byte, dns.MaxMsgSize), 0, nil, false); err != nil {
		t.Errorf("not to be sent: %v", err)
	}
	return got
}

func refused(t *testing.T, in sites.Record, field, want string) {
	t.Helper()
	_, _, err := Syntax{}.Record(in)
	var refusal *sites.Refusal
	switch {
	case !errors.As(err, &refusal) || !errors.Is(err, sites.ErrInvalid):
		t.Errorf("%s %q: %v, want a refusal", in.Type, in.Data, err)
	case refusal.Field != field:
		t.Errorf("%s %q: field %q, want %q: %s", in.Type, in.Data, refusal.Field, field, refusal.Sentence)
	case !strings.Contains(refusal.Sentence, want) || !strings.HasSuffix(refusal.Sentence, "."):
		t.Errorf("%s %q: sentence %q, want %q", in.Type, in.Data, refusal.Sentence, want)
	}
}

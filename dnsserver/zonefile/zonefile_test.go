package zonefile

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/dnsserver/dnstest"
	"berth/sites"
)

// A file as BIND's manual would have it.
const bindFile = `$ORIGIN example.org.
$TTL 1h
@       IN SOA ns1.old.example. hostmaster (
            2024010101 ; serial
            1d 2h 4w 5m )
        IN NS  ns1.old.example.
        IN NS  ns2.old.example.
        MX     10 mail
        300 IN TXT "v=spf1 mx -all" ; a comment
        IN 600 CAA 0 issue "letsencrypt.org; validationmethods=dns-01"
www     A      192.0.2.10
        AAAA   2001:db8::10
Mail    2h A   192.0.2.11
shop    CNAME  www
ftp     CNAME  ftp.example.net.
key     TXT    ( "first; part "
                 "second" )
*.any   A      192.0.2.12
_sip._tcp SRV  0 5 5060 mail
$ORIGIN sub.example.org.
@       NS     ns1
ns1     A      192.0.2.53
$GENERATE 1-3 host-${0,2,d} A 192.0.2.$
$GENERATE 10-12/2 $ 60 IN CNAME host-$.example.net.
`

func TestZoneFileOfBIND(t *testing.T) {
	records, faults, err := Syntax{}.ZoneFile("example.org", strings.NewReader(bindFile))
	if err != nil {
		t.Fatal(err)
	}
	want := `example.org 3600 MX 10 mail.example.org.
example.org 300 TXT "v=spf1 mx -all"
example.org 600 CAA 0 issue "letsencrypt.org; validationmethods=dns-01"
www.example.org 3600 A 192.0.2.10
www.example.org 3600 AAAA 2001:db8::10
mail.example.org 7200 A 192.0.2.11
shop.example.org 3600 CNAME www.example.org.
ftp.example.org 3600 CNAME ftp.example.net.
key.example.org 3600 TXT "first; part " "second"
*.any.example.org 3600 A 192.0.2.12
_sip._tcp.example.org 3600 SRV 0 5 5060 mail.example.org.
sub.example.org 3600 NS ns1.sub.example.org.
ns1.sub.example.org 3600 A 192.0.2.53
host-01.sub.example.org 3600 A 192.0.2.1
host-02.sub.example.org 3600 A 192.0.2.2
host-03.sub.example.org 3600 A 192.0.2.3
10.sub.example.org 60 CNAME host-10.example.net.
12.sub.example.org 60 CNAME host-12.example.net.
`
	if got := asText(records); got != want {
		t.Errorf("records\n%s\nwant\n%s", got, want)
	}
	checkFaults(t, faults,
		"3 note: This SOA record is left out: berth makes the zone's SOA record itself.",
		"6 note: 2 NS records are left out: the zone's own nameservers are those that berth is configured with.")
}

// Each faulty line is told by its number, and the rest is read.
func TestFaultyLinesAreToldApart(t *testing.T) {
	for _, c := range []struct {
		name, file string
		want       []string
	}{
		{"data", "a A foo", []string{`1: An A record holds an IPv4 address such as 192.0.2.10; "foo" is none.`}},
		{"no owner before", "  A 192.0.2.1", []string{"1: The line begins with a blank"}},
		{"no type", "a 300 IN", []string{"1: The line does not say which type"}},
		{"neither", "a 300 banana A 192.0.2.1", []string{`1: "banana" is neither a TTL nor a class nor the type`}},
		{"class", "a CH TXT x", []string{`1: Records are of the class IN here`}},
		{"outside", "a.example.net. A 192.0.2.1\nb.badexample.org. A 192.0.2.1", []string{`1: The name "a.example.net" is outside of the zone example.org.`, "2: "}},
		{"type", "a DNAME b", []string{`1: Records of type "DNAME" are not offered.`}},
		{"open quotes", "a TXT \"x\nb TXT \"y", []string{"1: The quotes are not closed", "2: The quotes are not closed"}},
		{"open parenthesis", "a TXT ( x\nb TXT y", []string{"1: A parenthesis is not closed."}},
		{"stray parenthesis", "a TXT x )\nb A foo", []string{"1: A closing parenthesis", "2: An A record"}},
		{"lines are counted", "; comment\n\na TXT ( \"x\"\n \"y\" )\n\nb A foo\r\nc A bar", []string{"6: ", "7: "}},
		{"include", "$INCLUDE /etc/passwd", []string{"1: $INCLUDE is not followed"}},
		{"unknown directive", "$DATE now", []string{`1: "$DATE" is not known.`}},
		{"bad TTL", "$TTL soon\na A foo", []string{`1: "soon" is not a TTL`, "2: "}},
		{"bad origin", "$ORIGIN a..b\nc A 192.0.2.1", []string{`1: The origin "a..b" is not a valid name`, "2: "}},
		{"bad range", "$GENERATE 5-1 a$ A 192.0.2.$", []string{`1: "5-1" is not a range.`}},
		{"bad modifier", "$GENERATE 1-2 a${0,x} A 192.0.2.$", []string{`1: For the number 1: "a${0,x}" is not understood`}},
		{"made faulty once", "$GENERATE 254-300 a$ A 192.0.2.$", []string{`1: For the number 256: An A record`}},
		{"DS of the zone", "@ DS 1 13 2 00", []string{"1 note: This DS record is left out"}},
		{"DNSSEC", "a RRSIG x\na NSEC b\na NSEC c\n@ DNSKEY 257\n@ CDS 0\n@ CDNSKEY 0\n@ ZONEMD 0\n@ NSEC3PARAM 1\nh NSEC3 1", []string{
			"1 note: This RRSIG", "2 note: 2 NSEC records are left out", "4 note: This DNSKEY", "5 note: This CDS", "6 note: This CDNSKEY", "7 note: This ZONEMD", "8 note: This NSEC3PARAM", "9 note: This NSEC3",
		}},
		{"twice", "a A 192.0.2.1\nA.example.org. A 192.0.2.1", []string{"2 note: The same record stands in line 1."}},
		{"long TTL", "a 2w A 192.0.2.1\nb 2w A 192.0.2.1\nc 0 A 192.0.2.1", []string{"1 note: The TTL of 1209600 seconds is taken as 86400", "3 note: The TTL of 0 seconds is taken as 30"}},
		{"one TTL a set", "a 60 A 192.0.2.1\na 90 A 192.0.2.2\na 99 A 192.0.2.3", []string{"2 note: The A records of a.example.org have one TTL together: that of line 1 is taken."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			records, faults, err := Syntax{}.ZoneFile("example.org", strings.NewReader(c.file+"\nlast.example.org. A 192.0.2.99\n"))
			if err != nil {
				t.Fatal(err)
			}
			checkFaults(t, faults, c.want...)
			if !strings.Contains(asText(records), "last.example.org") {
				t.Errorf("the last line was not read: %s", asText(records))
			}
		})
	}
}

// RFC 1035 section 5.1 and RFC 2308 section 4: $TTL, else the TTL before, else the SOA record's last number.
func TestTTLThatIsNotGiven(t *testing.T) {
	for file, want := range map[string]string{
		"a A 192.0.2.1":             "300",
		"$TTL 1h30m\na A 192.0.2.1": "5400",
		"b 60 A 192.0.2.1\n$TTL 90\nc 61 A 192.0.2.1\na A 192.0.2.1": "90",
		"b 60 A 192.0.2.1\na A 192.0.2.1":                            "60",
		"@ SOA ns hostmaster 1 2 3 4 77\na A 192.0.2.1":              "77",
		"@ 120 SOA ns hostmaster 1 2 3 4 77\na A 192.0.2.1":          "120",
	} {
		records, _, err := Syntax{}.ZoneFile("example.org", strings.NewReader(file))
		if err != nil || len(records) == 0 {
			t.Fatalf("%q: %v, %d records", file, err, len(records))
		}
		if got := fmt.Sprint(records[len(records)-1].TTL); got != want {
			t.Errorf("%q: TTL %s, want %s", file, got, want)
		}
	}
}

// Hostile files end in a refusal, or in a bounded number of faults.
func TestZoneFileIsBounded(t *testing.T) {
	for name, file := range map[string]string{
		"bytes":           strings.Repeat("; comment\n", maxBytes/10+1),
		"records":         "$GENERATE 0-65535 a$ A 192.0.2.1\n$GENERATE 0-65535 b$ A 192.0.2.1\n",
		"same records":    strings.Repeat("$GENERATE 0-50000 a A 192.0.2.1\n", 3),
		"generated bytes": "$GENERATE 0-65535 a$ TXT " + strings.Repeat("x", 1000) + "\n",
	} {
		_, _, err := Syntax{}.ZoneFile("example.org", strings.NewReader(file))
		var refusal *sites.Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, sites.ErrTooLarge) {
			t.Errorf("%s: %v, want a refusal as too large", name, err)
		}
	}
	for name, file := range map[string]string{
		"faults":             strings.Repeat("x\n", 100_000),
		"parentheses":        strings.Repeat("(\n", 100_000),
		"fields":             "a TXT (" + strings.Repeat("x ", 100_000) + ")",
		"origins":            strings.Repeat("$ORIGIN a\n", 100_000),
		"long owner":         strings.Repeat("a", 1<<20) + " A 192.0.2.1\n" + strings.Repeat(" A 192.0.2.1\n", 10_000),
		"long $GENERATE":     "$GENERATE 0-65535 a TXT " + strings.Repeat("x", 1<<20),
		"blown-up templates": "$GENERATE 0-65535 " + strings.Repeat("${0,253}", 1000) + " A 192.0.2.1",
	} {
		_, faults, err := Syntax{}.ZoneFile("example.org", strings.NewReader(file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if len(faults) == 0 || len(faults) > maxFaults+1 {
			t.Errorf("%s: %d faults told", name, len(faults))
		}
	}
}

// What is written is sorted, aligned, the same for any order of the records, and read back as it was.
func TestWrittenZoneFileIsReadBack(t *testing.T) {
	records := everyType(t)
	written := write(t, records)
	shuffled := slices.Clone(records)
	slices.Reverse(shuffled)
	if again := write(t, shuffled); again != written {
		t.Errorf("in another order\n%s\nwas\n%s", again, written)
	}
	back, faults, err := Syntax{}.ZoneFile("example.org", strings.NewReader(written))
	if err != nil || len(faults) > 0 {
		t.Fatalf("read back: %v %v\n%s", err, faults, written)
	}
	compare := func(a, b sites.Record) int {
		return strings.Compare(asText([]sites.Record{a}), asText([]sites.Record{b}))
	}
	slices.SortFunc(back, compare)
	slices.SortFunc(records, compare)
	if got, want := asText(back), asText(records); got != want {
		t.Errorf("read back\n%s\nwant\n%s", got, want)
	}
}

func TestWrittenZoneFileIsReadable(t *testing.T) {
	got := write(t, []sites.Record{
		{Name: "www.example.org", Type: "A", TTL: 300, Data: "192.0.2.10"},
		{Name: "example.org", Type: "TXT", TTL: 3600, Data: `"v=spf1 -all"`},
		{Name: "example.org", Type: "MX", TTL: 86400, Data: "0 ."},
		{Name: "b.a.example.org", Type: "CNAME", TTL: 30, Data: "www.example.org."},
	})
	want := `$ORIGIN example.org.
@   86400 IN MX    0 .
@    3600 IN TXT   "v=spf1 -all"
b.a    30 IN CNAME www.example.org.
www   300 IN A     192.0.2.10
`
	if got != want {
		t.Errorf("written\n%s\nwant\n%s", got, want)
	}
}

func TestOnlyCanonicalRecordsAreWritten(t *testing.T) {
	for _, record := range []sites.Record{
		{Name: "a.example.org", Type: "TXT", TTL: 60, Data: "\"x\"\nb A 192.0.2.1"},
		{Name: "a b.example.org", Type: "A", TTL: 60, Data: "192.0.2.1"},
	} {
		if err := (Syntax{}).WriteZoneFile(&strings.Builder{}, "example.org", []sites.Record{record}); err == nil {
			t.Errorf("%+v was written", record)
		}
	}
}

// BIND itself takes what is written, without a warning.
func TestNamedCheckzoneTakesWhatIsWritten(t *testing.T) {
	checkzone := dnstest.Need(t, "named-checkzone")
	records := everyType(t)
	records = append(records,
		sites.Record{Name: "example.org", Type: "SOA", TTL: 3600, Data: "ns1.example.org. hostmaster.example.org. 1 3600 900 1209600 300"},
		sites.Record{Name: "example.org", Type: "NS", TTL: 3600, Data: "ns1.example.org."},
		sites.Record{Name: "ns1.example.org", Type: "A", TTL: 3600, Data: "192.0.2.1"})
	written := write(t, records)
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(written), 0o600); err != nil {
		t.Fatal(err)
	}
	dump, err := exec.Command(checkzone, "-D", "-i", "local", "-k", "fail", "-m", "fail", "-n", "fail", "-r", "fail", "-S", "fail", "example.org", path).CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(dump)), "OK") {
		t.Fatalf("named-checkzone: %v\n%s\n%s", err, dump, written)
	}
	// BIND reads the same records, as its own way of writing them says.
	_, body, _ := strings.Cut(string(dump), "\n")
	body = body[:strings.LastIndex(strings.TrimSpace(body), "\n")]
	back, _, err := Syntax{}.ZoneFile("example.org", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(back), len(records)-2; got != want {
		t.Errorf("%d records read back from BIND, want %d\n%s", got, want, dump)
	}
	for _, record := range records[:len(records)-3] {
		if !slices.Contains(back, record) {
			t.Errorf("BIND has no %s\n%s", asText([]sites.Record{record}), dump)
		}
	}
}

// BIND reads the same out of a file, as its own way of writing it down says.
func TestZoneFileIsReadAsBINDDoes(t *testing.T) {
	file := bindFile + `$GENERATE 16-18 ${0,7,n}.rev 60 PTR host-${-16}.sub
$GENERATE 8-9 ${1,3,o}-${0,4,x}-$ 60 TXT n=$\$
plain TXT unquoted\;text "a b"c d\032e
	 ( AAAA
	2001:db8::1 ) ; the owner of before
`
	path := filepath.Join(t.TempDir(), "zone")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	dump, err := exec.Command(dnstest.Need(t, "named-checkzone"), "-D", "-i", "none", "example.org", path).CombinedOutput()
	if err != nil {
		t.Fatalf("named-checkzone: %v\n%s", err, dump)
	}
	want, _, err := Syntax{}.ZoneFile("example.org", strings.NewReader(string(dump)))
	if err != nil {
		t.Fatal(err)
	}
	got, faults, err := Syntax{}.ZoneFile("example.org", strings.NewReader(file))
	if err != nil || len(faults) != 2 {
		t.Fatalf("%v, %v", err, faults)
	}
	if got, want := write(t, got), write(t, want); got != want {
		t.Errorf("read\n%s\nBIND reads\n%s", got, want)
	}
}

// everyType returns records of every type that is offered, in canonical form.
func everyType(t *testing.T) []sites.Record {
	t.Helper()
	d64 := hexDigits(64)
	var records []sites.Record
	for _, in := range []sites.Record{
		{Name: "www.example.org", Type: "A", Data: "192.0.2.10"},
		{Name: "www.example.org", Type: "A", Data: "192.0.2.9"},
		{Name: "www.example.org", Type: "AAAA", Data: "2001:db8::10"},
		{Name: "mapped.example.org", Type: "AAAA", Data: "::ffff:192.0.2.1"},
		{Name: "*.any.example.org", Type: "A", Data: "192.0.2.10"},
		{Name: "shop.example.org", Type: "CNAME", Data: "www.example.org"},
		{Name: "example.org", Type: "MX", Data: "10 www.example.org"},
		{Name: "nomail.example.org", Type: "MX", Data: "0 ."},
		{Name: "example.org", Type: "TXT", Data: `v=spf1 "quoted" \ ; ü ` + strings.Repeat("x", 400)},
		{Name: "empty.example.org", Type: "TXT", Data: `""`},
		{Name: "_sip._tcp.example.org", Type: "SRV", Data: "0 5 5060 www.example.org"},
		{Name: "example.org", Type: "CAA", Data: "0 issue letsencrypt.org; validationmethods=dns-01"},
		{Name: "example.org", Type: "CAA", Data: "128 issuewild ;"},
		{Name: "sub.example.org", Type: "NS", Data: "ns1.example.net"},
		{Name: "sub.example.org", Type: "DS", Data: "12345 13 2 " + d64},
		{Name: "www.example.org", Type: "HTTPS", Data: `1 . alpn="h2,h3" port=8443 ipv4hint=192.0.2.10,192.0.2.9 ipv6hint=2001:db8::10 ech="AAAA" mandatory=port`},
		{Name: "alpn.example.org", Type: "HTTPS", Data: `1 . no-default-alpn alpn=h3`},
		{Name: "alias.example.org", Type: "HTTPS", Data: `0 www.example.org`},
		{Name: "_dns.example.org", Type: "SVCB", Data: `1 www.example.org alpn="dot" key65400="x y"`},
		{Name: "_443._tcp.www.example.org", Type: "TLSA", Data: "3 1 1 " + d64},
		{Name: "www.example.org", Type: "SSHFP", Data: "4 2 " + d64},
		{Name: "ptr.example.org", Type: "PTR", Data: "www.example.org"},
		{Name: "a-name-that-is-wider-than-the-column.of-owners.example.org", Type: "A", Data: "192.0.2.1", TTL: 86400},
	} {
		record, _, err := Syntax{}.Record(in)
		if err != nil {
			t.Fatalf("%+v: %v", in, err)
		}
		records = append(records, record)
	}
	return records
}

func write(t *testing.T, records []sites.Record) string {
	t.Helper()
	var out strings.Builder
	if err := (Syntax{}).WriteZoneFile(&out, "example.org", records); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func asText(records []sites.Record) string {
	var out strings.Builder
	for _, r := range records {
		fmt.Fprintf(&out, "%s %d %s %s\n", r.Name, r.TTL, r.Type, r.Data)
	}
	return out.String()
}

// checkFaults compares faults with lines such as "3 note: beginning of the sentence".
func checkFaults(t *testing.T, faults []sites.LineFault, want ...string) {
	t.Helper()
	var got []string
	for _, f := range faults {
		note := ""
		if f.Note {
			note = " note"
		}
		got = append(got, fmt.Sprintf("%d%s: %s", f.Line, note, f.Sentence))
	}
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		t.Errorf("faults\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

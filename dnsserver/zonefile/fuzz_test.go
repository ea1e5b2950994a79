package zonefile

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"berth/sites"

	"github.com/miekg/dns"
)

// Whatever is uploaded, reading it ends, and what was read is written and read back as it was.
func FuzzZoneFile(f *testing.F) {
	f.Add(bindFile)
	f.Add("a TXT ( \"x\n)\n(\n$GENERATE 1-3/2 ${1,3,n} TXT \\$ $$\n")
	f.Add("a HTTPS 1 . alpn=\"h2\" key1=\"\\001\"\nb TYPE1 \\# 4 c0000201\n")
	f.Fuzz(func(t *testing.T, text string) {
		records, _, err := Syntax{}.ZoneFile("example.org", strings.NewReader(text))
		if err != nil || len(records) > 1000 {
			return
		}
		for _, r := range records {
			checkCanonical(t, r)
		}
		back, faults, err := Syntax{}.ZoneFile("example.org", strings.NewReader(write(t, records)))
		if err != nil || len(faults) > 0 {
			t.Fatalf("read back: %v %v", err, faults)
		}
		if len(back) != len(records) {
			t.Fatalf("%d records read back, want %d", len(back), len(records))
		}
		for _, r := range records {
			if !slices.Contains(back, r) {
				t.Errorf("not read back: %+v", r)
			}
		}
	})
}

// What is accepted from a form is canonical, and can be served.
func FuzzRecord(f *testing.F) {
	for _, k := range offered {
		f.Add("_sip._tcp.example.org", k.name, k.example)
		f.Add("example.org", k.name, k.example)
	}
	f.Add("example.org", "HTTPS", `1 . key7="/{?dns}" mandatory=key7 alpn="a\\,b"`)
	f.Fuzz(func(t *testing.T, name, rrtype, data string) {
		record, _, err := Syntax{}.Record(sites.Record{Name: name, Type: rrtype, Data: data})
		if err == nil {
			checkCanonical(t, record)
		}
	})
}

func checkCanonical(t *testing.T, r sites.Record) {
	again, _, err := Syntax{}.Record(r)
	if err != nil || again != r {
		t.Fatalf("%+v is not canonical: %+v %v", r, again, err)
	}
	rr, err := dns.NewRR(fmt.Sprintf("%s. %d IN %s %s", r.Name, r.TTL, r.Type, r.Data))
	if err != nil {
		t.Fatalf("%+v cannot be read: %v", r, err)
	}
	if _, err := dns.PackRR(rr, make([]byte, dns.MaxMsgSize), 0, nil, false); err != nil {
		t.Fatalf("%+v cannot be sent: %v", r, err)
	}
}

package panel

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

func TestAPIZones(t *testing.T) {
	w := newWorld(t)
	tokens := map[string]string{"ann": w.token("ann"), "root": w.token("root")}
	w.dns.find(sites.Delegation{State: sites.DelegationPartly, Parent: "org", Findings: []sites.Finding{{Kind: sites.FindingLame, Server: "ns2.example.net", Sentence: "No authority."}}}, nil)
	for _, tc := range []struct {
		who, method, path, body string
		status                  int
		want                    string
	}{
		{"ann", "GET", "/zones", "", 403, "Only an admin"},
		{"ann", "GET", "/zones/sites.test", "", 403, "Only an admin"},
		{"ann", "GET", "/tsig-keys", "", 403, "Only an admin"},
		{"root", "GET", "/zones", "", 200, `"name":"sites.test","kind":"main","signed":true`},
		{"root", "POST", "/zones", `{"name":"example"}`, 422, "two labels"},
		{"root", "POST", "/zones", `{"name":"example.org","kind":"third"}`, 422, "primary or secondary"},
		{"root", "POST", "/zones", `{"name":"example.org"}`, 201, `"kind":"primary","signed":true`},
		{"root", "POST", "/zones", `{"name":"example.org"}`, 409, "here already"},
		{"root", "POST", "/zones", `{"name":"example.net","kind":"secondary","primaries":[{"address":"here"}]}`, 422, `"here" is no address`},
		{"root", "POST", "/zones", `{"name":"example.net","kind":"secondary","primaries":[{"address":"192.0.2.1"}]}`, 201, `"address":"192.0.2.1:53"`},
		{"root", "GET", "/zones/example.com", "", 404, "no zone"},
		{"root", "GET", "/zones/EXAMPLE.org", "", 200, `"name":"example.org"`},
		{"root", "PATCH", "/zones/example.org", `{}`, 422, "signed, peers or primaries"},
		{"root", "PATCH", "/zones/example.org", `{"peers":[{"name":"two","from":["x"]}]}`, 422, `"x" is no address`},
		{"root", "PATCH", "/zones/example.org", `{"peers":[{"name":"two","from":["192.0.2.2"],"notify":["2001:db8::2"]}]}`, 200, `"from":["192.0.2.2/32"],"notify":["[2001:db8::2]:53"]`},
		{"root", "PATCH", "/zones/example.org", `{"peers":[{"name":"two","notify":["x"]}]}`, 422, `"x" is no address`},
		{"root", "PATCH", "/zones/example.org", `{"primaries":[{"address":"192.0.2.1"}]}`, 422, "Only a secondary"},
		{"root", "PATCH", "/zones/example.org", `{"primaries":[{"address":"x"}]}`, 422, `"x" is no address`},
		{"root", "PATCH", "/zones/example.org", `{"ds_removed":true}`, 422, "signed, peers or primaries"},
		{"root", "PATCH", "/zones/example.org", `{"signed":false}`, 409, "DS"},
		{"root", "PATCH", "/zones/example.org", `{"signed":false,"ds_removed":true}`, 200, `"signed":false`},
		{"root", "PATCH", "/zones/example.org", `{"signed":true}`, 200, `"signed":true`},
		{"root", "GET", "/zones/example.org/delegation", "", 200, `"findings":[{"kind":"lame","server":"ns2.example.net","sentence":"No authority."}]`},
		{"root", "GET", "/zones/example.com/delegation", "", 404, "no zone"},
		{"root", "POST", "/zones/example.org/keys", `{"role":"csk"}`, 422, "ksk or zsk"},
		{"root", "POST", "/zones/example.org/ds-confirmed", "", 409, "waits for the zone above"},
		{"root", "POST", "/zones/example.org/keys", `{"role":"ksk"}`, 202, `"role":"ksk"`},
		{"root", "DELETE", "/zones/sites.test", "", 409, "cannot be deleted"},
		{"root", "DELETE", "/zones/example.org", "", 204, ""},
		{"root", "DELETE", "/zones/example.org", "", 404, "no zone"},
		{"root", "POST", "/tsig-keys", `{"name":"ns2","algorithm":"hmac-md5"}`, 422, "hmac-sha256 or hmac-sha512"},
		{"root", "POST", "/tsig-keys", `{"name":"ns2"}`, 201, `"secret":"`},
		{"root", "POST", "/tsig-keys", `{"name":"ns2"}`, 409, "already"},
		{"root", "GET", "/tsig-keys", "", 200, `[{"name":"ns2","algorithm":"hmac-sha256","created_at":"`},
		{"root", "DELETE", "/tsig-keys/ns2", "", 204, ""},
		{"root", "DELETE", "/tsig-keys/ns2", "", 404, "no TSIG key"},
	} {
		t.Run(tc.who+" "+tc.method+" "+tc.path, func(t *testing.T) {
			kind := ""
			if tc.body != "" {
				kind = jsonType
			}
			a := w.call(tokens[tc.who], tc.method, "/api/v1"+tc.path, kind, tc.body)
			if tc.status >= 400 {
				a.problem(t, tc.status, tc.want)
			} else if a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Errorf("%d %.400s, want %d and %s", a.status, a.body, tc.status, tc.want)
			}
		})
	}
}

func TestTheDSOfANewKeyIsToldInTime(t *testing.T) {
	w := newWorld(t)
	token := w.token("root")
	a := w.call(token, "POST", "/api/v1/zones/sites.test/keys", jsonType, `{"role":"ksk"}`)
	at := w.parentAt(testZone).UTC().Format(`"parent_at":"2006-01-02T15:04:05`)
	if a.status != 202 || strings.Count(a.body, `"ds":`) != 1 || !strings.Contains(a.body, at) {
		t.Errorf("a day too early: %d %s, want one DS and %s", a.status, a.body, at)
	}
	w.call(token, "POST", "/api/v1/zones/sites.test/ds-confirmed", "", "").problem(t, 409, "")
	w.keysAge(testZone)
	if a := w.call(token, "GET", "/api/v1/zones/sites.test/keys", "", ""); strings.Count(a.body, `"ds":`) != 2 {
		t.Errorf("in time: %s", a.body)
	}
	if a := w.call(token, "POST", "/api/v1/zones/sites.test/ds-confirmed", "", ""); a.status != 200 || !strings.Contains(a.body, `"removed_at"`) {
		t.Errorf("confirmed: %d %s", a.status, a.body)
	}
}

func TestSigningDoesNotWaitForPeers(t *testing.T) {
	w := newWorld(t)
	token := w.token("root")
	w.panel.peering.Lock()
	defer w.panel.peering.Unlock()
	answered := make(chan answer, 1)
	go func() { answered <- w.call(token, "PATCH", "/api/v1/zones/sites.test", jsonType, `{"signed":true}`) }()
	select {
	case a := <-answered:
		if a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits while the peers of another zone are changed")
	}
}

func TestAPIShowsNoSecretsOfZones(t *testing.T) {
	w := newWorld(t)
	token := w.token("root")
	secret, _ := w.call(token, "POST", "/api/v1/tsig-keys", jsonType, `{"name":"ns2"}`).json["secret"].(string)
	w.call(token, "PATCH", "/api/v1/zones/sites.test", jsonType, `{"peers":[{"name":"two","key":"ns2"}]}`)
	if own := w.call(token, "POST", "/api/v1/tsig-keys", jsonType, `{"name":"ns3","secret":"`+secret+`"}`); own.status != 201 || strings.Contains(own.body, secret) {
		t.Errorf("a secret that was sent is shown: %d %s", own.status, own.body)
	}
	for _, path := range []string{"/tsig-keys", "/zones", "/zones/sites.test", "/zones/sites.test/keys", "/zones/sites.test/status"} {
		a := w.call(token, "GET", "/api/v1"+path, "", "")
		if lower := strings.ToLower(a.body); a.status != 200 || strings.Contains(a.body, secret) || strings.Contains(lower, "private") || strings.Contains(lower, "secret") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

func TestAPIZoneStatus(t *testing.T) {
	w := newWorld(t)
	at := time.Date(2026, 3, 21, 12, 0, 0, 0, time.UTC)
	w.dns.know(testZone, sites.ZoneStatus{
		Serial: 42, Names: 7, Signed: true, RenewalAt: at, DS: []sites.DS{{KeyTag: 1, Algorithm: 13, DigestType: 2, Digest: "00FF"}},
		Peers:     []sites.PeerStatus{{Addr: netip.MustParseAddrPort("192.0.2.2:53"), Notified: 42, Answered: true, Served: 41, Requested: at, Err: "It is late."}},
		Secondary: &sites.SecondaryStatus{RefreshedAt: at, Err: "No answer."},
	})
	got := w.call(w.token("root"), "GET", "/api/v1/zones/sites.test/status", "", "").body
	const want = `{"serial":42,"names":7,"signed":true,"renewal_at":"2026-03-21T12:00:00Z",
		"ds":[{"key_tag":1,"algorithm":13,"digest_type":2,"digest":"00FF"}],
		"registrar":{"ns":["sites.test. NS ns1.sites.test."],"glue":["ns1.sites.test. A 198.51.100.7"],"ds":["sites.test. DS 1 13 2 00FF"]},
		"peers":[{"address":"192.0.2.2:53","notified_serial":42,"notify_answered":true,"served_serial":41,"requested_at":"2026-03-21T12:00:00Z","error":"It is late."}],
		"secondary":{"refreshed_at":"2026-03-21T12:00:00Z","error":"No answer."}}`
	if compact(t, got) != compact(t, want) {
		t.Errorf("status %s", got)
	}
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestStatusTellsCountersApart(t *testing.T) {
	w := newWorld(t)
	contains(t, "status page", w.login("root").open("/admin/status").Find(".tallies").Text(), "AAAA")
	contains(t, "status", w.call(w.token("root"), "GET", "/api/v1/status", "", "").body, `"groups":{"By type":{"AAAA":3}}`)
}

package panel

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"
	"berth/templates"
)

// zone adds a primary zone.
func (w *world) zone(name string) {
	w.t.Helper()
	if _, err := w.AddZone(w.t.Context(), w.actor("root"), sites.NewZone{Name: name, Kind: sites.ZonePrimary}); err != nil {
		w.t.Fatal(err)
	}
}

func TestFormsThatAddAndDeleteZones(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	b.open("/")
	if b.page.Find("nav a[href='/zones']").Length() != 1 {
		t.Error("the navigation does not lead to the zones")
	}
	b.open("/zones")
	contains(t, "zones", b.page.Find("tbody").Text(), testZone)
	add := func(name, kind, primaries string) {
		b.submit("form[action='/zones']", map[string]string{"name": name, "kind": kind, "primaries": primaries})
	}
	add("example", "primary", "")
	b.faults(422, "name", "two labels")
	add("below.sites.test", "primary", "")
	b.faults(422, "name", "lies in the zone sites.test")
	add("example.org", "secondary", "")
	b.faults(422, "primaries", "at least one primary")
	add("example.org", "secondary", "192.0.2.")
	b.faults(422, "primaries", "“192.0.2.” is no address")
	add("example.org", "secondary", "192.0.2.1 nokey")
	b.faults(422, "primaries", `"nokey", which does not exist`)
	if got := b.page.Find("#primaries").Text(); got != "192.0.2.1 nokey" {
		t.Errorf("what was typed is lost: %q", got)
	}
	add("example.org", "secondary", "192.0.2.1\n[2001:db8::1]:5353\n")
	b.says(200, "The zone example.org is added and being transferred.")
	if got := b.page.Find("#primaries").Text(); got != "192.0.2.1:53\n[2001:db8::1]:5353" {
		t.Errorf("primaries %q", got)
	}
	b.submit("form[action='/zones/example.org/primaries']", map[string]string{"primaries": "one"})
	b.faults(422, "primaries", "“one” is no address")
	b.submit("form[action='/zones/example.org/primaries']", map[string]string{"primaries": "192.0.2.7"})
	b.says(200, "The primaries are changed.")

	b.open("/zones")
	add("example.net", "primary", "")
	b.says(200, "The zone example.net is added.")
	b.submit("form[action='/zones/example.net/delete']", map[string]string{"confirm": "example.org"})
	b.faults(422, "confirm", "Nothing was deleted")
	b.submit("form[action='/zones/example.net/delete']", map[string]string{"confirm": "example.net"})
	b.says(200, "The zone example.net is deleted.")
	if b.open("/zones/example.net").status != 404 {
		t.Errorf("the deleted zone's page answers %d", b.page.status)
	}
	if b.open("/zones/sites.test").Find("form[action$='/delete']").Length() != 0 {
		t.Error("the main zone is offered for deletion")
	}
}

func TestTheDelegationIsCheckedOnDemand(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	b.open("/zones/sites.test")
	for id, want := range map[string]string{"ns-lines": "sites.test. NS ns1.sites.test.", "glue-lines": "ns1.sites.test. A 198.51.100.7", "ds-lines": "sites.test. DS 1 13 2 00FF"} {
		if got := b.page.Find("#" + id).Text(); got != want || b.page.Find("[data-copy='"+id+"']").Length() != 1 {
			t.Errorf("%s: %q, want %q and a button that copies it", id, got, want)
		}
	}
	pill := func() string { return b.page.Find("#delegation .pill").Text() }
	if pill() != "Not checked" {
		t.Errorf("before any check: %q", pill())
	}
	check := func() { b.submit("form[action='/zones/sites.test/check']", nil) }
	w.dns.find(sites.Delegation{State: sites.DelegationBroken, Parent: "test", Findings: []sites.Finding{
		{Kind: sites.FindingLame, Server: "ns1.sites.test", Sentence: "It answers without authority."},
		{Kind: sites.FindingMissingGlue, Server: "ns2.sites.test", Sentence: "Its address is missing."},
		{Kind: sites.FindingWrongDS, Sentence: "The DS record 7 names no key."},
	}}, nil)
	check()
	b.says(200, "is checked")
	found := b.page.Find("#delegation .findings").Text()
	for _, want := range []string{"Lame nameserver (ns1.sites.test):", "without authority", "Missing glue (ns2.sites.test):", "DS mismatch:"} {
		contains(t, "findings", found, want)
	}
	if pill() != "Broken" || b.open("/zones").Find("td[data-label=Delegation] .pill").Text() != "Broken" {
		t.Errorf("a broken delegation is %q", pill())
	}
	contains(t, "DNSSEC", b.open("/zones/sites.test").Find("#dnssec").Text(), "fits no key")
	w.dns.find(sites.Delegation{State: sites.DelegationGood, Parent: "test"}, nil)
	check()
	if pill() != "Good" || b.page.Find(".findings").Length() != 0 {
		t.Errorf("a good delegation is %q", pill())
	}
	w.dns.find(sites.Delegation{}, errors.New("the secret inside"))
	check()
	if b.page.status != 500 || strings.Contains(b.page.body, "secret") {
		t.Errorf("a check that fails answers %d", b.page.status)
	}
}

func TestChecksAreBounded(t *testing.T) {
	d := newDelegations()
	for range maxChecks {
		d.room <- struct{}{}
	}
	if _, err := d.check(t.Context(), newNameserver(), "example.org"); explain(err).status != 429 {
		t.Errorf("one more than %d: %v", maxChecks, err)
	}
	<-d.room
	if _, err := d.check(t.Context(), newNameserver(), "example.org"); err != nil {
		t.Error(err)
	}
	if d.last("example.org").at.IsZero() {
		t.Error("what was found is forgotten")
	}
	if d.forget("example.org"); !d.last("example.org").at.IsZero() {
		t.Error("what was found of a zone that is gone is kept")
	}
}

func TestFormsOfDNSSEC(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	b.open("/zones/sites.test")
	if n := b.page.Find(".keys li").Length(); n != 2 {
		t.Fatalf("%d keys", n)
	}
	contains(t, "keys", b.page.Find(".keys").Text(), "Active since ")
	b.submit("#roll-zsk form", nil)
	b.says(200, "A new zone-signing key is published. It takes over by itself.")
	contains(t, "keys", b.page.Find(".keys").Text(), "Will be replaced in ")
	contains(t, "keys", b.page.Find(".keys").Text(), "Begins to sign in ")
	b.submit("#roll-zsk form", nil)
	b.says(200, "under way")
	if b.page.Find("#ds-question").Length() != 0 {
		t.Error("the parent is asked about before there is a new key-signing key")
	}
	b.submit("#roll-ksk form", nil)
	b.says(200, "A new key-signing key is published. The new DS line appears here on "+templates.Moment(w.parentAt(testZone)))
	if b.page.Find("#ds-question").Length() != 0 || b.page.Find("#ds-to-come").Length() != 1 {
		t.Error("the parent may have the new DS record before every resolver can know the key")
	}
	w.keysAge(testZone)
	b.open("/zones/sites.test")
	b.submit("#ds-question form", nil)
	b.says(200, "The old key leaves")
	if b.page.Find("#ds-question").Length() != 0 {
		t.Error("the question stays after its answer")
	}
	b.submit("#unsign form", nil)
	b.says(200, "DS")
	if zone, err := w.Zone(t.Context(), w.actor("root"), testZone); err != nil || !zone.Signed {
		t.Errorf("signing ends while nobody knows whether the parent has a DS record: %v", err)
	}
	b.submit("#unsign form", map[string]string{"ds_removed": "yes"})
	b.says(200, "no longer signed")
	b.submit("form[action='/zones/sites.test/sign']", nil)
	b.says(200, "is signed")
}

func TestFormsOfSecondaries(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	b.open("/tsig-keys")
	key := func(name, secret string) {
		b.submit("form[action='/tsig-keys']", map[string]string{"name": name, "secret": secret})
	}
	key("bad key", "")
	b.faults(422, "name", "domain name")
	key("ns2", "short")
	b.faults(422, "secret", "base64")
	key("bad key", "b3VyIHNlY3JldA==")
	if got := b.page.Find("#secret").AttrOr("value", ""); got != "b3VyIHNlY3JldA==" {
		t.Errorf("the secret that was typed is lost: %q", got)
	}
	key("ns2", "")
	b.says(200, "The TSIG key ns2 is added.")
	if secret := b.page.Find("#new-secret").Text(); len(secret) < 40 {
		t.Errorf("the secret is %q", secret)
	}
	if b.open("/tsig-keys").Find("#new-secret").Length() != 0 {
		t.Error("the secret is shown a second time")
	}

	b.open("/zones/sites.test")
	peer := func(name, from, notify, key string) {
		b.submit("form[action='/zones/sites.test/peers']", map[string]string{"peer_name": name, "from": from, "notify": notify, "key": key})
	}
	peer("two", "192.0.2.", "", "")
	b.faults(422, "from", "“192.0.2.” is no address and no network")
	peer("two", "192.0.2.2", "there", "")
	b.faults(422, "notify", "“there” is no address")
	peer("two", "", "", "")
	b.faults(422, "peer_name", "Otherwise everybody could")
	w.dns.know(testZone, sites.ZoneStatus{Serial: 9, Names: 3, Peers: []sites.PeerStatus{
		{Addr: netip.MustParseAddrPort("192.0.2.2:53"), Notified: 9, Answered: true, Served: 9},
		{Addr: netip.MustParseAddrPort("198.51.100.9:53"), Notified: 9, Err: "It does not answer."},
		{Addr: netip.MustParseAddrPort("203.0.113.1:0"), Served: 8},
	}})
	peer("two", "192.0.2.2, 203.0.113.0/24", "192.0.2.2", "ns2")
	b.says(200, "two may transfer the zone now.")
	shown := b.page.Find(".peers").Text()
	for _, want := range []string{"192.0.2.2, 203.0.113.0/24", "with the key ns2", "Up to date", "203.0.113.1", "Behind", "Has 8 of 9."} {
		contains(t, "peers", shown, want)
	}
	if strings.Contains(shown, "198.51.100.9") || strings.Contains(shown, ":0") {
		t.Errorf("a server is shown that does not belong to the peer, or a port that is none: %s", shown)
	}
	peer("two", "192.0.2.3", "", "")
	b.faults(422, "peer_name", "two peers named")
	b.open("/tsig-keys")
	b.submit("form[action='/tsig-keys/ns2/delete']", nil)
	b.says(200, "is used by sites.test")
	b.open("/zones/sites.test")
	b.submit("form[action='/zones/sites.test/remove-peer']", nil)
	b.says(200, "two may not transfer the zone any more.")
	if p := b.once("POST", "/zones/sites.test/remove-peer", formType, strings.NewReader("peer_name=two")); p.status != 404 {
		t.Errorf("taking away a secondary that is not there answers %d", p.status)
	}
	b.open("/tsig-keys")
	b.submit("form[action='/tsig-keys/ns2/delete']", nil)
	b.says(200, "The TSIG key ns2 is removed.")
}

func TestZonesTellHowTheyAre(t *testing.T) {
	w := newWorld(t)
	_, err := w.AddZone(t.Context(), w.actor("root"), sites.NewZone{
		Name: "example.org", Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.1:53")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	w.dns.know("example.org", sites.ZoneStatus{Serial: 2026032101, Names: 12, Signed: true, Secondary: &sites.SecondaryStatus{
		RefreshedAt: now.Add(-2 * time.Hour), ExpiresAt: now.Add(50 * time.Hour), Err: "The primary refused the transfer.",
	}})
	b := w.login("root")
	row := b.open("/zones").Find("tbody tr").Last().Text()
	for _, want := range []string{"Secondary", "Signed", "2026032101", "12 names", "The primary refused the transfer."} {
		contains(t, "row", row, want)
	}
	card := b.open("/zones/example.org").Find("#secondary").Text()
	for _, want := range []string{"Problem", "2 hours ago", "in 2 days", "The primary refused the transfer."} {
		contains(t, "card", card, want)
	}
	if b.page.Find("a[href$='/import'], #dnssec").Length() != 0 {
		t.Error("a secondary zone offers what is its primary's")
	}
	if p := b.open("/zones/example.org/export"); p.status != 409 {
		t.Errorf("the export of a secondary zone answers %d", p.status)
	}
}

func TestLiveQueries(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	if got := b.open("/queries?name=www.sites.test").Find("#watched").AttrOr("value", ""); got != "www.sites.test" {
		t.Errorf("the name is %q", got)
	}
	for _, name := range []string{"", "a+b", "%00"} {
		if p := b.open("/queries/follow?name=" + name); p.status != 422 {
			t.Errorf("watching %q answers %d", name, p.status)
		}
	}
	l := b.listen("/queries/follow?name=Sites.Test.")
	l.hears("Watching sites.test and the names below it. Times are in UTC.")
	at := time.Date(2026, 3, 21, 12, 0, 1, 0, time.UTC)
	w.dns.queries <- sites.QueryLine{At: at, Client: netip.MustParseAddr("192.0.2.9"), Transport: "UDP", Name: "a.sites.test", Type: "A", Rcode: "NOERROR"}
	l.hears("12:00:01.000  192.0.2.9        UDP  NOERROR  A  a.sites.test")
	w.dns.queries <- sites.QueryLine{At: at, Client: netip.MustParseAddr("2001:db8::9"), Transport: "TCP", Name: "b.sites.test", Type: "MX", Rcode: "NXDOMAIN", Limited: true}
	l.hears("12:00:01.000  2001:db8::9      TCP  NXDOMAIN MX  b.sites.test  rate-limited")
	w.panel.Close()
	l.ends()
	if p := w.login("ann").open("/queries/follow?name=sites.test"); p.status != 404 {
		t.Errorf("an owner gets %d", p.status)
	}
	if p := w.browser().open("/queries/follow?name=sites.test"); p.status != 403 {
		t.Errorf("a stranger gets %d", p.status)
	}
}

func TestWatchingEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), watchTime)
		defer cancel()
		lines := make(chan sites.QueryLine)
		go func() {
			<-ctx.Done()
			close(lines)
		}()
		var out tellings
		if err := relayQueries(ctx, &out, lines); err != nil || out.String() != "Ended after 15 minutes.\n" {
			t.Errorf("%q, %v", out.String(), err)
		}
	})
}

func TestAFloodOfQueriesIsToldInPortions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := make(chan sites.QueryLine, 10*watchAtOnce)
		for range cap(lines) {
			lines <- sites.QueryLine{Name: "a.sites.test"}
		}
		close(lines)
		var out tellings
		if err := relayQueries(t.Context(), &out, lines); err != nil || out.times != 10 || strings.Count(out.String(), "\n") != cap(lines) {
			t.Errorf("%d lines in %d portions, %v", strings.Count(out.String(), "\n"), out.times, err)
		}
	})
}

func TestTheAddressOfAZonesFormLeadsBack(t *testing.T) {
	w := newWorld(t)
	b := w.login("root")
	for path, want := range map[string]string{
		"/zones/sites.test/check": "/zones/sites.test", "/zones/sites.test/import/apply": "/zones/sites.test/import",
	} {
		if p := b.once(http.MethodGet, path, "", nil); p.status != 303 || p.header.Get("Location") != want {
			t.Errorf("%s leads with %d to %s, want %s", path, p.status, p.header.Get("Location"), want)
		}
	}
}

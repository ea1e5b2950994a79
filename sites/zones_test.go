package sites_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"berth/sites"
)

const custom = "custom.example.net"

func (b *berth) addZone(name string) sites.ZoneDetail {
	b.t.Helper()
	z, err := b.AddZone(b.t.Context(), b.root, sites.NewZone{Name: name, Kind: sites.ZonePrimary})
	if err != nil {
		b.t.Fatal(err)
	}
	return z
}

func (b *berth) addKey(name string) sites.TSIGKey {
	b.t.Helper()
	k, err := b.AddTSIGKey(b.t.Context(), b.root, sites.NewTSIGKey{Name: name})
	if err != nil {
		b.t.Fatal(err)
	}
	return k
}

func TestTheMainZoneIsSignedFromTheBeginning(t *testing.T) {
	b := boot(t)
	z, ok := b.edge.zone(zone)
	if !ok || z.Kind != sites.ZoneMain || !z.Signed || len(z.Keys) != 2 || z.Keys[0].Role != sites.KeySigning || z.Keys[1].Role != sites.ZoneSigning {
		t.Fatalf("published %+v", z)
	}
	detail, err := b.Zone(t.Context(), b.root, zone)
	if err != nil || len(detail.Keys) != 2 || len(detail.Keys[0].DS.Digest) != 64 || detail.Keys[1].DS.Digest != "" {
		t.Errorf("an admin sees %+v, %v", detail, err)
	}
}

func TestAFurtherZoneComesAndGoes(t *testing.T) {
	b := boot(t)
	z := b.addZone("Custom.Example.NET.")
	if z.Name != custom || !z.Signed || len(z.Keys) != 2 {
		t.Errorf("added as %+v", z)
	}
	if p, ok := b.edge.zone(custom); !ok || len(p.Keys) != 2 || len(p.Keys[0].Private) == 0 {
		t.Errorf("published %+v, %v", p, ok)
	}
	b.mustEnter(b.root, custom+" 60 A 192.0.2.1", "www."+custom+" 60 A 192.0.2.1")
	if err := b.DeleteZone(t.Context(), b.root, custom); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.edge.zone(custom); ok || b.edge.answer(custom, "A") != "" {
		t.Error("still published")
	}
	b.addZone(custom)
	if found, err := b.Records(t.Context(), b.root, sites.RecordFilter{Zone: custom}); err != nil || len(found) != 0 {
		t.Errorf("the zone made anew has %v, %v", found, err)
	}
}

func TestZonesAreForAdmins(t *testing.T) {
	b := boot(t)
	ctx := t.Context()
	_, listed := b.Zones(ctx, b.ann)
	_, read := b.Zone(ctx, b.ann, zone)
	_, added := b.AddZone(ctx, b.ann, sites.NewZone{Name: custom, Kind: sites.ZonePrimary})
	_, updated := b.UpdateZone(ctx, b.ann, zone, sites.ZoneUpdate{})
	_, keys := b.TSIGKeys(ctx, b.ann)
	_, key := b.AddTSIGKey(ctx, b.ann, sites.NewTSIGKey{Name: "k"})
	for what, err := range map[string]error{
		"list": listed, "read": read, "add": added, "update": updated, "delete": b.DeleteZone(ctx, b.ann, zone),
		"list keys": keys, "add a key": key, "delete a key": b.DeleteTSIGKey(ctx, b.ann, "k"),
	} {
		if !errors.Is(err, sites.ErrForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestZoneRefusals(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	from := []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.1:53")}}
	for _, tc := range []struct {
		in    sites.NewZone
		kind  error
		field string
	}{
		{sites.NewZone{Name: "", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: "net", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: "a..example.com", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: "-a.example.com", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: "ü.example.com", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: "xn--0.example.com", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: strings.Repeat("a", 64) + ".example.com", Kind: sites.ZonePrimary}, sites.ErrInvalid, "name"},
		{sites.NewZone{Name: custom, Kind: sites.ZonePrimary}, sites.ErrTaken, "name"},
		{sites.NewZone{Name: zone, Kind: sites.ZonePrimary}, sites.ErrTaken, "name"},
		{sites.NewZone{Name: "example.net", Kind: sites.ZonePrimary}, sites.ErrConflict, "name"},
		{sites.NewZone{Name: "below." + custom, Kind: sites.ZonePrimary}, sites.ErrConflict, "name"},
		{sites.NewZone{Name: "example.com", Kind: sites.ZoneMain}, sites.ErrInvalid, "kind"},
		{sites.NewZone{Name: "example.com", Kind: sites.ZonePrimary, Primaries: from}, sites.ErrInvalid, "primaries"},
		{sites.NewZone{Name: "example.com", Kind: sites.ZoneSecondary}, sites.ErrInvalid, "primaries"},
		{sites.NewZone{Name: "example.com", Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: from[0].Addr, Key: "none"}}}, sites.ErrInvalid, "primaries"},
		{sites.NewZone{Name: "example.com", Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.1:0")}}}, sites.ErrInvalid, "primaries"},
	} {
		_, err := b.AddZone(t.Context(), b.root, tc.in)
		wantRefusal(t, tc.in.Name, err, tc.kind, tc.field)
	}
	for _, name := range []string{"xn--mnchen-3ya.example.com", "2.0.192.in-addr.arpa", "notcustom.example.net", "a.b.c.d.example.com"} {
		b.addZone(name)
	}
	err := b.DeleteZone(t.Context(), b.root, zone)
	wantRefusal(t, "delete the main zone", err, sites.ErrConflict, "")
	if err := b.DeleteZone(t.Context(), b.root, "nothing.example.com"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("delete what is not there: %v", err)
	}
}

// TestACustomDomainBelongsToItsSite has a host of ann's site in a further zone.
func TestACustomDomainBelongsToItsSite(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	st := b.create("hello")
	_, err := b.store.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error {
		return tx.InsertHost(t.Context(), sites.Host{Name: "shop." + custom, Site: st.ID, Kind: sites.HostCustom})
	})
	if err != nil {
		t.Fatal(err)
	}
	b.mustEnter(b.ann, "shop."+custom+" 60 TXT hi", "a.shop."+custom+" 60 A 192.0.2.1")
	_, err = b.enter(b.bob, "b.shop."+custom+" 60 A 192.0.2.1")
	wantRefusal(t, "another owner", err, sites.ErrForbidden, "name")
	_, err = b.enter(b.root, "shop."+custom+" 60 A 192.0.2.1")
	wantRefusal(t, "its address", err, sites.ErrReserved, "type")
	err = b.DeleteZone(t.Context(), b.root, custom)
	wantRefusal(t, "deleting its zone", err, sites.ErrConflict, "")
	if err := b.DeleteSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteZone(t.Context(), b.root, custom); err != nil {
		t.Error(err)
	}
}

func TestASecondaryZonesRecordsAreItsPrimarys(t *testing.T) {
	b := boot(t)
	key := b.addKey("transfer.example")
	in := sites.NewZone{Name: custom, Kind: sites.ZoneSecondary, Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("[::ffff:192.0.2.1]:53"), Key: "Transfer.Example."}}}
	z, err := b.AddZone(t.Context(), b.root, in)
	if err != nil || z.Signed || len(z.Keys) != 0 || z.Primaries[0].Addr.String() != "192.0.2.1:53" {
		t.Fatalf("added as %+v, %v", z, err)
	}
	if p, _ := b.edge.zone(custom); len(p.TSIG) != 1 || !bytes.Equal(p.TSIG[0].Secret, key.Secret) {
		t.Errorf("published %+v", p)
	}
	_, err = b.enter(b.root, "a."+custom+" 60 A 192.0.2.1")
	wantRefusal(t, "a record in a secondary zone", err, sites.ErrConflict, "name")
	yes := true
	_, err = b.UpdateZone(t.Context(), b.root, custom, sites.ZoneUpdate{Signed: &yes})
	wantRefusal(t, "sign a secondary zone", err, sites.ErrInvalid, "signed")
}

func TestPeersArePublishedWithTheirKeys(t *testing.T) {
	b := boot(t)
	key := b.addKey("ns2")
	b.addKey("unused")
	peers := []sites.Peer{{
		Name: "ns2", Key: "NS2", Notify: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.2:53")},
		From: []netip.Prefix{netip.MustParsePrefix("192.0.2.77/24")},
	}}
	z, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Peers: &peers})
	if err != nil || z.Peers[0].Key != "ns2" || z.Peers[0].From[0].String() != "192.0.2.0/24" {
		t.Fatalf("updated to %+v, %v", z, err)
	}
	p, _ := b.edge.zone(zone)
	if len(p.Peers) != 1 || len(p.TSIG) != 1 || !bytes.Equal(p.TSIG[0].Secret, key.Secret) || len(p.Keys) != 2 {
		t.Errorf("published %+v", p)
	}
	err = b.DeleteTSIGKey(t.Context(), b.root, "ns2")
	if wantRefusal(t, "delete a key in use", err, sites.ErrConflict, ""); !strings.Contains(err.Error(), zone) {
		t.Errorf("%v does not name the zone", err)
	}
	none := []sites.Peer{}
	if _, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Peers: &none}); err != nil {
		t.Fatal(err)
	}
	if err := b.DeleteTSIGKey(t.Context(), b.root, "ns2"); err != nil {
		t.Error(err)
	}
}

func TestPeerRefusals(t *testing.T) {
	b := boot(t)
	from := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	for what, peers := range map[string][]sites.Peer{
		"no name":              {{From: from}},
		"the same name":        {{Name: "a", From: from}, {Name: "a", From: from}},
		"everybody":            {{Name: "a"}},
		"everybody as a range": {{Name: "a", From: []netip.Prefix{netip.MustParsePrefix("::/0")}}},
		"an unknown key":       {{Name: "a", Key: "none"}},
		"no port":              {{Name: "a", From: from, Notify: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:0")}}},
		"no address":           {{Name: "a", From: from, Notify: []netip.AddrPort{{}}}},
		"no range":             {{Name: "a", From: []netip.Prefix{{}}}},
		"too many":             make([]sites.Peer, 25),
	} {
		_, err := b.UpdateZone(t.Context(), b.root, zone, sites.ZoneUpdate{Peers: &peers})
		wantRefusal(t, what, err, sites.ErrInvalid, "peers")
	}
}

func TestTSIGSecretsAreShownOnce(t *testing.T) {
	b := boot(t)
	made := b.addKey("made.example")
	if len(made.Secret) != 32 || made.Algorithm != sites.TSIGSHA256 {
		t.Errorf("made %+v", made)
	}
	secret := bytes.Repeat([]byte{7}, 64)
	in := sites.NewTSIGKey{Name: "Given.Example.", Algorithm: "HMAC-SHA512", Secret: base64.StdEncoding.EncodeToString(secret)}
	if given, err := b.AddTSIGKey(t.Context(), b.root, in); err != nil || !bytes.Equal(given.Secret, secret) || given.Name != "given.example" {
		t.Errorf("given %+v, %v", given, err)
	}
	keys, err := b.TSIGKeys(t.Context(), b.root)
	if err != nil || len(keys) != 2 || keys[0].Secret != nil || keys[1].Secret != nil {
		t.Errorf("listed %+v, %v", keys, err)
	}
	_, err = b.AddTSIGKey(t.Context(), b.root, in)
	wantRefusal(t, "the same name", err, sites.ErrTaken, "name")
	for field, in := range map[string]sites.NewTSIGKey{
		"name":      {Name: "a b"},
		"algorithm": {Name: "a", Algorithm: "hmac-md5"},
		"secret":    {Name: "a", Secret: "c2hvcnQ="},
	} {
		_, err := b.AddTSIGKey(t.Context(), b.root, in)
		wantRefusal(t, field, err, sites.ErrInvalid, field)
	}
}

func TestNoSecretIsInTheAuditLog(t *testing.T) {
	b := boot(t)
	key := b.addKey("ns2")
	b.addZone(custom)
	events, err := b.Events(t.Context(), b.root, sites.EventFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if strings.Contains(e.Detail, base64.StdEncoding.EncodeToString(key.Secret)) || strings.Contains(e.Detail, string(key.Secret)) {
			t.Errorf("%+v", e)
		}
	}
}

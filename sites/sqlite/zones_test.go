package sqlite_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"berth/sites"
)

func TestZonesComeBackAsTheyWere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "berth.db")
	first := open(t, path)
	at := time.UnixMilli(1_700_000_000_000)
	in := sites.Zone{
		Name: "example.org", Kind: sites.ZoneMain, Signed: true, CreatedAt: at,
		Peers: []sites.Peer{{
			Name: "ns2", Key: "k", Notify: []netip.AddrPort{netip.MustParseAddrPort("[2001:db8::1]:53")},
			From: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		}},
		Primaries: []sites.Primary{{Addr: netip.MustParseAddrPort("192.0.2.1:5353"), Key: "k"}},
	}
	key := sites.ZoneKey{Role: sites.KeySigning, Private: []byte{1, 2}, PublishedAt: at, ActiveAt: at.Add(time.Hour)}
	tsig := sites.TSIGKey{Name: "k", Algorithm: sites.TSIGSHA512, Secret: []byte{3}, CreatedAt: at}
	write(t, first, func(tx sites.Tx) (err error) {
		if in.ID, err = tx.InsertZone(t.Context(), in); err != nil {
			return err
		}
		key.Zone = in.ID
		if key.ID, err = tx.InsertZoneKey(t.Context(), key); err != nil {
			return err
		}
		key.RemovedAt = at.Add(2 * time.Hour)
		return errors.Join(tx.UpdateZoneKey(t.Context(), key), tx.InsertTSIGKey(t.Context(), tsig))
	})
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	if z, err := s.Zone(t.Context(), "example.org"); err != nil || !reflect.DeepEqual(z, in) {
		t.Errorf("zone came back as %+v, %v", z, err)
	}
	if keys, err := s.ZoneKeys(t.Context(), in.ID); err != nil || len(keys) != 1 || !reflect.DeepEqual(keys[0], key) {
		t.Errorf("keys came back as %+v, %v; want %+v", keys, err, key)
	}
	if keys, err := s.TSIGKeys(t.Context()); err != nil || len(keys) != 1 || !reflect.DeepEqual(keys[0], tsig) {
		t.Errorf("TSIG keys came back as %+v, %v", keys, err)
	}
	_, err := s.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error {
		_, err := tx.InsertZone(t.Context(), sites.Zone{Name: "example.net", Kind: sites.ZoneMain})
		return err
	})
	if !errors.Is(err, sites.ErrTaken) {
		t.Errorf("a second main zone: %v", err)
	}
}

func TestRecordsWithinANameAreThoseBelowItsLabels(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	_, site := fixture(t, s)
	var zone sites.ZoneID
	names := []string{"a.example.org", "x.a.example.org", "y.x.a.example.org", "a-b.example.org", "xa.example.org", "b.example.org", "0.example.org"}
	write(t, s, func(tx sites.Tx) (err error) {
		if zone, err = tx.InsertZone(t.Context(), sites.Zone{Name: "example.org", Kind: sites.ZonePrimary}); err != nil {
			return err
		}
		for _, name := range names {
			r := sites.Record{Zone: zone, Name: name, Type: "MX", TTL: 60, Data: "10 mx.example.org.", Target: "mx.example.org"}
			if name == "b.example.org" {
				r.Site = site
			}
			if _, err := tx.InsertRecord(t.Context(), r); err != nil {
				return err
			}
		}
		return tx.InsertHost(t.Context(), sites.Host{Name: "deep.y.a.example.org", Site: site, Kind: sites.HostCustom})
	})
	found, err := s.RecordsWithin(t.Context(), "a.example.org", -1)
	if err != nil || len(found) != 3 || found[0].Name != "a.example.org" || found[2].Name != "y.x.a.example.org" {
		t.Errorf("within a.example.org: %+v, %v", found, err)
	}
	if found, err := s.RecordsWithin(t.Context(), "a.example.org", 1); err != nil || len(found) != 1 {
		t.Errorf("the first: %+v, %v", found, err)
	}
	if found, err := s.RecordsTo(t.Context(), "mx.example.org"); err != nil || len(found) != len(names) {
		t.Errorf("pointing at mx: %d, %v", len(found), err)
	}
	if h, err := s.HostWithin(t.Context(), "a.example.org"); err != nil || h.Name != "deep.y.a.example.org" {
		t.Errorf("host within: %+v, %v", h, err)
	}
	if _, err := s.HostWithin(t.Context(), "x.a.example.org"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("no host within: %v", err)
	}
	write(t, s, func(tx sites.Tx) error { return tx.DeleteSite(t.Context(), site) })
	if n, err := s.CountRecords(t.Context(), zone, 0); err != nil || n != len(names)-1 {
		t.Errorf("%d records without the site's, %v", n, err)
	}
	write(t, s, func(tx sites.Tx) error { return tx.DeleteZone(t.Context(), zone) })
	if left, err := s.Records(t.Context(), sites.RecordQuery{}); err != nil || len(left) != 0 {
		t.Errorf("records of a deleted zone: %+v, %v", left, err)
	}
}

func TestARevisionWithoutAChangeHasNoEvent(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "berth.db"))
	for want := range int64(3) {
		if got, err := s.NextRevision(t.Context()); err != nil || got != want+1 {
			t.Errorf("revision %d, %v; want %d", got, err, want+1)
		}
	}
	events, err := s.Events(t.Context(), sites.EventFilter{})
	if now, _ := s.Revision(t.Context()); err != nil || len(events) != 0 || now != 3 {
		t.Errorf("%d events at revision %d, %v", len(events), now, err)
	}
}

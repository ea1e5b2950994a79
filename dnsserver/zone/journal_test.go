package zone

import (
	"fmt"
	"testing"
	"time"

	"berth/sites"
)

// The journal reaches back as far as its bounds allow, and an older snapshot keeps its own.
func TestJournalIsBounded(t *testing.T) {
	z := newZone(t, testConfig())
	z.Apply(full(1))
	texts := func(revision int64, records int) {
		set := sites.RRSet{Name: "many.example.test", Type: "TXT", TTL: 60}
		for i := range records {
			set.Data = append(set.Data, fmt.Sprintf("\"%d of %d\"", i, revision))
		}
		z.Apply(sites.Change{Revision: revision, RRSets: []sites.RRSet{set}})
	}
	for revision := int64(2); revision <= 51; revision++ {
		texts(revision, 1)
	}
	before := z.Current()
	if versions, ok := before.Since(1); !ok || len(versions) != 50 {
		t.Errorf("%d versions since the first, %v", len(versions), ok)
	}
	// 100 records go and 100 come each time, with two SOA records: 49 such versions are within the bound.
	for revision := int64(52); revision < 152; revision++ {
		texts(revision, 100)
	}
	now := z.Current()
	if versions, ok := now.Since(102); !ok || len(versions) != 49 {
		t.Errorf("%d versions since 102, %v", len(versions), ok)
	}
	for _, serial := range []uint32{1, 101, 152, 1<<31 + 5} {
		if _, ok := now.Since(serial); ok {
			t.Errorf("the journal reaches back to %d", serial)
		}
	}
	if versions, ok := now.Since(151); !ok || len(versions) != 0 {
		t.Errorf("since now: %v, %v", versions, ok)
	}
	if versions, ok := before.Since(2); !ok || len(versions) != 49 || versions[48].ToSOA.Serial() != 51 {
		t.Errorf("the journal of an older snapshot has changed: %d versions, %v", len(versions), ok)
	}
	for revision := int64(200); revision < 200+2*maxVersions; revision++ {
		texts(revision, int(revision%2))
	}
	if n := len(z.Current().journal.versions); n > maxVersions || n*3 < minJournalRecords/2 {
		t.Errorf("%d versions", n)
	}
}

// A change that alters nothing in the end makes no version, not even where it altered something in between.
func TestNothingNewIsNoVersion(t *testing.T) {
	z := newSignedZone(t, &clock{time.Now()}, "one", "two")
	entered := sites.RRSet{Name: "one.example.test", Type: "TXT", TTL: 300, Data: []string{"\"v=spf1 -all\""}}
	for name, do := range map[string]func(){
		"a site that goes and comes": func() {
			z.Apply(sites.Change{Revision: 9, Gone: []string{"one.example.test"}, Sites: published("one")})
		},
		"what berth says anyway": func() { z.Apply(sites.Change{Revision: 10, RRSets: []sites.RRSet{entered}}) },
		"a challenge that is not there": func() {
			if err := z.SetChallenge("_acme-challenge.one.example.test", "v", false, 11); err != nil {
				t.Error(err)
			}
		},
		"a renewal with nothing due": func() { z.Renew(12) },
	} {
		before := z.Current().Serial()
		if do(); z.Current().Serial() != before {
			t.Errorf("%s: from serial %d to %d", name, before, z.Current().Serial())
		}
	}
}

// The difference is exact where a part of a set changes.
func TestDifferenceIsExact(t *testing.T) {
	z := newZone(t, testConfig())
	ch := full(1)
	set := sites.RRSet{Name: "x.example.test", Type: "TXT", TTL: 60, Data: []string{"a", "b"}}
	ch.RRSets = []sites.RRSet{set}
	z.Apply(ch)
	set.Data = []string{"c", "b"}
	z.Apply(sites.Change{Revision: 2, RRSets: []sites.RRSet{set}})
	changes, ok := z.Current().Since(1)
	if !ok || len(changes) != 1 || len(changes[0].Removed) != 1 || len(changes[0].Added) != 1 {
		t.Fatalf("changes %v, %v", changes, ok)
	}
	removed, added := text(t, changes[0].Removed[0]), text(t, changes[0].Added[0])
	if len(removed) != 1 || len(added) != 1 || removed[0] != "x.example.test.\t60\tIN\tTXT\t\"a\"" || added[0] != "x.example.test.\t60\tIN\tTXT\t\"c\"" {
		t.Errorf("removed %q, added %q", removed, added)
	}
	set.TTL = 61
	z.Apply(sites.Change{Revision: 3, RRSets: []sites.RRSet{set}})
	changes, _ = z.Current().Since(2)
	if len(text(t, changes[0].Removed[0])) != 2 || len(text(t, changes[0].Added[0])) != 2 {
		t.Errorf("another TTL: %v", changes)
	}
}

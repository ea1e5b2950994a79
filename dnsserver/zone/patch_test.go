package zone

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// steps is what turns one signed zone into another, as an incremental transfer has it.
func steps(from, to []dns.RR) (removed, added []dns.RR) {
	index := func(rrs []dns.RR) map[string]dns.RR {
		m := make(map[string]dns.RR, len(rrs))
		for _, rr := range rrs {
			m[rr.String()] = rr
		}
		return m
	}
	old, next := index(from), index(to)
	for _, text := range slices.Sorted(maps.Keys(old)) {
		if next[text] == nil {
			removed = append(removed, old[text])
		}
	}
	for _, text := range slices.Sorted(maps.Keys(next)) {
		if old[text] == nil {
			added = append(added, next[text])
		}
	}
	return removed, added
}

// unpackDifference is what a peer would be sent.
func unpackDifference(t testing.TB, d Difference) (removed, added []dns.RR) {
	t.Helper()
	return unpack(t, append([]Placed{d.FromSOA}, d.Removed...)), unpack(t, append([]Placed{d.ToSOA}, d.Added...))
}

// Whichever way a zone comes, by steps or as a whole, it becomes the same, and a secondary of the secondary follows by
// the journal.
func TestPatchedZoneIsTheLoadedOne(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	rounds := 2
	if soaking() {
		rounds = 6
	}
	for _, signing := range signings {
		t.Run(signing.name, func(t *testing.T) {
			from := records(t, signZone(t, trickyZone, signing.flags...))
			first, patched, loaded := from, mustSecondary(t, from), mustSecondary(t, from)
			for round := range rounds {
				changed := strings.Replace(trickyZone, "admin 10 ", fmt.Sprintf("admin %d ", 11+round), 1)
				for range 5 {
					changed += fmt.Sprintf("n%d.m%d %d A 192.0.2.%d\n", random.IntN(9), random.IntN(9), 300, random.IntN(250))
				}
				if round == 1 {
					changed = strings.Replace(changed, "*.wild A 192.0.2.9\n", "", 1)
					changed = strings.Replace(changed, "insecure NS", "elsewise NS", 2)
				}
				to := records(t, signZone(t, changed, signing.flags...))
				if err := patched.Patch(steps(from, to)); err != nil {
					t.Fatal(err)
				}
				if err := loaded.Load(to); err != nil {
					t.Fatal(err)
				}
				want := lines(to)
				for name, z := range map[string]*Zone{"patched": patched, "loaded": loaded} {
					if !slices.Equal(contentOf(t, z), want) {
						t.Fatalf("the %s zone is another", name)
					}
				}
				if p, l := patched.Current().Names(), loaded.Current().Names(); p != l {
					t.Errorf("%d names by steps, %d as a whole", p, l)
				}
				from = to
			}
			for name, z := range map[string]*Zone{"patched": patched, "loaded": loaded} {
				versions, ok := z.Current().Since(10)
				if !ok || len(versions) != rounds {
					t.Fatalf("%d versions of the %s zone since 10, known %v", len(versions), name, ok)
				}
				next := mustSecondary(t, first)
				for _, version := range versions {
					if err := next.Patch(unpackDifference(t, version)); err != nil {
						t.Fatal(err)
					}
				}
				if !slices.Equal(contentOf(t, next), lines(from)) {
					t.Errorf("the secondary of the %s zone is another", name)
				}
			}
		})
	}
}

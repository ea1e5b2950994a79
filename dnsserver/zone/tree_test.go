package zone

import (
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// The tree does what a map does, whatever comes, and old trees stay as they were.
func TestTreeAgainstAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	labels := []string{"a\x00", "ab\x00", "abc\x00", "b\x00", "\x01\x01\x00", "_x\x00", "abd\x00"}
	root := &node{entry: &entry{}}
	model := map[string]*entry{"": root.entry}
	for round := range 3000 {
		oldRoot, oldModel := root, maps.Clone(model)
		e := newEdit(root, nil)
		for range 1 + random.IntN(4) {
			var key string
			for range 1 + random.IntN(3) {
				key += labels[random.IntN(len(labels))]
			}
			if random.IntN(2) == 0 {
				value := &entry{name: name{key: key}}
				e.put(key, value)
				model[key] = value
			} else {
				e.delete(key)
				delete(model, key)
			}
		}
		root, _ = e.commit()
		compareTree(t, root, model)
		if round%50 == 0 {
			compareTree(t, oldRoot, oldModel)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

func compareTree(t *testing.T, root *node, model map[string]*entry) {
	t.Helper()
	var keys []string
	for e := range root.all() {
		keys = append(keys, e.name.key)
	}
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(keys, want) {
		t.Errorf("keys %q, want %q", keys, want)
	}
	for key, value := range model {
		if root.get(key) != value || root.find([]byte(key)).entry != value {
			t.Errorf("%q is not found", key)
		}
		for above := key; above != ""; {
			i := strings.LastIndexByte(above[:len(above)-1], 0) + 1
			above = above[:i]
			if m := root.find([]byte(above)); m.below != (model[above] == nil) {
				t.Errorf("%q above %q: below is %v", above, key, m.below)
			}
		}
		if m := root.find([]byte(key + "zz\x00")); m.entry != nil || m.below {
			t.Errorf("something at or below %q", key+"zz\x00")
		}
	}
	checkShape(t, root, true)
}

func checkShape(t *testing.T, n *node, isRoot bool) {
	t.Helper()
	if !isRoot && (n.prefix == "" || n.entry == nil && len(n.children) < 2) {
		t.Errorf("node %q should not be", n.prefix)
	}
	for i, child := range n.children {
		if child.prefix[0] != n.first[i] || i > 0 && n.first[i-1] >= n.first[i] {
			t.Errorf("children of %q are out of order", n.prefix)
		}
		checkShape(t, child, false)
	}
}

// The example of RFC 4034 section 6.1, below the zone.
func TestCanonicalOrder(t *testing.T) {
	o := testOrigin(t)
	var keys []string
	for _, text := range []string{
		"example.test", "a.example.test", "yljkjljk.a.example.test", "Z.a.example.test", "zABC.a.EXAMPLE.test", "z.example.test",
		`\000.z.example.test`, `\000\000.z.example.test`, `\001.z.example.test`, `\002.z.example.test`, "*.z.example.test", `\200.z.example.test`,
	} {
		n, err := o.parse(text)
		if err != nil || !n.inside {
			t.Fatalf("%s: %v", text, err)
		}
		keys = append(keys, n.key)
	}
	for i := 1; i < len(keys); i++ {
		if keys[i-1] >= keys[i] {
			t.Errorf("%q should stand before %q", keys[i-1], keys[i])
		}
	}
}

func testOrigin(t testing.TB) origin {
	wire, err := PackName("example.test")
	if err != nil {
		t.Fatal(err)
	}
	return origin(wire)
}

// The last of many names costs what the 10th did: counted in allocations and bytes, for a site that comes and goes.
func TestCostOfAChangeDoesNotGrow(t *testing.T) {
	costDoesNotGrow(t, 10_000, func(existing int) *Zone {
		z := newZone(t, testConfig())
		z.Apply(full(1, siteNames(existing)...))
		return z
	})
}

// Nor does that of a signed zone: only the site's own name, the one before it and the SOA record are signed.
func TestCostOfASignedChangeDoesNotGrow(t *testing.T) {
	costDoesNotGrow(t, 2_000, func(existing int) *Zone {
		return newSignedZone(t, &clock{time.Now()}, siteNames(existing)...)
	})
	z := newSignedZone(t, &clock{time.Now()}, siteNames(50)...)
	from := z.Current().Serial()
	z.Apply(sites.Change{Revision: 2, Sites: published("site-of-mine")})
	changes, _ := z.Current().Since(from)
	var touched []string
	for _, p := range changes[0].Added {
		if !slices.Contains(touched, p.Owner) {
			touched = append(touched, p.Owner)
		}
	}
	if len(touched) != 2 || len(changes[0].Removed) != 1 || changes[0].Removed[0].Set.Type != dns.TypeNSEC {
		t.Errorf("touched %q, removed %v", touched, changes[0].Removed)
	}
}

func costDoesNotGrow(t *testing.T, many int, with func(existing int) *Zone) {
	t.Helper()
	const few = 10
	allocations, bytes := map[int]float64{}, map[int]uint64{}
	for _, existing := range []int{few, many} {
		z := with(existing)
		come := sites.Change{Revision: 2, Sites: published("site-of-mine")}
		leave := sites.Change{Revision: 3, Gone: come.Sites[0].Hosts}
		both := func() {
			z.Apply(come)
			z.Apply(leave)
		}
		allocations[existing] = testing.AllocsPerRun(100, both)
		bytes[existing] = bytesPerRun(100, both)
	}
	t.Logf("allocations %v, bytes %v", allocations, bytes)
	if ratio := allocations[many] / allocations[few]; ratio > 1.5 {
		t.Errorf("allocations grow by %.2f: %v", ratio, allocations)
	}
	if grown := float64(bytes[many]) / float64(bytes[few]); grown > 2 {
		t.Errorf("bytes grow by %.2f: %v", grown, bytes)
	}
}

func bytesPerRun(runs int, f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / uint64(runs)
}

// A full change that finds everything in place keeps the tree.
func TestFullChangeWithNothingNewKeepsTheTree(t *testing.T) {
	s := newZone(t, testConfig())
	s.Apply(full(1, siteNames(100)...))
	before := s.current.Load()
	s.Apply(full(2, siteNames(100)...))
	if s.current.Load() != before {
		t.Error("another snapshot")
	}
}

// Faulty sets are remembered, so that each is logged once, but not for longer than they are named.
func TestFaultySetsAreForgotten(t *testing.T) {
	z := newZone(t, testConfig())
	z.Apply(sites.Change{Revision: 1, RRSets: []sites.RRSet{{Name: "bad.example.test", Type: "A", Data: []string{"nonsense"}}}})
	if len(z.refused) != 1 {
		t.Errorf("%d faulty sets are remembered, want 1", len(z.refused))
	}
	z.Apply(full(2))
	if n := len(z.refused); n > 0 {
		t.Errorf("%d faulty sets are remembered that nobody names any more", n)
	}
}

// The neighbours of a name in the chain are those of a sorted list without the names below delegations.
func TestNeighboursInTheChain(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	labels := []string{"a\x00", "ab\x00", "abc\x00", "b\x00", "c\x00"}
	randomKey := func() (key string) {
		for range 1 + random.IntN(4) {
			key += labels[random.IntN(len(labels))]
		}
		return key
	}
	for range 300 {
		e := newEdit(&node{entry: &entry{}}, nil)
		for range random.IntN(40) {
			key := randomKey()
			e.put(key, &entry{name: name{key: key}, cut: random.IntN(4) == 0})
		}
		root, _ := e.commit()
		var chain []*entry
		for e := range root.all() {
			if len(chain) == 0 || !chain[len(chain)-1].cut || !strings.HasPrefix(e.name.key, chain[len(chain)-1].name.key) {
				chain = append(chain, e)
			}
		}
		for i, e := range chain {
			var next *entry
			if i+1 < len(chain) {
				next = chain[i+1]
			}
			if got := root.after(e); got != next {
				t.Fatalf("after %q stands %v, want %v", e.name.key, got, next)
			}
		}
		for range 50 {
			key := randomKey()
			var want *entry
			for _, e := range chain {
				if e.name.key < key {
					want = e
				}
			}
			if got := root.before([]byte(key)); got != want {
				t.Fatalf("before %q stands %v, want %v", key, got, want)
			}
		}
	}
}

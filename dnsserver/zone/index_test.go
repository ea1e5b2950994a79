package zone

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"berth/sites"
)

// The index does what a map does, whatever comes, and old indexes stay as they were.
func TestIndexAgainstAMap(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	root, index := &node{}, new(index)
	model := make(map[string]*entry)
	for round := range 300 {
		oldIndex, oldModel := index, maps.Clone(model)
		e := newEdit(root, index.clone())
		for range 1 + random.IntN(100) {
			key := fmt.Sprint(random.IntN(5000), "\x00")
			if random.IntN(4) > 0 {
				value := &entry{name: name{key: key}, cut: random.IntN(10) == 0}
				e.put(key, value)
				model[key] = value
			} else {
				e.delete(key)
				delete(model, key)
			}
		}
		root, index = e.commit()
		if round%20 == 0 {
			compareIndex(t, index, model)
			compareIndex(t, oldIndex, oldModel)
		}
		if t.Failed() {
			t.Fatalf("in round %d", round)
		}
	}
}

func compareIndex(t *testing.T, x *index, model map[string]*entry) {
	t.Helper()
	hides := 0
	for key, value := range model {
		hides += hidden(value)
		if x.get([]byte(key)) != value {
			t.Errorf("%q is not found", key)
		}
	}
	for i := range 5000 {
		if key := fmt.Sprint(i, "\x00"); model[key] == nil && x.get([]byte(key)) != nil {
			t.Errorf("%q is found", key)
		}
	}
	if x.hides != hides {
		t.Errorf("%d names hide others, want %d", x.hides, hides)
	}
}

// The index says of every name what the tree does, be it delegated, below such a name, or neither, and whenever that changes.
func TestIndexAgreesWithTheTree(t *testing.T) {
	z := newZone(t, testConfig())
	agree := func(when string) {
		t.Helper()
		now := z.Current()
		for e := range now.root.all() {
			if got, want := now.find([]byte(e.name.key)), now.root.find([]byte(e.name.key)); got != want {
				t.Errorf("%s, %q: %+v, want %+v", when, e.name.key, got, want)
			}
		}
	}
	set := func(name, rrtype string, data ...string) sites.RRSet {
		return sites.RRSet{Name: name, Type: rrtype, TTL: 60, Data: data}
	}
	first := full(1, siteNames(100)...)
	first.RRSets = []sites.RRSet{
		set("ns.child.example.test", "A", "192.0.2.5"), set("deep.ns.child.example.test", "TXT", "hidden"),
		set("childish.example.test", "TXT", "beside"), set("a.b.c.example.test", "TXT", "deep"),
	}
	z.Apply(first)
	agree("without a delegation")
	z.Apply(sites.Change{Revision: 2, RRSets: []sites.RRSet{set("child.example.test", "NS", "ns.child.example.test.")}})
	agree("with a delegation")
	z.Apply(sites.Change{Revision: 3, RRSets: []sites.RRSet{set("child.example.test", "NS")}})
	agree("without it again")
}

package analytics

import (
	"hash/maphash"
	"math"
	"testing"
)

func TestSketchCounts(t *testing.T) {
	seed := maphash.MakeSeed()
	for _, n := range []int{0, 1, exact, exact + 1, 500, 3000, 6000, 20_000, 300_000} {
		var s sketch
		for range 2 { // who comes again is no other visitor
			for i := range n {
				s.add(maphash.Comparable(seed, i))
			}
		}
		got := s.count()
		// Six standard errors: once in a hundred million runs it would be outside.
		if bound := max(6*0.023*float64(n), 0.5); n > exact && math.Abs(float64(got)-float64(n)) > bound {
			t.Errorf("%d visitors are counted as %d", n, got)
		} else if n <= exact && got != int64(n) {
			t.Errorf("%d visitors are counted as %d, and few should be exact", n, got)
		}
	}
}

package sites_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"berth/sites"
)

func TestRankingCountsFewExactly(t *testing.T) {
	var r sites.Ranking
	for i := range sites.MaxRanking {
		r.Add(fmt.Sprint(i), int64(i+1), 0)
		r.Add(fmt.Sprint(i), 1, 0)
	}
	top := r.Top(2)
	want := []sites.Rank{{Key: "99", Count: 101}, {Key: "98", Count: 100}}
	if !slices.Equal(top, want) || r.Len() != sites.MaxRanking {
		t.Errorf("the top is %v, want %v", top, want)
	}
	if got := r.Top(1000); len(got) != sites.MaxRanking {
		t.Errorf("there are %d", len(got))
	}
	if got := (&sites.Ranking{}).Top(5); len(got) != 0 {
		t.Errorf("nothing was counted, and the top is %v", got)
	}
}

// TestRankingFindsWhatIsFrequent mixes a few frequent keys with many rare ones, over several rankings that are merged.
func TestRankingFindsWhatIsFrequent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	counted := map[string]int64{}
	var all sites.Ranking
	for range 10 {
		var part sites.Ranking
		for i := range 5000 {
			key := fmt.Sprint("rare", random.IntN(100_000))
			if i%4 == 0 {
				key = fmt.Sprint("often", random.IntN(5))
			}
			part.Add(key, 1, 0)
			counted[key]++
		}
		all.Merge(part)
	}
	if all.Len() > sites.MaxRanking {
		t.Errorf("%d keys are held", all.Len())
	}
	for _, rank := range all.Top(5) {
		if rank.Sure() > counted[rank.Key] || rank.Count < counted[rank.Key] {
			t.Errorf("%s is between %d and %d, and was counted %d times", rank.Key, rank.Sure(), rank.Count, counted[rank.Key])
		}
		if counted[rank.Key] < 2000 {
			t.Errorf("%s is among the first and was counted %d times", rank.Key, counted[rank.Key])
		}
	}
}

package sites

import (
	"cmp"
	"slices"
)

// Rank is how often something was counted.
type Rank struct {
	Key   string `json:"key"`
	Count int64  `json:"count"`
	Over  int64  `json:"over,omitempty"` // at most so much of Count was counted of others
}

// Sure is how often at least it was counted.
func (r Rank) Sure() int64 { return r.Count - r.Over }

// Ranking finds what is counted most often among however many, in bounded memory: the Space-Saving algorithm (Metwally, Agrawal, El
// Abbadi 2005). What makes up more than one in MaxRanking of a stream is in it for certain. The zero Ranking is empty. It is not safe for
// concurrent use.
type Ranking struct{ ranks map[string]*Rank }

// MaxRanking is how many different keys a Ranking holds.
const MaxRanking = 100

// Add counts a key n times, of which at most over may have been of others.
func (r *Ranking) Add(key string, n, over int64) {
	if rank := r.ranks[key]; rank != nil {
		rank.Count += n
		rank.Over += over
		return
	}
	if r.ranks == nil {
		r.ranks = make(map[string]*Rank)
	}
	rank := &Rank{Key: key, Count: n, Over: over}
	if len(r.ranks) >= MaxRanking {
		least := r.least()
		delete(r.ranks, least.Key)
		rank.Count += least.Count
		rank.Over += least.Count
	}
	r.ranks[key] = rank
}

func (r *Ranking) least() (least *Rank) {
	for _, rank := range r.ranks {
		if least == nil || rank.Count < least.Count {
			least = rank
		}
	}
	return least
}

// Merge adds all that another Ranking has counted.
func (r *Ranking) Merge(other Ranking) {
	for _, rank := range other.Top(MaxRanking) {
		r.Add(rank.Key, rank.Count, rank.Over)
	}
}

// Len is the number of keys.
func (r *Ranking) Len() int { return len(r.ranks) }

// Has reports whether the key is one of those that are held.
func (r *Ranking) Has(key string) bool { return r.ranks[key] != nil }

// Top lists the keys that were counted most often for certain, at most so many.
func (r *Ranking) Top(most int) []Rank {
	list := make([]Rank, 0, len(r.ranks))
	for _, rank := range r.ranks {
		list = append(list, *rank)
	}
	slices.SortFunc(list, func(a, b Rank) int {
		return cmp.Or(cmp.Compare(b.Sure(), a.Sure()), cmp.Compare(a.Key, b.Key))
	})
	return list[:min(len(list), most)]
}

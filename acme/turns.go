package acme

import (
	"cmp"
	"maps"
	"slices"

	"berth/sites"
)

// turns holds the hosts of a class that are ready, in the order in which they came; those that want their first certificate by
// account, so that however many one has, they are in no other's way.
type turns map[sites.AccountID][]*host

// turn is whose turn the work on a host takes. What runs out or has to end is nobody's: the first to come is the next.
func (h *host) turn() sites.AccountID {
	if h.task.class == classOrder {
		return h.task.by
	}
	return 0
}

func (t *turns) add(h *host) {
	if *t == nil {
		*t = make(turns)
	}
	(*t)[h.turn()] = append((*t)[h.turn()], h)
}

func (t turns) remove(h *host) {
	hosts := t[h.turn()]
	i := slices.Index(hosts, h)
	if t[h.turn()] = slices.Delete(hosts, i, i+1); len(hosts) == 1 {
		delete(t, h.turn())
	}
}

// lookahead bounds how many hosts of a class are looked at for one that is let through: nearly always it is the first or none.
const lookahead = 64

// first are the hosts to be looked at, those of the account first that has had the least.
func (t turns) first(most int, had func(sites.AccountID) int) []*host {
	accounts := slices.SortedFunc(maps.Keys(t), func(a, b sites.AccountID) int {
		return cmp.Or(cmp.Compare(had(a), had(b)), cmp.Compare(a, b))
	})
	var list []*host
	for _, by := range accounts {
		list = append(list, t[by][:min(len(t[by]), most-len(list))]...)
		if len(list) == most {
			break
		}
	}
	return list
}

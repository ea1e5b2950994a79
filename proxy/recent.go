package proxy

import (
	"sync"
	"sync/atomic"
)

// recent remembers credentials in two generations: once the younger one is full it takes the place of the older, so what is in
// use stays and the whole is bounded. Looking takes no lock.
type recent struct {
	adding sync.Mutex
	count  int // of young
	young  atomic.Pointer[sync.Map]
	old    atomic.Pointer[sync.Map]
}

func (r *recent) has(id credential) bool {
	if young := r.young.Load(); young != nil {
		if _, ok := young.Load(id); ok {
			return true
		}
	}
	old := r.old.Load()
	if old == nil {
		return false
	}
	_, ok := old.Load(id)
	if ok {
		r.add(id)
	}
	return ok
}

func (r *recent) add(id credential) {
	r.adding.Lock()
	defer r.adding.Unlock()
	young := r.young.Load()
	if young == nil || r.count >= mostKnown/2 {
		r.old.Store(young)
		young, r.count = new(sync.Map), 0
		r.young.Store(young)
	}
	if _, there := young.LoadOrStore(id, struct{}{}); !there {
		r.count++
	}
}

package zone

import (
	"bytes"
	"hash/maphash"
	"slices"
)

const (
	indexBits = 4 // of a hash, that a level of an index tells apart
	fanout    = 1 << indexBits
	pageSize  = 32 // entries
)

// index finds the entries of a tree by the hash of their keys: with less memory to wait for than on the way down a tree,
// which matters once the zone does not fit into the processor's caches. Like the tree it is immutable but for
// the edit that makes it, and a change copies the pages on the way to what it touches.
type index struct {
	seed  maphash.Seed
	root  *fork
	hides int // names below which others answer or nothing does
}

// fork leads on by the next bits of a hash.
type fork struct {
	owner *author
	next  [fanout]place
}

// place is a fork, a page, or nothing.
type place struct {
	fork *fork
	page *page
}

// page has the entries whose hashes begin alike. It fills a line of the processor's cache.
type page struct {
	owner   *author
	entries []*entry
	tags    [pageSize]byte // other bits of the entries' hashes
}

func tagOf(hash uint64) byte { return byte(hash >> 56) }

func branchOf(hash uint64, level int) int { return int(hash>>(level*indexBits)) & (fanout - 1) }

// get returns the entry at a key, or nil.
func (x *index) get(key []byte) *entry {
	if x == nil || x.root == nil {
		return nil
	}
	hash := maphash.Bytes(x.seed, key)
	at := &x.root.next[branchOf(hash, 0)]
	for level := 1; at.fork != nil; level++ {
		at = &at.fork.next[branchOf(hash, level)]
	}
	if at.page == nil {
		return nil
	}
	tags := at.page.tags[:len(at.page.entries)]
	for i := 0; ; i++ {
		n := bytes.IndexByte(tags[i:], tagOf(hash))
		if n < 0 {
			return nil
		}
		i += n
		if e := at.page.entries[i]; e.name.key == string(key) {
			return e
		}
	}
}

// clone returns an index for an edit to change.
func (x *index) clone() *index {
	if x == nil {
		return &index{}
	}
	next := *x
	return &next
}

// put replaces the entry at a key; nil removes it.
func (x *index) put(by *author, key string, value *entry) {
	if x.root == nil {
		x.seed, x.root = maphash.MakeSeed(), &fork{owner: by}
	}
	x.root = x.root.owned(by)
	hash := maphash.String(x.seed, key)
	at, level := &x.root.next[branchOf(hash, 0)], 1
	for ; at.fork != nil; level++ {
		at.fork = at.fork.owned(by)
		at = &at.fork.next[branchOf(hash, level)]
	}
	at.page = at.page.owned(by)
	i := slices.IndexFunc(at.page.entries, func(e *entry) bool { return e.name.key == key })
	switch {
	case i >= 0 && value != nil:
		x.hides += hidden(value) - hidden(at.page.entries[i])
		at.page.entries[i] = value
	case i >= 0:
		x.hides -= hidden(at.page.entries[i])
		at.page.remove(i)
	case value != nil:
		x.hides += hidden(value)
		x.add(by, at, level, hash, value)
	}
}

// add puts a new entry into the page at a place, which becomes a fork when it is full.
func (x *index) add(by *author, at *place, level int, hash uint64, value *entry) {
	for len(at.page.entries) == pageSize {
		full := at.page
		at.fork, at.page = &fork{owner: by}, nil
		for _, e := range full.entries {
			h := maphash.String(x.seed, e.name.key)
			to := &at.fork.next[branchOf(h, level)]
			to.page = to.page.owned(by)
			to.page.append(h, e)
		}
		at, level = &at.fork.next[branchOf(hash, level)], level+1
		at.page = at.page.owned(by)
	}
	at.page.append(hash, value)
}

func (p *page) append(hash uint64, e *entry) {
	p.tags[len(p.entries)] = tagOf(hash)
	p.entries = append(p.entries, e)
}

func (p *page) remove(i int) {
	copy(p.tags[i:], p.tags[i+1:])
	p.entries = slices.Delete(p.entries, i, i+1)
}

// owned returns the page, or a copy of it, that the edit may change.
func (p *page) owned(by *author) *page {
	switch {
	case p == nil:
		return &page{owner: by}
	case p.owner == by:
		return p
	}
	return &page{owner: by, entries: slices.Clone(p.entries), tags: p.tags}
}

func (f *fork) owned(by *author) *fork {
	if f.owner == by {
		return f
	}
	next := *f
	next.owner = by
	return &next
}

func hidden(e *entry) int {
	if e.hides() {
		return 1
	}
	return 0
}

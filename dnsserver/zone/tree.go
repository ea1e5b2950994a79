package zone

import (
	"bytes"
	"iter"
	"slices"
	"strings"
)

// node is a node of an immutable radix tree from keys of names (see appendKey) to entries. The key of a node is the
// prefixes on the way to it; a node without an entry has at least two children. The root is the apex.
type node struct {
	prefix   string
	entry    *entry
	first    string // the first byte of each child's prefix, ascending
	children []*node
	owner    *author // of the edit that made the node and may still change it
	due      uint32  // the least of the entries', 0: none is ever due
}

// match is what a tree knows of a key.
type match struct {
	entry    *entry // at the key itself
	cut      *entry // the topmost delegation at or above the key
	redirect *entry // the topmost DNAME above the key, unless a delegation is above it
	below    bool   // there is no entry at the key but there are some below it
	encloser int    // where nothing is at or below the key: the length of the closest encloser's (RFC 4592 section 3.3.1)
}

// find looks a key up.
func (n *node) find(key []byte) match {
	var m match
	rest := key
	for {
		if e := n.entry; e != nil && e.hides() && m.cut == nil && m.redirect == nil {
			if e.cut {
				m.cut = e
			} else if len(rest) > 0 {
				m.redirect = e
			}
		}
		if len(rest) == 0 {
			m.entry, m.below = n.entry, n.entry == nil
			return m
		}
		i := strings.IndexByte(n.first, rest[0])
		if i < 0 {
			m.encloser = enclosing(key, len(key)-len(rest))
			return m
		}
		n = n.children[i]
		shared := shared(n.prefix, rest)
		if shared < len(n.prefix) {
			m.below = shared == len(rest)
			m.encloser = enclosing(key, len(key)-len(rest)+shared)
			return m
		}
		rest = rest[shared:]
	}
}

// enclosing returns how long the key is of the longest name at or above a key that ends within the first n bytes of it.
func enclosing(key []byte, n int) int { return bytes.LastIndexByte(key[:n], 0) + 1 }

// shared returns how many bytes a prefix and a key begin with in common.
func shared[K []byte | string](prefix string, key K) int {
	n := min(len(prefix), len(key))
	if string(key[:n]) == prefix[:n] {
		return n
	}
	for i := range n {
		if prefix[i] != key[i] {
			return i
		}
	}
	return n
}

// get returns the entry at a key, or nil.
func (n *node) get(key string) *entry {
	for len(key) > 0 {
		i := strings.IndexByte(n.first, key[0])
		if i < 0 || !strings.HasPrefix(key, n.children[i].prefix) {
			return nil
		}
		n = n.children[i]
		key = key[len(n.prefix):]
	}
	return n.entry
}

// before returns the last entry of the chain of NSEC records (RFC 4034 section 4) that stands before a key: the one
// whose record covers the key, when there is no entry at it. Names below a delegation or a DNAME are not in the chain.
// It is nil for the first key.
func (n *node) before(key []byte) *entry {
	var above *entry // the last entry on the way
	var aside *node  // the last subtree on its left that stands behind that
	for len(key) > 0 {
		if n.entry != nil {
			if above, aside = n.entry, nil; above.hides() {
				return above
			}
		}
		i := n.place(key[0])
		if i > 0 {
			aside = n.children[i-1]
		}
		if i == len(n.first) || n.first[i] != key[0] {
			break
		}
		n = n.children[i]
		shared := shared(n.prefix, key)
		if shared < len(n.prefix) {
			if shared < len(key) && n.prefix[shared] < key[shared] {
				aside = n
			}
			break
		}
		key = key[shared:]
	}
	if aside != nil {
		return aside.last()
	}
	return above
}

// last returns the last entry of the chain at or below a node.
func (n *node) last() *entry {
	for len(n.children) > 0 && (n.entry == nil || !n.entry.hides()) {
		n = n.children[len(n.children)-1]
	}
	return n.entry
}

// after returns the first entry of the chain that stands after an entry of it, or nil.
func (n *node) after(e *entry) *entry {
	var next *node
	for key := e.name.key; len(key) > 0; {
		i := strings.IndexByte(n.first, key[0])
		if i < 0 {
			return nil
		}
		if i+1 < len(n.children) {
			next = n.children[i+1]
		}
		n = n.children[i]
		key = key[len(n.prefix):]
	}
	if len(n.children) > 0 && !e.hides() {
		next = n.children[0]
	}
	for next != nil && next.entry == nil {
		next = next.children[0]
	}
	if next == nil {
		return nil
	}
	return next.entry
}

// place is where a child would stand that begins with a byte.
func (n *node) place(first byte) (i int) {
	for i < len(n.first) && n.first[i] < first {
		i++
	}
	return i
}

// cutAbove reports whether there is a delegation above a key.
func (n *node) cutAbove(key string) bool {
	m := n.find([]byte(key))
	return m.cut != nil && m.cut.name.key != key
}

// below returns the entries below a key, in canonical order.
func (n *node) below(key string) (entries []*entry) {
	for rest := key; len(rest) > 0; {
		i := strings.IndexByte(n.first, rest[0])
		if i < 0 {
			return nil
		}
		n = n.children[i]
		shared := shared(n.prefix, rest)
		if shared < len(n.prefix) && shared < len(rest) {
			return nil
		}
		rest = rest[shared:]
	}
	for e := range n.all() {
		if len(e.name.key) > len(key) {
			entries = append(entries, e)
		}
	}
	return entries
}

// dueBy appends the keys of the entries that are due at a time, up to a number of keys.
func (n *node) dueBy(now uint32, most int, keys []string) []string {
	if n.due == 0 || n.due > now || len(keys) >= most {
		return keys
	}
	if due := n.entry.due(); due != 0 && due <= now {
		keys = append(keys, n.entry.name.key)
	}
	for _, child := range n.children {
		keys = child.dueBy(now, most, keys)
	}
	return keys
}

// settle finds the least time again.
func (n *node) settle() {
	n.due = n.entry.due()
	for _, child := range n.children {
		if child.due != 0 && (n.due == 0 || child.due < n.due) {
			n.due = child.due
		}
	}
}

// all yields the entries in canonical order.
func (n *node) all() iter.Seq[*entry] {
	return func(yield func(*entry) bool) { n.walk(yield) }
}

func (n *node) walk(yield func(*entry) bool) bool {
	if n.entry != nil && !yield(n.entry) {
		return false
	}
	for _, child := range n.children {
		if !child.walk(yield) {
			return false
		}
	}
	return true
}

// edit makes a new tree from another. Only nodes on the way to what it touches are copied, each of them once.
type edit struct {
	author *author
	root   *node
	index  *index // of the same entries; nil for a tree without
}

// author tells one edit from all others. It is apart from the edit, since nodes keep it for as long as they live, and must not
// keep what the edit was made from: that would be all former versions of the zone.
type author struct{ _ byte }

func newEdit(root *node, index *index) edit {
	return edit{author: new(author), root: root, index: index}
}

func (e *edit) put(key string, value *entry) {
	e.root = e.insert(e.root, key, value)
	if e.index != nil {
		e.index.put(e.author, key, value)
	}
}

func (e *edit) delete(key string) {
	if e.root.get(key) == nil {
		return
	}
	e.root = e.remove(e.root, key)
	if e.index != nil {
		e.index.put(e.author, key, nil)
	}
}

// commit ends the edit and returns the new tree and its index.
func (e *edit) commit() (*node, *index) {
	root, index := e.root, e.index
	*e = edit{}
	return root, index
}

// own returns n, or a copy of it, that the edit may change.
func (e *edit) own(n *node) *node {
	if n.owner == e.author {
		return n
	}
	return &node{
		prefix: n.prefix, entry: n.entry, owner: e.author,
		first: n.first, children: slices.Clone(n.children), due: n.due,
	}
}

func (e *edit) insert(n *node, key string, value *entry) *node {
	n = e.own(n)
	defer n.settle()
	if key == "" {
		n.entry = value
		return n
	}
	i := strings.IndexByte(n.first, key[0])
	if i < 0 {
		i = n.place(key[0])
		n.first = n.first[:i] + key[:1] + n.first[i:]
		children := append(make([]*node, 0, len(n.children)+1), n.children...) // without room to grow: most never do again
		n.children = slices.Insert(children, i, &node{prefix: key, entry: value, owner: e.author, due: value.due()})
		return n
	}
	child := n.children[i]
	shared := shared(child.prefix, key)
	if shared < len(child.prefix) {
		child = e.split(child, shared)
	}
	n.children[i] = e.insert(child, key[shared:], value)
	return n
}

// split puts a node above n that has the first part of its prefix.
func (e *edit) split(n *node, at int) *node {
	n = e.own(n)
	upper := &node{prefix: n.prefix[:at], first: n.prefix[at : at+1], children: []*node{n}, owner: e.author, due: n.due}
	n.prefix = n.prefix[at:]
	return upper
}

// remove deletes the entry at a key that exists; it returns nil when nothing is left of n.
func (e *edit) remove(n *node, key string) *node {
	n = e.own(n)
	defer n.settle()
	if key == "" {
		n.entry = nil
		return e.shrink(n)
	}
	i := strings.IndexByte(n.first, key[0])
	if child := e.remove(n.children[i], key[len(n.children[i].prefix):]); child != nil {
		n.children[i] = child
		return n
	}
	n.first = n.first[:i] + n.first[i+1:]
	n.children = slices.Delete(n.children, i, i+1)
	return e.shrink(n)
}

// shrink keeps the promise that a node without an entry is a branch; the root is exempt.
func (e *edit) shrink(n *node) *node {
	switch {
	case n.entry != nil || len(n.children) > 1 || n.prefix == "":
		return n
	case len(n.children) == 0:
		return nil
	}
	child := e.own(n.children[0])
	child.prefix = n.prefix + child.prefix
	return child
}

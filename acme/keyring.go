package acme

import (
	"crypto/tls"
	"slices"
	"sync"
)

// keyringSize is how many sites' certificates are kept in memory, at about 8 KiB each.
const keyringSize = 512

// keyring bounds how many sites' key pairs are in memory. The others are read from storage when a client asks for
// them, in place of one that has not been used since the hand last came by.
type keyring struct {
	size int

	mu    sync.Mutex
	hosts []*host
	hand  int
}

// put takes the key pair of a host into memory, unless it is not, or no longer, the one that the facts describe.
func (k *keyring) put(h *host, pair *tls.Certificate) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if f := h.facts.Load(); f == nil || !f.describes(pair) {
		return
	}
	if h.pair.Swap(pair) != nil || h.zone {
		return // it has its place already
	}
	h.used.Store(true)
	if len(k.hosts) < k.size {
		k.hosts = append(k.hosts, h)
		return
	}
	for k.hosts[k.hand].used.Swap(false) {
		k.hand = (k.hand + 1) % k.size
	}
	k.hosts[k.hand].pair.Store(nil)
	k.hosts[k.hand] = h
	k.hand = (k.hand + 1) % k.size
}

// drop forgets the key pair of a host.
func (k *keyring) drop(h *host) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if h.pair.Swap(nil) == nil {
		return
	}
	if i := slices.Index(k.hosts, h); i >= 0 {
		k.hosts = slices.Delete(k.hosts, i, i+1)
		if k.hand > i {
			k.hand--
		}
		if k.hand >= len(k.hosts) {
			k.hand = 0
		}
	}
}

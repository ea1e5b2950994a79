package dnsserver

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

// DefaultRateLimit is the answers of one kind that a network gets in a second over UDP. A resolver caches: that it asks the
// same again 20 times in a second is no need of its own, even where its network is a /24 of resolvers.
const DefaultRateLimit = 20

const (
	// freeFactor times the size of a query is what its answer may have without being paid for.
	freeFactor = 3
	// excessPerAnswer is the bytes beyond that which a network gets for each answer that it may get. It is about what a signed
	// denial needs, so that the two limits bind at the same rate.
	excessPerAnswer = 512
	answerBurst     = time.Second     // worth of answers of one kind that may come at once
	excessBurst     = 4 * time.Second // and of excess bytes: a resolver that starts asks for much that is signed

	limiterSets = 1 << 16 // of the table, each of
	limiterWays = 4       // slots
)

// rateLimiter bounds what forged queries over UDP can make the server send to a network, an IPv4 /24 or an IPv6 /56.
//
// There are two token buckets. One is of the answers of a kind (the same answer, denials by a zone, errors): of what is
// beyond it, one half is answered as truncated, so that a true client comes again by TCP, and the other not at all. The other
// is of bytes: an answer of up to freeFactor times the query is free, what is beyond is taken from the network's bucket, and once that
// is empty answers are truncated. So a network never gets more than freeFactor times what is sent in its name, but for a burst
// and a trickle that do no harm, whatever is asked; and a resolver at a usual rate has its signed answers by UDP.
//
// The table has a fixed size and neither locks nor allocates: a slot holds part of the key and the time at which the bucket
// will be full again, and one whose bucket is full is free. With no slot free, the one that is nearest to full is given up.
type rateLimiter struct {
	exempt []netip.Prefix
	seed   maphash.Seed
	begin  time.Time
	answer uint64       // cost of an answer, in microseconds of refill
	bytes  uint64       // bytes of excess that are refilled in a second
	table  []limiterSet // a power of two of them
}

type limiterSet [limiterWays]atomic.Uint64

// newRateLimiter returns a limiter for so many answers of a kind per second; nil, which limits nothing, for 0.
func newRateLimiter(rate int, exempt []netip.Prefix) *rateLimiter {
	if rate <= 0 {
		return nil
	}
	return &rateLimiter{
		exempt: exempt, seed: maphash.MakeSeed(), begin: time.Now(), table: make([]limiterSet, limiterSets),
		answer: uint64(max(1, 1e6/rate)), bytes: uint64(rate) * excessPerAnswer,
	}
}

// limits reports whether a client is one of those that are bounded.
func (l *rateLimiter) limits(client netip.Addr) bool {
	if l == nil {
		return false
	}
	for _, prefix := range l.exempt {
		if prefix.Contains(client) {
			return false
		}
	}
	return true
}

// limiterKey is what a bucket is of: its kind, a type, the client's network, a name.
type limiterKey struct {
	room [3 + 16 + zone.MaxName]byte
	size int
}

// begin begins a key.
func (k *limiterKey) begin(kind byte, rrtype uint16, client netip.Addr) {
	k.room[0] = kind
	binary.BigEndian.PutUint16(k.room[1:], rrtype)
	network := client.As16()
	if client.Is4() {
		network[15] = 0
	} else {
		clear(network[7:])
	}
	k.size = 3 + copy(k.room[3:], network[:])
}

// The kinds of buckets.
const (
	kindExcess = iota
	kindAnswer
	kindNoData
	kindReferral
	kindNoName
	kindError
	kindPeer
)

// of makes the key of the bucket that a reply is taken from.
func (k *limiterKey) of(client netip.Addr, at *hosted, q *query, r *zone.Reply) {
	switch {
	case r.Rcode == dns.RcodeNameError:
		k.begin(kindNoName, 0, client)
		k.size += copy(k.room[k.size:], at.published.Name)
	case r.Rcode != dns.RcodeSuccess || at == nil:
		k.begin(kindError, 0, client)
	case r.Referral && len(r.Answer) == 0:
		k.begin(kindReferral, 0, client)
		k.size += copy(k.room[k.size:], r.Authority[0].Owner)
	case len(r.Answer) == 0:
		k.begin(kindNoData, 0, client)
		k.size += copy(k.room[k.size:], q.name)
	default:
		k.begin(kindAnswer, q.rrtype, client)
		k.size += copy(k.room[k.size:], q.name)
	}
}

// takeAnswer takes one answer from the bucket of a key.
func (l *rateLimiter) takeAnswer(k *limiterKey, now time.Time) bool {
	return l.take(k, l.answer, uint64(answerBurst.Microseconds()), now)
}

// takeExcess takes bytes from the bucket of a client's network.
func (l *rateLimiter) takeExcess(k *limiterKey, client netip.Addr, bytes int, now time.Time) bool {
	k.begin(kindExcess, 0, client)
	return l.take(k, uint64(bytes)*1e6/l.bytes, uint64(excessBurst.Microseconds()), now)
}

const (
	timeBits = 40 // of a slot: microseconds since begin, which begin anew every 12 days
	timeMask = 1<<timeBits - 1
)

// take takes cost from a bucket, unless more than burst would be missing in it then.
func (l *rateLimiter) take(k *limiterKey, cost, burst uint64, now time.Time) bool {
	hash := maphash.Bytes(l.seed, k.room[:k.size])
	slots, tag := &l.table[hash&uint64(len(l.table)-1)], hash&^timeMask
	at := uint64(now.Sub(l.begin).Microseconds()) & timeMask
	slot, missing := slots.find(tag, at)
	before := slot.Load()
	if missing+cost > burst {
		return false
	}
	// A client that is counted by another goroutine in between gets this answer for nothing.
	slot.CompareAndSwap(before, tag|(at+missing+cost)&timeMask)
	return true
}

// find returns the slot of a tag, or the one to give up for it, and what is missing in the bucket.
func (s *limiterSet) find(tag, at uint64) (slot *atomic.Uint64, missing uint64) {
	fullest := uint64(1) << 63
	for i := range s {
		value := s[i].Load()
		lacks := missingAt(value, at)
		if value&^timeMask == tag {
			return &s[i], lacks
		}
		if lacks < fullest {
			slot, fullest = &s[i], lacks
		}
	}
	return slot, 0
}

// missingAt is the refill, in microseconds, that a slot's bucket lacks at a time. No bucket lacks more than a burst: what
// seems to is of another round of the clock.
func missingAt(value, at uint64) uint64 {
	lacks := (value - at) & timeMask
	if lacks > uint64((answerBurst + excessBurst).Microseconds()) {
		return 0
	}
	return lacks
}

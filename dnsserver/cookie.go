package dnsserver

import (
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	clientCookieSize = 8
	cookieSize       = clientCookieSize + 16 // with a server cookie of ours
	cookieVersion    = 1                     // RFC 9018 section 4.1

	cookieLife   = time.Hour        // RFC 9018 section 4.3, like the next two
	cookieRenew  = 30 * time.Minute // from this age on the client gets a new one
	cookieAhead  = 5 * time.Minute  // how far a cookie's time may lie in the future
	secretPeriod = time.Hour        // how long a secret makes cookies; it is accepted for as long again
)

// cookieFits reports whether an option of the size is a client cookie, alone or with a server cookie (RFC 7873 section 4).
func cookieFits(size int) bool { return size == 8 || (size >= 16 && size <= 40) }

// cookieState is what a client's cookie says about the client.
type cookieState uint8

const (
	cookieNone  cookieState = iota
	cookieNew               // a client cookie alone
	cookieBad               // with a server cookie that is not ours, of another address, or too old
	cookieValid             // the client has had an answer of ours at this address
)

// cookieSecrets is the secrets of server cookies. They live in memory alone: after a restart clients get new cookies.
type cookieSecrets struct{ current atomic.Pointer[secretPair] }

type secretPair struct {
	now, before sipKey
	since       time.Time
}

// at returns the secrets for a time, new ones when those at hand are too old.
func (c *cookieSecrets) at(now time.Time) *secretPair {
	for {
		pair := c.current.Load()
		if pair != nil && now.Sub(pair.since) < secretPeriod {
			return pair
		}
		next := &secretPair{now: randomSipKey(), before: randomSipKey(), since: now}
		if pair != nil && now.Sub(pair.since) < 2*secretPeriod {
			next.before = pair.now
		}
		if c.current.CompareAndSwap(pair, next) {
			return next
		}
	}
}

func randomSipKey() sipKey {
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	return newSipKey(secret)
}

// check says what a client's cookie is worth, and whether it may be given back as it is.
func (p *secretPair) check(cookie []byte, client netip.Addr, now time.Time) (state cookieState, fresh bool) {
	switch {
	case len(cookie) == 0:
		return cookieNone, false
	case len(cookie) == clientCookieSize:
		return cookieNew, false
	case len(cookie) != cookieSize || cookie[clientCookieSize] != cookieVersion:
		return cookieBad, false
	}
	// The difference is of serial numbers (RFC 1982), so that it holds beyond 2106.
	age := time.Duration(int32(uint32(now.Unix())-binary.BigEndian.Uint32(cookie[12:]))) * time.Second
	if age > cookieLife || age < -cookieAhead {
		return cookieBad, false
	}
	hash := binary.LittleEndian.Uint64(cookie[16:])
	if p.now.cookieHash(cookie, client) == hash {
		return cookieValid, age < cookieRenew
	}
	if p.before.cookieHash(cookie, client) == hash {
		return cookieValid, false
	}
	return cookieBad, false
}

// append appends a cookie for the client: its own part, and a server cookie made now.
func (p *secretPair) append(out, cookie []byte, client netip.Addr, now time.Time) []byte {
	begin := len(out)
	out = append(out, cookie[:clientCookieSize]...)
	out = append(out, cookieVersion, 0, 0, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(now.Unix()))
	return binary.LittleEndian.AppendUint64(out, p.now.cookieHash(out[begin:], client))
}

// cookieHash is the hash of the client cookie, version, reserved bytes and time, which begin the cookie, and the address
// (RFC 9018 section 4.4).
func (k sipKey) cookieHash(cookie []byte, client netip.Addr) uint64 {
	var room [16 + 16]byte
	message := append(room[:0], cookie[:16]...)
	if client = client.Unmap(); client.Is4() {
		addr := client.As4()
		message = append(message, addr[:]...)
	} else {
		addr := client.As16()
		message = append(message, addr[:]...)
	}
	return k.sum(message)
}

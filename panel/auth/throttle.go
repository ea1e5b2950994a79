package auth

import (
	"container/list"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// policy is how attempts under one key are slowed down.
type policy struct {
	free   int           // attempts before the first delay
	max    time.Duration // the longest delay; it doubles from one second
	forget time.Duration // a key without attempts for this long starts anew
	size   int           // keys kept; the ones longest unused go first
}

// Throttle slows down login attempts, per account and per client address. A browser that an account has logged in
// from, as Device tells, has a count of its own for it, so that strangers cannot lock the owner out, not even ones behind
// the same address. An address that an account has logged in from has one, too, but only for as long as the Throttle
// lives.
//
// Its memory is bounded, and it runs no goroutine.
type Throttle struct {
	mu        sync.Mutex
	accounts  *counter
	addresses *counter
	familiar  *counter // account and address that have met before
	devices   *counter // account and browser that have met before
}

// Client is where a login attempt comes from.
type Client struct {
	Addr   netip.Addr
	Device string // as Device returns it; empty for a browser that the account has not logged in from
}

// NewThrottle returns a Throttle that has seen nothing.
func NewThrottle() *Throttle {
	const day = 24 * time.Hour
	return &Throttle{
		accounts:  newCounter(policy{free: 5, max: 15 * time.Minute, forget: day, size: 10_000}),
		addresses: newCounter(policy{free: 20, max: 15 * time.Minute, forget: day, size: 50_000}),
		familiar:  newCounter(policy{free: 5, max: 15 * time.Minute, forget: 30 * day, size: 10_000}),
		devices:   newCounter(policy{free: 5, max: 15 * time.Minute, forget: day, size: 10_000}),
	}
}

// Attempt counts an attempt to log in and returns zero, or, without counting it, how long to wait before
// the next. It counts before the password is checked, so that parallel attempts gain nothing.
func (t *Throttle) Attempt(account string, from Client) (wait time.Duration) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if from.Device != "" {
		return t.devices.attempt(pairKey(account, from.Device), now)
	}
	network := networkOf(from.Addr)
	byAccount, key := t.accounts, accountKey(account)
	if pair := pairKey(account, network); t.familiar.known(pair, now) {
		byAccount, key = t.familiar, pair
	}
	wait = max(byAccount.wait(key, now), t.addresses.wait(network, now))
	if wait == 0 {
		byAccount.count(key, now)
		t.addresses.count(network, now)
	}
	return wait
}

// Succeeded forgets the failures of the account and client, because the attempt that was counted last was right.
func (t *Throttle) Succeeded(account string, from Client) {
	now := time.Now()
	network := networkOf(from.Addr)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accounts.reset(accountKey(account))
	if from.Device != "" {
		t.devices.reset(pairKey(account, from.Device))
	} else {
		// One attempt only: whoever owns one account must not wipe the traces of guessing at others.
		t.addresses.undo(network)
	}
	t.familiar.reset(pairKey(account, network))
	t.familiar.meet(pairKey(account, network), now)
}

// networkOf is what one client can be assumed to own: an IPv4 address or an IPv6 /64.
func networkOf(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.String()
}

// accountKey bounds the length of what strangers make us remember.
func accountKey(account string) string {
	account = strings.ToLower(account)
	if len(account) > 64 {
		account = account[:64]
	}
	return strings.Clone(account)
}

func pairKey(account, client string) string { return accountKey(account) + " " + client }

// counter counts attempts by key, in order of last use. It is not safe for concurrent use.
type counter struct {
	policy policy
	byKey  map[string]*list.Element
	order  *list.List // of *attempts, last used first
}

type attempts struct {
	key  string
	n    int
	last time.Time
}

func newCounter(p policy) *counter {
	return &counter{policy: p, byKey: make(map[string]*list.Element), order: list.New()}
}

func (c *counter) known(key string, now time.Time) bool {
	c.sweep(now)
	return c.byKey[key] != nil
}

// wait returns how long until the next attempt is taken.
func (c *counter) wait(key string, now time.Time) time.Duration {
	c.sweep(now)
	e := c.byKey[key]
	if e == nil {
		return 0
	}
	a := e.Value.(*attempts)
	if a.n < c.policy.free {
		return 0
	}
	delay := c.policy.max
	if doublings := a.n - c.policy.free; doublings < 20 {
		delay = min(delay, time.Second<<doublings)
	}
	return max(0, a.last.Add(delay).Sub(now))
}

// attempt counts an attempt unless it has to wait.
func (c *counter) attempt(key string, now time.Time) (wait time.Duration) {
	if wait = c.wait(key, now); wait == 0 {
		c.count(key, now)
	}
	return wait
}

func (c *counter) count(key string, now time.Time) { c.meet(key, now).n++ }

// undo takes back one attempt.
func (c *counter) undo(key string) {
	if e := c.byKey[key]; e != nil {
		a := e.Value.(*attempts)
		a.n = max(0, a.n-1)
	}
}

// meet makes the key known and the last used.
func (c *counter) meet(key string, now time.Time) *attempts {
	if e := c.byKey[key]; e != nil {
		a := e.Value.(*attempts)
		a.last = now
		c.order.MoveToFront(e)
		return a
	}
	if len(c.byKey) >= c.policy.size {
		c.remove(c.order.Back())
	}
	a := &attempts{key: key, last: now}
	c.byKey[key] = c.order.PushFront(a)
	return a
}

func (c *counter) reset(key string) { c.remove(c.byKey[key]) }

func (c *counter) remove(e *list.Element) {
	if e == nil {
		return
	}
	delete(c.byKey, e.Value.(*attempts).key)
	c.order.Remove(e)
}

// sweep forgets what has not been used for long; the order makes it cost what it removes.
func (c *counter) sweep(now time.Time) {
	for e := c.order.Back(); e != nil && now.Sub(e.Value.(*attempts).last) > c.policy.forget; e = c.order.Back() {
		c.remove(e)
	}
}

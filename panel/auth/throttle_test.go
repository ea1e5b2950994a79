package auth

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

var (
	home     = netip.MustParseAddr("192.0.2.1")
	stranger = netip.MustParseAddr("203.0.113.9")
)

// at is a browser that the account has not logged in from.
func at(addr netip.Addr) Client { return Client{Addr: addr} }

// addrNo is the n-th of many addresses in different networks.
func addrNo(n int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 0x0a000000+uint32(n))
	return netip.AddrFrom4(b)
}

func TestThrottleDelaysDouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		for i := range 5 {
			if w := th.Attempt("ann", at(addrNo(i))); w != 0 {
				t.Fatalf("attempt %d waits %v", i+1, w)
			}
		}
		for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
			if w := th.Attempt("ann", at(addrNo(10))); w != want {
				t.Fatalf("delay %d is %v, want %v", i, w, want)
			}
			time.Sleep(want)
			if w := th.Attempt("ANN", at(addrNo(20+i))); w != 0 {
				t.Fatalf("after delay %d the wait is still %v", i, w)
			}
		}
		if w := th.Attempt("bob", at(addrNo(10))); w != 0 {
			t.Errorf("another account waits %v", w)
		}
	})
}

func TestThrottleDelayIsCappedAndForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		for i := range 40 {
			for th.Attempt("ann", at(addrNo(i))) != 0 {
				time.Sleep(15 * time.Minute)
			}
		}
		if w := th.Attempt("ann", at(home)); w != 15*time.Minute {
			t.Errorf("after 40 attempts the wait is %v, want 15m", w)
		}
		time.Sleep(25 * time.Hour)
		for i := range 5 {
			if w := th.Attempt("ann", at(home)); w != 0 {
				t.Errorf("a day later attempt %d waits %v", i, w)
			}
		}
	})
}

func TestThrottleBlockedAttemptsDoNotProlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		for range 5 {
			th.Attempt("ann", at(stranger))
		}
		for range 1000 {
			th.Attempt("ann", at(stranger))
		}
		if w := th.Attempt("ann", at(stranger)); w != time.Second {
			t.Errorf("the wait grew to %v by attempts that were not taken", w)
		}
	})
}

func TestThrottlePerAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		for i := range 20 {
			if w := th.Attempt("user"+strconv.Itoa(i), at(stranger)); w != 0 {
				t.Fatalf("attempt %d waits %v", i, w)
			}
		}
		if w := th.Attempt("ann", at(stranger)); w != time.Second {
			t.Errorf("21st account from one address waits %v, want 1s", w)
		}
		if w := th.Attempt("ann", at(netip.MustParseAddr("::ffff:203.0.113.9"))); w != time.Second {
			t.Errorf("the same address mapped into IPv6 waits %v, want 1s", w)
		}
		if w := th.Attempt("ann", at(home)); w != 0 {
			t.Errorf("another address waits %v", w)
		}
	})
}

func TestThrottleTakesAnIPv6NetworkAsOneClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		for i := range 20 {
			th.Attempt("user"+strconv.Itoa(i), at(netip.MustParseAddr("2001:db8:1:2::"+strconv.Itoa(i+1))))
		}
		if w := th.Attempt("ann", at(netip.MustParseAddr("2001:db8:1:2:ffff::1"))); w != time.Second {
			t.Errorf("the same /64 waits %v, want 1s", w)
		}
		if w := th.Attempt("ann", at(netip.MustParseAddr("2001:db8:1:3::1"))); w != 0 {
			t.Errorf("the next /64 waits %v", w)
		}
	})
}

func TestThrottleStrangersDoNotLockTheOwnerOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		th.Attempt("ann", at(home))
		th.Succeeded("ann", at(home))
		for i := range 9 {
			th.Attempt("ann", at(addrNo(i)))
		}
		if w := th.Attempt("ann", at(stranger)); w == 0 {
			t.Fatal("strangers are not slowed down")
		}
		for i := range 5 {
			if w := th.Attempt("ann", at(home)); w != 0 {
				t.Errorf("attempt %d from where ann has logged in waits %v", i, w)
			}
		}
		if w := th.Attempt("ann", at(home)); w != time.Second {
			t.Errorf("the familiar address may guess without bound: waits %v", w)
		}
	})
}

func TestThrottleKnowsTheOwnersBrowserAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle() // that has seen nobody log in
		for i := range 5 {
			th.Attempt("ann", at(addrNo(i)))
		}
		for i := range 20 { // strangers behind ann's own address
			th.Attempt("user"+strconv.Itoa(i), at(home))
		}
		if th.Attempt("ann", at(stranger)) == 0 || th.Attempt("bob", at(home)) == 0 {
			t.Fatal("strangers are not slowed down")
		}
		own := Client{Addr: home, Device: "ann's laptop"}
		for i := range 5 {
			if w := th.Attempt("ann", own); w != 0 {
				t.Errorf("attempt %d from ann's browser waits %v", i, w)
			}
		}
		if w := th.Attempt("ann", own); w != time.Second {
			t.Errorf("whoever has ann's browser may guess without bound: waits %v", w)
		}
		time.Sleep(time.Second)
		th.Attempt("zoe", at(home))
		th.Attempt("ann", own)
		th.Succeeded("ann", own)
		if w := th.Attempt("ann", own); w != 0 {
			t.Errorf("after a success ann's browser waits %v", w)
		}
		if w := th.Attempt("bob", at(home)); w != 2*time.Second {
			t.Errorf("ann's success changed the wait of others behind the same address to %v", w)
		}
	})
}

func TestThrottleSuccessDoesNotWipeGuessesAtOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		th := NewThrottle()
		for i := range 20 { // one guess at another account, one success with the own, and again
			th.Attempt("victim"+strconv.Itoa(i), at(stranger))
			if th.Attempt("mallory", at(stranger)) == 0 {
				th.Succeeded("mallory", at(stranger))
			}
		}
		if w := th.Attempt("victim99", at(stranger)); w == 0 {
			t.Error("logging in to an own account wipes the count of guesses at others")
		}
	})
}

func TestThrottleMemoryIsBounded(t *testing.T) {
	th := NewThrottle()
	for i := range 60_000 {
		th.Attempt("user"+strconv.Itoa(i), at(addrNo(i)))
		th.Attempt("user", Client{Device: strconv.Itoa(i)})
	}
	for _, c := range []*counter{th.accounts, th.addresses, th.familiar, th.devices} {
		if n := len(c.byKey); n > c.policy.size || n != c.order.Len() {
			t.Errorf("%d keys kept (%d in order), bound %d", n, c.order.Len(), c.policy.size)
		}
	}
	if key := accountKey(string(make([]byte, 1<<20))); len(key) > 64 {
		t.Errorf("an account name of 1 MiB is kept with %d bytes", len(key))
	}
}

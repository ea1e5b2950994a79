package proxy

import (
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"
)

func TestLogin(t *testing.T) {
	e := startEdge(t)
	instance := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60")
		io.WriteString(w, "authorization="+r.Header.Get("Authorization"))
	})
	e.publish(optional(sites.Options{Login: login(t, "ann", "sécret: x")}, instance.addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for what, field := range map[string]string{
			"nothing":          "",
			"a wrong name":     basic("bob", "sécret: x"),
			"a wrong password": basic("ann", "secret"),
			"a long password":  basic("ann", strings.Repeat("x", 100)),
			"a bearer token":   "Bearer x",
			"no base64":        "Basic %",
		} {
			got := get(t, c, "https://hello.berth.test/", "Authorization", field, "Accept", "text/html")
			if got.StatusCode != http.StatusUnauthorized || got.Header.Get("WWW-Authenticate") != `Basic realm="hello.berth.test", charset="UTF-8"` ||
				!strings.Contains(got.body, "<!doctype html>") || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("with %s: %d, %v", what, got.StatusCode, got.Header)
			}
		}
		for range 2 {
			got := get(t, c, "https://hello.berth.test/", "Authorization", basic("ann", "sécret: x"))
			if got.StatusCode != http.StatusOK || got.body != "authorization=" || got.Header.Get("Cache-Control") != "private, max-age=60" {
				t.Errorf("with the password: %d %q, %v", got.StatusCode, got.body, got.Header)
			}
		}
	})
	e.publish(optional(sites.Options{Login: login(t, "ann", "another")}, instance.addr))
	if got := get(t, e.client(2), "https://hello.berth.test/", "Authorization", basic("ann", "sécret: x")); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("with the former password: %d", got.StatusCode)
	}
	e.publish(optional(sites.Options{HSTS: sites.HSTSHost}, instance.addr))
	if got := get(t, e.client(2), "https://hello.berth.test/", "Authorization", basic("ann", "x")); got.body != "authorization="+basic("ann", "x") {
		t.Errorf("a site without a login is not given its own: %q", got.body)
	}
}

func TestAFloodOfWrongPasswordsIsHeldOff(t *testing.T) {
	e := startEdge(t)
	e.publish(optional(sites.Options{Login: login(t, "ann", "secret")}, startInstance(t, says("hello")).addr))
	c := e.client(2)
	if got := get(t, c, "https://hello.berth.test/", "Authorization", basic("ann", "secret")); got.StatusCode != http.StatusOK {
		t.Fatalf("the password: %d", got.StatusCode)
	}
	var refused atomic.Int64
	eventually(t, "the flood is held off", func() bool {
		got := get(t, c, "https://hello.berth.test/", "Authorization", basic("ann", time.Now().String()))
		if got.StatusCode == http.StatusTooManyRequests && got.Header.Get("Retry-After") != "" {
			refused.Add(1)
		}
		return refused.Load() > 20
	})
	if got := get(t, c, "https://hello.berth.test/", "Authorization", basic("ann", "secret")); got.StatusCode != http.StatusOK {
		t.Errorf("who was let in before the flood is not any more: %d", got.StatusCode)
	}
}

func TestLoginsBoundWhatGuessingCosts(t *testing.T) {
	ann := login(t, "ann", "secret")
	client := func(n byte) netip.Prefix { return networkOf(netip.AddrFrom4([4]byte{192, 0, 2, n})) }
	synctest.Test(t, func(t *testing.T) {
		l := newLogins()
		guesses := 0
		for range 100 {
			if _, wait := l.check(t.Context(), client(1), 1, ann, "ann", time.Now().String()+strings.Repeat("x", guesses)); wait > 0 {
				break
			}
			guesses++
		}
		if most := int(wrongInRow/wrongEvery) + mostOfClient; guesses == 0 || guesses > most {
			t.Errorf("one client can guess %d times in a row, want up to %d", guesses, most)
		}
		if _, wait := l.check(t.Context(), client(1), 1, ann, "ann", "secret"); wait <= 0 || wait > wrongEvery {
			t.Errorf("after too many guesses the wait is %v", wait)
		}
		if right, wait := l.check(t.Context(), client(2), 1, ann, "ann", "secret"); !right || wait != 0 {
			t.Errorf("another client is not let in: %v, %v", right, wait)
		}
		if right, _ := l.check(t.Context(), client(1), 1, ann, "ann", "secret"); !right {
			t.Error("what is known to be right is not let in")
		}
		if right, _ := l.check(t.Context(), client(3), 2, ann, "ann", "wrong"); right {
			t.Error("a wrong password is let in")
		}
		time.Sleep(wrongInRow + time.Hour)
		if right, wait := l.check(t.Context(), client(1), 3, ann, "ann", "secret"); !right || wait != 0 {
			t.Errorf("guesses are never forgotten: %v, %v", right, wait)
		}
		l.forget(time.Now())
		if len(l.guessers) != 0 || len(l.checks) != 0 {
			t.Errorf("%d clients and %d checks stay", len(l.guessers), len(l.checks))
		}
	})
}

func TestLoginsOfManyClientsWaitForTheirTurn(t *testing.T) {
	ann := login(t, "ann", "secret")
	synctest.Test(t, func(t *testing.T) {
		l := newLogins()
		for range cap(l.turns) {
			l.turns <- struct{}{} // all are taken
		}
		var asked sync.WaitGroup
		var waits, shared atomic.Int64
		const many = mostWaiting + 20
		for i := range many { // the first site gets more than its share, the others theirs
			site := sites.SiteID(max(0, i-10) / mostOfSite)
			asked.Go(func() {
				network := networkOf(netip.AddrFrom4([4]byte{192, 0, 3, byte(i)}))
				if _, wait := l.check(t.Context(), network, site, ann, "ann", "guess"+strings.Repeat("x", i)); wait > 0 {
					waits.Add(1)
				}
			})
			synctest.Wait()
			if n := waits.Load(); i == mostOfSite+10-1 && n != 10 {
				t.Errorf("%d of %d are turned away at one site, want 10", n, i+1)
			}
		}
		if n := waits.Load(); n != 20 {
			t.Errorf("%d of %d are turned away at once, want 20", n, many)
		}
		asked.Wait() // until the clients' patience is over
		if n := waits.Load(); n != many {
			t.Errorf("%d are told to come back, want all", n)
		}
		for range 50 { // as a browser does with a page's files
			asked.Go(func() {
				if right, _ := l.check(t.Context(), netip.Prefix{}, 1, ann, "ann", "secret"); right {
					shared.Add(1)
				}
			})
		}
		synctest.Wait()
		for range cap(l.turns) {
			<-l.turns
		}
		asked.Wait()
		if shared.Load() != 50 {
			t.Errorf("%d of 50 requests with the same password get in", shared.Load())
		}
	})
}

func TestRecentIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	var r recent
	id := func(n int) (c credential) {
		c[0], c[1], c[2] = byte(n), byte(n>>8), byte(n>>16)
		return c
	}
	r.add(id(0))
	for n := 1; n < 3*mostKnown; n++ {
		r.add(id(n))
		if !r.has(id(0)) {
			t.Fatalf("what is in use is forgotten after %d others", n)
		}
	}
	kept := 0
	for n := range 3 * mostKnown {
		if _, ok := r.young.Load().Load(id(n)); ok {
			kept++
		} else if _, ok := r.old.Load().Load(id(n)); ok {
			kept++
		}
	}
	if kept > mostKnown {
		t.Errorf("%d are kept, more than %d", kept, mostKnown)
	}
}

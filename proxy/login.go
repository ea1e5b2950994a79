package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/netip"
	"runtime"
	"strconv"
	"sync"
	"time"

	"berth/sites"
)

// loggedIn reports whether the request has the name and password that the site asks for (RFC 7617), and answers it where it
// has not. The instance does not see them: they are for berth.
func (p *Proxy) loggedIn(w http.ResponseWriter, r *http.Request, rt *route, host string) bool {
	user, password, ok := r.BasicAuth()
	if ok {
		var wait time.Duration
		ok, wait = p.logins.check(r.Context(), networkOf(clientAddr(r)), rt.site.ID, rt.policy.options.Login, user, password)
		if wait > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
			p.page(w, r, PageTooMany, host)
			return false
		}
	}
	if !ok {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+host+`", charset="UTF-8"`)
		p.page(w, r, PageUnauthorized, host)
		return false
	}
	r.Header.Del("Authorization")
	return true
}

const (
	wrongEvery   = 5 * time.Second  // one client can guess wrong so often,
	wrongInRow   = time.Minute      // after this much of it at once
	mostOfClient = 2                // different credentials of one client that are checked or wait for it
	mostOfSite   = 16               // those at one site, so that the logins of the others go on
	mostWaiting  = 64               // those of all
	mostWait     = 10 * time.Second // for a turn
	mostGuessers = 8 << 10          // clients whose wrong guesses are remembered
	mostKnown    = 8 << 10          // right credentials that are remembered
)

// logins checks visitors' names and passwords. What was right is known from then on; the rest costs a hash each, so there are
// few at a time, fewer of one client, and a pause after each that was wrong: guessing takes at most half a processor of
// each turn.
type logins struct {
	key   [sha256.Size]byte // of this process
	known recent
	turns chan struct{}

	mu       sync.Mutex
	checks   map[credential]*check // under way
	guessers map[netip.Prefix]*guesser
}

// credential stands for a name and a password at a site whose login is as it is; it tells nobody what they are.
type credential [sha256.Size]byte

// check is the checking of one credential, for all requests that bear it.
type check struct {
	site  sites.SiteID
	done  chan struct{}
	right bool
	wait  time.Duration // how long to wait before the next try; 0: it was checked
}

// guesser is a client that has guessed wrong, or has a check under way.
type guesser struct {
	checks int
	due    time.Time // when its wrong guesses will all be forgotten
}

func newLogins() *logins {
	l := &logins{
		turns:    make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/4)),
		checks:   make(map[credential]*check),
		guessers: make(map[netip.Prefix]*guesser),
	}
	rand.Read(l.key[:]) // never fails, crypto/rand documents
	return l
}

// check reports whether name and password are the login's or, with wait above 0, that they were not looked at, and when to
// try again.
func (l *logins) check(ctx context.Context, client netip.Prefix, site sites.SiteID, login sites.Login, user, password string) (right bool, wait time.Duration) {
	id := l.credential(site, login, user, password)
	if l.known.has(id) {
		return true, 0
	}
	c, first, wait := l.join(id, client, site)
	if wait > 0 {
		return false, wait
	}
	if first {
		c.right, c.wait = l.compute(ctx, login, user, password)
		l.end(c, id, client)
		return c.right, c.wait
	}
	select {
	case <-c.done:
		return c.right, c.wait
	case <-ctx.Done():
		return false, time.Second
	}
}

func (l *logins) credential(site sites.SiteID, login sites.Login, user, password string) credential {
	mac := hmac.New(sha256.New, l.key[:])
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(site))
	mac.Write(length[:])
	for _, text := range []string{login.User, login.PasswordHash, user, password} {
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		mac.Write(length[:])
		mac.Write([]byte(text))
	}
	return credential(mac.Sum(nil))
}

// join returns the check of a credential that is under way, or a new one that the caller carries out, or how long the client
// has to wait.
func (l *logins) join(id credential, client netip.Prefix, site sites.SiteID) (c *check, first bool, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c = l.checks[id]; c != nil {
		return c, false, 0
	}
	g := l.guesser(client)
	free := g.due.Add(-wrongInRow)
	switch now := time.Now(); {
	case free.After(now):
		return nil, false, free.Sub(now)
	case g.checks >= mostOfClient || len(l.checks) >= mostWaiting || l.checksAt(site) >= mostOfSite:
		return nil, false, time.Second
	}
	g.checks++
	c = &check{site: site, done: make(chan struct{})}
	l.checks[id] = c
	return c, true, 0
}

func (l *logins) checksAt(site sites.SiteID) (n int) {
	for _, c := range l.checks {
		if c.site == site {
			n++
		}
	}
	return n
}

// guesser returns what is remembered of a client, and forgets others where there are too many.
func (l *logins) guesser(client netip.Prefix) *guesser {
	if g := l.guessers[client]; g != nil {
		return g
	}
	if len(l.guessers) >= mostGuessers {
		l.forget(time.Now())
	}
	g := new(guesser)
	l.guessers[client] = g
	return g
}

// forget drops clients that have nothing to wait for or, where all have, some that have.
func (l *logins) forget(now time.Time) {
	for client, g := range l.guessers {
		if g.checks == 0 && !g.due.After(now) {
			delete(l.guessers, client)
		}
	}
	for client, g := range l.guessers {
		if len(l.guessers) < mostGuessers*3/4 {
			return
		}
		if g.checks == 0 {
			delete(l.guessers, client)
		}
	}
}

// compute waits for a turn and compares. After a wrong guess the turn rests for as long as it has worked.
func (l *logins) compute(ctx context.Context, login sites.Login, user, password string) (right bool, wait time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, mostWait)
	defer cancel()
	select {
	case l.turns <- struct{}{}:
	case <-ctx.Done():
		return false, time.Second
	}
	begin := time.Now()
	if right = login.Matches(user, password); right {
		<-l.turns
	} else {
		time.AfterFunc(time.Since(begin), func() { <-l.turns })
	}
	return right, 0
}

// end lets those who wait for a check know.
func (l *logins) end(c *check, id credential, client netip.Prefix) {
	if c.right {
		l.known.add(id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.checks, id)
	g := l.guessers[client]
	g.checks--
	if !c.right && c.wait == 0 {
		if now := time.Now(); g.due.Before(now) {
			g.due = now
		}
		g.due = g.due.Add(wrongEvery)
	} else if g.checks == 0 && g.due.IsZero() {
		delete(l.guessers, client)
	}
	close(c.done)
}

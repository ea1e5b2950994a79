package panel

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"berth/panel/auth"
	"berth/sites"

	"github.com/alexedwards/scs/v2"
)

// listening is a response that lasts; its lines arrive as they are sent, and the channel closes at its end.
type listening struct {
	t     *testing.T
	lines chan string
	heard []string
}

func (b *browser) listen(path string) *listening {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header = b.header.Clone()
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if res.StatusCode != 200 {
		b.t.Fatalf("%s answers %d", path, res.StatusCode)
	}
	l := &listening{t: b.t, lines: make(chan string, 100)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(l.lines)
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			l.lines <- in.Text()
		}
	}()
	b.t.Cleanup(func() {
		res.Body.Close()
		<-done
	})
	return l
}

// hears waits for a line.
func (l *listening) hears(want string) {
	l.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line, open := <-l.lines:
			l.heard = append(l.heard, line)
			if line == want {
				return
			}
			if !open {
				l.t.Fatalf("the stream ended before %q", want)
			}
		case <-deadline:
			l.t.Fatalf("never heard %q", want)
		}
	}
}

// ends waits for the end, and returns what was said before.
func (l *listening) ends() (said []string) {
	l.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case line, open := <-l.lines:
			if !open {
				return said
			}
			said = append(said, line)
		case <-deadline:
			l.t.Fatal("the stream does not end")
		}
	}
}

func TestEventsTellOfOnesOwnSites(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	ann, bob, root := w.login("ann").listen("/events"), w.login("bob").listen("/events"), w.login("root").listen("/events")
	for _, l := range []*listening{ann, bob, root} {
		l.hears("retry: 3000")
	}
	if _, err := w.StopSite(t.Context(), w.actor("ann"), "hello"); err != nil {
		t.Fatal(err)
	}
	ann.hears("event: site")
	ann.hears("data: hello")
	root.hears("data: hello")
	w.site("ann", "later")
	ann.hears("data: later")
	if err := w.DeleteSite(t.Context(), w.actor("ann"), "hello"); err != nil {
		t.Fatal(err)
	}
	ann.hears("data: hello")
	w.site("bob", "third")
	bob.hears("data: third")
	w.panel.Close()
	if said := strings.Join(ann.ends(), "\n"); strings.Contains(said, "third") {
		t.Errorf("ann heard of bob's site: %s", said)
	}
	if said := strings.Join(bob.heard, "\n"); strings.Contains(said, "hello") || strings.Contains(said, "later") {
		t.Errorf("bob heard of ann's sites: %s", said)
	}
}

func TestEventsEndWithSessionAccountAndPanel(t *testing.T) {
	w := newWorld(t)
	w.panel.pace.heartbeat = 100 * time.Millisecond
	w.site("ann", "hello", "index.html")
	for name, end := range map[string]func(b *browser){
		"logout": func(b *browser) { b.send(http.MethodPost, "/logout", formType, strings.NewReader("")) },
		"password": func(*browser) {
			account, err := w.Account(t.Context(), "ann")
			if err != nil {
				t.Fatal(err)
			}
			if err := w.panel.setPassword(t.Context(), sites.System, account, testPassword); err != nil {
				t.Error(err)
			}
		},
		"credentials changed elsewhere": func(*browser) {
			hash, err := w.panel.hasher.Hash(t.Context(), testPassword)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.SetPassword(t.Context(), sites.System, "ann", hash); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := w.login("ann")
			l := b.listen("/events")
			l.hears("retry: 3000")
			end(b)
			l.ends()
		})
	}
	b := w.login("ann")
	events, logs := b.listen("/events"), b.listen("/sites/hello/logs/follow?tail=7")
	logs.hears("tail 7 <b>of</b> a site")
	events.hears("retry: 3000")
	w.panel.Close()
	events.ends()
	logs.ends()
	eventually(t, "all streams are let go", func() bool {
		w.panel.streams.mu.Lock()
		defer w.panel.streams.mu.Unlock()
		return len(w.panel.streams.all) == 0
	})
}

// countedSessions counts how often a session is read.
type countedSessions struct {
	scs.Store
	reads atomic.Int64
}

func (s *countedSessions) Find(token string) ([]byte, bool, error) {
	s.reads.Add(1)
	return s.Store.Find(token)
}

func TestEventsReadTheSessionOnHeartbeatsOnly(t *testing.T) {
	w := newWorld(t)
	w.panel.pace.pause = 0
	store := &countedSessions{Store: w.panel.cfg.Sessions}
	w.panel.sessions = auth.NewSessions(store, w.panel.sessionFailed)
	w.site("ann", "site0")
	l := w.login("ann").listen("/events")
	l.hears("retry: 3000")
	tell := func(name string) {
		w.site("ann", name)
		l.hears("data: " + name)
	}
	tell("site1") // by now the session has been read for the first heartbeat
	before := store.reads.Load()
	for i := range 8 {
		tell(fmt.Sprintf("site%d", i+2))
	}
	if n := store.reads.Load() - before; n != 0 {
		t.Errorf("8 changes cost %d reads of the session", n)
	}
}

// tellings collects what is written, and how often.
type tellings struct {
	strings.Builder
	times int
}

func (w *tellings) Write(b []byte) (int, error) {
	w.times++
	return w.Builder.Write(b)
}

func TestEventsAreToldTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var service sites.Service
		watcher := service.Watch()
		var out tellings
		done := make(chan error)
		go func() {
			done <- defaultPace().relay(t.Context(), &out, &sight{actor: sites.System}, watcher)
		}()
		for range 500 { // one site, 100 changes a second
			service.HostChanged("hello.")
			time.Sleep(10 * time.Millisecond)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if most := 5*4 + 2; out.times > most || !strings.HasPrefix(out.String(), "event: site\ndata: hello\n\n") || !strings.HasSuffix(out.String(), ": alive\n\n") {
			t.Errorf("5 seconds of changes are told %d times, want at most %d: %.100q", out.times, most, out.String())
		}
	})
}

func TestEventsAreForTheLoggedIn(t *testing.T) {
	w := newWorld(t)
	if p := w.browser().open("/events"); p.status != 403 {
		t.Errorf("events to a stranger: %d", p.status)
	}
}

func TestAPIFollowsLogs(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.browser()
	b.header.Set("Authorization", "Bearer "+w.token("ann"))
	l := b.listen("/api/v1/sites/hello/logs?follow=1&tail=3")
	l.hears("tail 3 <b>of</b> a site")
	w.panel.Close()
	l.ends()
}

// fill opens n streams of the account.
func fill(t *testing.T, s *streams, account sites.AccountID, n int) (ends []func()) {
	t.Helper()
	for range n {
		_, end, err := s.open(t.Context(), account, "")
		if err != nil {
			t.Fatal(err)
		}
		ends = append(ends, end)
	}
	return ends
}

func TestStreamsOfAnAccountAreBounded(t *testing.T) {
	s := newStreams()
	ends := fill(t, s, 1, maxStreamsPerAccount)
	if _, _, err := s.open(t.Context(), 1, "b"); explain(err).status != 429 {
		t.Errorf("one more: %v", err)
	}
	fill(t, s, 2, 1)
	ends[0]()
	fill(t, s, 1, 1)
	s.close()
	ctx, _, err := s.open(t.Context(), 3, "d")
	if err != nil {
		t.Fatal(err)
	}
	<-ctx.Done() // a stream that is opened while the panel closes ends, too
}

func TestAllStreamsTogetherAreBounded(t *testing.T) {
	s := newStreams()
	defer s.close()
	var ends []func()
	for account := range sites.AccountID(maxStreams / maxStreamsPerAccount) {
		ends = fill(t, s, account, maxStreamsPerAccount)
	}
	fill(t, s, maxStreams, maxStreams%maxStreamsPerAccount)
	const late = maxStreams + 1 // an account that has none yet
	if _, _, err := s.open(t.Context(), late, ""); explain(err).status != 503 {
		t.Errorf("one more than %d: %v", maxStreams, err)
	}
	ends[0]()
	fill(t, s, late, 1)
}

func TestWaitingIsAStream(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	ann, token := w.actor("ann"), w.token("ann")
	w.call(token, http.MethodGet, "/api/v1/sites", "", "") // notes the token's first use
	ends := fill(t, w.panel.streams, ann.ID, maxStreamsPerAccount)
	before := w.newest().ID
	for _, call := range [][2]string{{"/restart", ""}, {"/releases", zipType}, {"/releases/1/activate", ""}} {
		a := w.call(token, http.MethodPost, "/api/v1/sites/hello"+call[0]+"?wait=live", call[1], string(zipOf(t, "index.html")))
		a.problem(t, 429, "waiting requests")
	}
	if w.newest().ID != before {
		t.Errorf("a refused request did something: %+v", w.newest())
	}
	for _, end := range ends {
		end()
	}

	release := w.shelf.holdUp()
	defer release()
	wait := func(end func()) answer {
		answers := make(chan answer)
		go func() {
			answers <- w.call(token, http.MethodPost, "/api/v1/sites/hello/restart?wait=live", "", "")
		}()
		eventually(t, "the request waits", func() bool {
			w.panel.streams.mu.Lock()
			defer w.panel.streams.mu.Unlock()
			return len(w.panel.streams.all) == 1
		})
		end()
		return <-answers
	}
	wait(func() { w.panel.streams.endAccount(ann.ID) }).problem(t, 409, "account was changed")
	wait(w.panel.Close).problem(t, 503, "stopping")
}

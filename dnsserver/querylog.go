package dnsserver

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// watchedLines is how many lines a watcher may fall behind before it misses some.
const watchedLines = 256

// queryLog hands queries to those who watch. With nobody watching it costs a query one load.
type queryLog struct {
	watchers atomic.Pointer[[]*watcher]
	changing sync.Mutex
}

// watcher follows the queries for one name and those below it.
type watcher struct {
	name   string // wire form, lower case
	mu     sync.Mutex
	lines  chan sites.QueryLine
	closed bool
}

// WatchQueries yields the queries for a name and the names below it, "" for all, as they are answered, until ctx is done;
// then the channel is closed. Who is slow to read misses lines.
func (s *Server) WatchQueries(ctx context.Context, name string) <-chan sites.QueryLine {
	w := &watcher{name: wireName(sites.CanonicalHost(name)), lines: make(chan sites.QueryLine, watchedLines)}
	s.queries.change(func(all []*watcher) []*watcher { return append(all, w) })
	context.AfterFunc(ctx, func() {
		s.queries.change(func(all []*watcher) []*watcher {
			return slices.DeleteFunc(all, func(other *watcher) bool { return other == w })
		})
		w.close()
	})
	return w.lines
}

func (l *queryLog) change(alter func([]*watcher) []*watcher) {
	l.changing.Lock()
	defer l.changing.Unlock()
	var all []*watcher
	if before := l.watchers.Load(); before != nil {
		all = slices.Clone(*before)
	}
	if all = alter(all); len(all) == 0 {
		l.watchers.Store(nil)
		return
	}
	l.watchers.Store(&all)
}

func (w *watcher) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	close(w.lines)
}

func (w *watcher) send(line sites.QueryLine) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	select {
	case w.lines <- line:
	default:
	}
}

func (w *watcher) follows(name []byte) bool {
	for at := 0; at < len(name); at += int(name[at]) + 1 {
		if string(name[at:]) == w.name {
			return true
		}
	}
	return false
}

// note hands a query to its watchers.
func (l *queryLog) note(q *query, via transport, client netip.Addr, rcode int, limited bool) {
	watchers := l.watchers.Load()
	if watchers == nil || q.name == nil {
		return
	}
	for _, w := range *watchers {
		if w.follows(q.name) {
			w.send(sites.QueryLine{
				At: time.Now(), Client: client, Transport: via.String(), Name: q.asked(), Type: typeName(q.rrtype),
				Rcode: rcodeName(rcode), Limited: limited,
			})
		}
	}
}

// asked is the question's name as it was sent.
func (q *query) asked() string {
	name, _, err := dns.UnpackDomainName(q.question, 0)
	if err != nil {
		return ""
	}
	return name
}

func typeName(rrtype uint16) string {
	if name, ok := dns.TypeToString[rrtype]; ok && rrtype != dns.TypeNone && rrtype != dns.TypeReserved {
		return name
	}
	return "TYPE" + strconv.Itoa(int(rrtype))
}

func (v transport) String() string { return [transports]string{"UDP", "TCP", "TLS"}[v] }

package panel

import (
	"context"
	"net/http"
	"sync"

	"berth/sites"
)

const (
	maxStreams           = 1000
	maxStreamsPerAccount = 30
)

// streams knows and bounds the responses that last or are waited for. They end with the session, the account's rights,
// or the panel.
type streams struct {
	closing context.Context // done once the panel closes
	close   context.CancelFunc
	mu      sync.Mutex
	all     map[*stream]struct{}
}

type stream struct {
	account sites.AccountID
	session string // empty: by API token
	cancel  context.CancelFunc
}

func newStreams() *streams {
	s := &streams{all: make(map[*stream]struct{})}
	s.closing, s.close = context.WithCancel(context.Background())
	return s
}

// open begins a stream. The context ends with ctx or when the stream has to; the caller calls end when it is over.
func (s *streams) open(ctx context.Context, account sites.AccountID, session string) (_ context.Context, end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	own := 0
	for other := range s.all {
		if other.account == account {
			own++
		}
	}
	if own >= maxStreamsPerAccount {
		return nil, nil, &outcome{status: http.StatusTooManyRequests, sentence: "Your account has too many pages, followed logs or waiting requests open. End some of them."}
	}
	if len(s.all) >= maxStreams {
		return nil, nil, &outcome{status: http.StatusServiceUnavailable, sentence: "Too many pages are open on this server. Try again in a moment."}
	}
	ctx, cancel := context.WithCancel(ctx)
	one := &stream{account: account, session: session, cancel: cancel}
	stop := context.AfterFunc(s.closing, cancel)
	s.all[one] = struct{}{}
	return ctx, func() {
		stop()
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.all, one)
	}, nil
}

// endSession ends the streams of a session.
func (s *streams) endSession(session string) {
	s.end(func(one *stream) bool { return session != "" && one.session == session })
}

// endAccount ends the streams of an account.
func (s *streams) endAccount(account sites.AccountID) {
	s.end(func(one *stream) bool { return one.account == account })
}

func (s *streams) end(which func(*stream) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.all {
		if which(one) {
			one.cancel()
		}
	}
}

package http1

import (
	"context"
	"sync"
	"time"
)

// watchAfter is how long a request may take before anybody looks whether its client is still there.
const watchAfter = 50 * time.Millisecond

// life is the context of a request. It ends with the handler, the connection, or when the client is seen to have gone, for which
// nothing is done before somebody asks for Done and the request has taken a while: most never come to that.
type life struct {
	context.Context // of the connection
	conn            *conn

	mu      sync.Mutex
	inner   context.Context // made when somebody asks
	cancel  context.CancelFunc
	ended   bool
	coming  bool        // a body, which is read by whoever wants it
	settled bool        // nobody watches any more
	timer   *time.Timer // begins to watch
	gone    chan struct{}
}

// Done asks for the end, and so has the client watched.
func (l *life) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		l.inner, l.cancel = context.WithCancel(l.Context)
		if l.ended {
			l.cancel()
		}
		l.arm()
	}
	return l.inner.Done()
}

func (l *life) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.inner != nil:
		return l.inner.Err()
	case l.ended:
		return context.Canceled
	}
	return l.Context.Err()
}

// Value lets package context find the context that it knows, which spares it a goroutine for each that derives from this one.
func (l *life) Value(key any) any {
	l.mu.Lock()
	inner := l.inner
	l.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	return l.Context.Value(key)
}

// arm begins to watch a moment later.
func (l *life) arm() {
	if !l.coming && !l.settled && l.timer == nil {
		l.timer = time.AfterFunc(watchAfter, l.watch)
	}
}

// bodyEnded says that nothing of the request is left to be read.
func (l *life) bodyEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.coming = false
	if l.inner != nil {
		l.arm()
	}
}

// watch waits for the next request, which is nothing to it, or the connection's end.
func (l *life) watch() {
	l.mu.Lock()
	if l.settled {
		l.mu.Unlock()
		return
	}
	gone := make(chan struct{})
	l.gone = gone
	l.mu.Unlock()
	defer close(gone)
	l.conn.unbound()
	_, err := l.conn.in.Peek(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !l.settled {
		l.cancel()
	}
}

// settle stops watching: who calls it may read from the connection afterwards.
func (l *life) settle() {
	l.mu.Lock()
	l.settled = true
	if l.timer != nil {
		l.timer.Stop()
	}
	gone := l.gone
	l.mu.Unlock()
	if gone != nil {
		_ = l.conn.readUntil(longAgo) // fails on a closed connection, of which the watch knows
		<-gone
		_ = l.conn.readUntil(time.Time{})
	}
}

// end is for when the handler has returned.
func (l *life) end() {
	l.settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.cancel != nil {
		l.cancel()
	}
}

package http1

import (
	"context"
	"sync"
	"time"
)

// watchAfter is how long a request may take before anybody looks whether its client is still there.
const watchAfter = 50 * time.Millisecond

// lookAgain is the pause between two looks at a client whose body is coming.
const lookAgain = 500 * time.Millisecond

// life is the context of a request. It ends with the handler, the connection, or when the client is seen to have gone, for which
// nothing is done before somebody asks for Done and the request has taken a while: most never come to that.
type life struct {
	context.Context // of the connection
	conn            *conn

	mu      sync.Mutex
	inner   context.Context // made when somebody asks
	cancel  context.CancelFunc
	ended   bool
	coming  bool          // a body, which is read by whoever wants it
	settled bool          // nobody watches any more
	timer   *time.Timer   // begins to watch, or looks while a body is coming
	watched chan struct{} // closed when the watch that has begun ends; nil: none has
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
	if !l.settled && l.timer == nil {
		l.timer = time.AfterFunc(watchAfter, l.watch)
	}
}

// bodyEnded says that nothing of the request is left to be read.
func (l *life) bodyEnded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.coming && l.timer != nil && !l.settled {
		l.timer.Reset(watchAfter)
	}
	l.coming = false
}

// watch waits for the next request, which is nothing to it, or the connection's end. While a body is coming it reads nothing, and
// looks every now and then.
func (l *life) watch() {
	watched := l.beginWatch()
	if watched == nil {
		return
	}
	defer close(watched)
	l.conn.unbound()
	_, err := l.conn.in.Peek(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil && !l.settled {
		l.cancel()
	}
}

// beginWatch returns what is to be closed with the end of the watch, or nil where there is none.
func (l *life) beginWatch() chan<- struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.settled || l.watched != nil:
		return nil
	case !l.coming:
		l.watched = make(chan struct{})
		return l.watched
	case hungUp(l.conn.Conn):
		l.cancel()
	default:
		l.timer.Reset(lookAgain)
	}
	return nil
}

// settle stops watching: who calls it may read from the connection afterwards.
func (l *life) settle() {
	l.mu.Lock()
	l.settled = true
	if l.timer != nil {
		l.timer.Stop()
	}
	watched := l.watched
	l.mu.Unlock()
	if watched != nil {
		_ = l.conn.readUntil(longAgo) // fails on a closed connection, of which the watch knows
		<-watched
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

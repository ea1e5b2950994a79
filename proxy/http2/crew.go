package http2

import (
	"sync"
	"time"
)

const (
	mostIdle = 512              // goroutines that are kept for later
	restTime = 10 * time.Second // that those are kept which nothing has needed
)

// crew runs jobs on goroutines that are kept for a while: their stacks have grown to what handlers need.
type crew struct {
	mu        sync.Mutex
	idle      []chan job // the last one has worked last
	fewest    int        // that were idle since the last sweep
	timer     *time.Timer
	dismissed bool
	working   sync.WaitGroup
}

// job is a request to serve, or a connection on which to write what is pending.
type job struct {
	stream *stream
	conn   *conn
}

func (j job) run() {
	if j.stream != nil {
		j.stream.serve()
		return
	}
	j.conn.relieve()
}

// do has somebody do the job.
func (w *crew) do(j job) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		w.working.Go(func() { w.work(j) })
		return
	}
	jobs := w.idle[last]
	w.idle[last] = nil
	w.idle = w.idle[:last]
	w.fewest = min(w.fewest, last)
	w.mu.Unlock()
	jobs <- j
}

func (w *crew) work(j job) {
	jobs := make(chan job, 1)
	for more := true; more; j, more = <-jobs {
		j.run()
		if !w.rest(jobs) {
			return
		}
	}
}

// rest reports false when a goroutine is not needed any more.
func (w *crew) rest(jobs chan job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dismissed || len(w.idle) == mostIdle {
		return false
	}
	w.idle = append(w.idle, jobs)
	if w.timer == nil {
		w.fewest = 0
		w.timer = time.AfterFunc(restTime, w.sweep)
	}
	return true
}

// sweep lets those go that were idle all the time.
func (w *crew) sweep() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.release(w.fewest)
	w.fewest = len(w.idle)
	if w.fewest == 0 {
		w.timer = nil
		return
	}
	w.timer.Reset(restTime)
}

// dismiss lets all go, those that work when they are done.
func (w *crew) dismiss() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dismissed = true
	w.release(len(w.idle))
	w.fewest = 0
}

// release lets the first n go, which have not worked for longest.
func (w *crew) release(n int) {
	for _, jobs := range w.idle[:n] {
		close(jobs)
	}
	rest := copy(w.idle, w.idle[n:])
	clear(w.idle[rest:])
	w.idle = w.idle[:rest]
}

package origin

import "container/list"

// waiters is the queue of requests for which there is no connection. It is guarded by Transport.mu.
type waiters struct{ queue list.List }

// waiter is one request in the queue.
type waiter struct {
	turn  chan *conn // receives once: a connection, or nil for the right to dial one
	place *list.Element
}

func (ws *waiters) add() *waiter {
	w := &waiter{turn: make(chan *conn, 1)}
	w.place = ws.queue.PushBack(w)
	return w
}

// remove reports whether w was still waiting.
func (ws *waiters) remove(w *waiter) bool {
	if w.place == nil {
		return false
	}
	ws.queue.Remove(w.place)
	w.place = nil
	return true
}

// hand gives what has come free to the one who has waited longest, and reports whether there was one.
func (ws *waiters) hand(c *conn) bool {
	first := ws.queue.Front()
	if first == nil {
		return false
	}
	w := first.Value.(*waiter)
	ws.remove(w)
	w.turn <- c
	return true
}

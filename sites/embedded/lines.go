package embedded

import (
	"context"
	"strings"
	"sync"
)

// What is kept of an instance's log. There may be thousands of instances.
const (
	mostLines = 200
	mostBytes = 16 << 10
	longest   = 1 << 10 // of one line
)

// lines keeps the last lines that were written. It is safe for concurrent use.
type lines struct {
	mu      sync.Mutex
	kept    []string // each with its newline
	first   int      // number of kept[0]; lines are counted from 0
	bytes   int
	changed chan struct{} // closed at the next line or the end; made when somebody waits
	ended   bool
}

func newLines() *lines { return &lines{} }

// Write takes one line, with its newline.
func (l *lines) Write(p []byte) (int, error) {
	line := strings.TrimSuffix(string(p), "\n")
	if len(line) > longest {
		line = strings.ToValidUTF8(line[:longest], "") + "…"
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, line+"\n")
	l.bytes += len(line) + 1
	drop := 0
	for len(l.kept)-drop > mostLines || l.bytes > mostBytes {
		l.bytes -= len(l.kept[drop])
		drop++
	}
	if drop > 0 {
		clear(l.kept[:drop])
		l.kept = l.kept[drop:]
		l.first += drop
	}
	l.tell()
	return len(p), nil
}

// end lets go of whoever follows.
func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.tell()
}

// tell needs l.mu.
func (l *lines) tell() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// tail returns the last n lines, and the number of the line that comes next.
func (l *lines) tail(n int) (kept []string, next int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.from(len(l.kept) - n)
}

// since returns the lines that are kept from the given number on, and the number of the line that comes next.
func (l *lines) since(number int) (kept []string, next int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.from(number - l.first)
}

// from needs l.mu.
func (l *lines) from(index int) (kept []string, next int) {
	return append(kept, l.kept[max(0, index):]...), l.first + len(l.kept)
}

// wait returns true when there is a line of the number, and false when ctx is done or none will come.
func (l *lines) wait(ctx context.Context, number int) bool {
	for {
		l.mu.Lock()
		if l.first+len(l.kept) > number || l.ended {
			defer l.mu.Unlock()
			return l.first+len(l.kept) > number
		}
		if l.changed == nil {
			l.changed = make(chan struct{})
		}
		changed := l.changed
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

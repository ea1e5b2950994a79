package accesslog

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"
)

// follow reads along and returns what comes, line by line.
func (w *world) follow(id sites.SiteID, n int) (lines <-chan string, stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	in, out := io.Pipe()
	all := make(chan string, 1000)
	var reading sync.WaitGroup
	reading.Go(func() {
		_ = out.CloseWithError(w.Read(ctx, id, sites.LogQuery{Tail: n, Follow: true}, out))
	})
	reading.Go(func() {
		defer close(all)
		text := make([]byte, 64<<10)
		for {
			n, err := in.Read(text)
			for line := range strings.Lines(string(text[:n])) {
				all <- line
			}
			if err != nil {
				return
			}
		}
	})
	return all, func() { cancel(); reading.Wait() }
}

func receive(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case line := <-from:
		return line
	case <-time.After(patience):
		t.Fatal("no line comes")
		return ""
	}
}

func TestWhoFollowsSeesEachLineOnce(t *testing.T) {
	for _, format := range []Format{Combined, Off} {
		t.Run(string(format), func(t *testing.T) {
			w := start(t, Config{Format: format})
			w.exist(1, 2)
			w.visit(1, "/1", "/2", "/3")
			lines, stop := w.follow(1, 2)
			defer stop()
			eventually(t, "someone follows", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
			w.visit(2, "/other")
			w.visit(1, "/4", "/5")
			want := []string{"/2", "/3", "/4", "/5"}
			if format == Off {
				want = want[2:]
			}
			for _, target := range want {
				if got := targets(receive(t, lines)); !slices.Equal(got, []string{target}) {
					t.Errorf("the line is of %v, want %s", got, target)
				}
			}
			w.Apply(sites.Change{Gone: []string{"site1.example.org"}})
			if line := receive(t, lines); line != "" {
				t.Errorf("after the end of the site comes %q", line)
			}
			if _, err := os.Stat(filepath.Join(w.dir, "logs")); format == Off && err == nil {
				t.Error("there is a directory for logs that are off")
			}
		})
	}
}

func TestASlowReaderHoldsUpNobody(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	ctx, cancel := context.WithCancel(t.Context())
	letGo, ended := make(chan struct{}), make(chan struct{})
	slow := &slowWriter{letGo: letGo}
	go func() {
		defer close(ended)
		_ = w.Read(ctx, 1, sites.LogQuery{Follow: true}, slow)
	}()
	eventually(t, "someone follows", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
	for range 3 * maxBehind {
		w.visit(1, "/")
	}
	close(letGo)
	eventually(t, "the reader is told that it has missed some", func() bool {
		w.visit(1, "/")
		return strings.Contains(slow.String(), "left out")
	})
	cancel()
	<-ended
}

func TestASlowReaderKeepsLittleWaiting(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	ctx, cancel := context.WithCancel(t.Context())
	letGo, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_ = w.Read(ctx, 1, sites.LogQuery{Follow: true}, &slowWriter{letGo: letGo})
	}()
	eventually(t, "someone follows", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.followers) == 1 })
	w.mu.Lock()
	f, portion := w.followers[1][0], make([]byte, 1<<20)
	for range maxBehind {
		w.tell(1, portion)
	}
	w.mu.Unlock()
	if most := behindBytes/len(portion) + 1; len(f.portions) > most {
		t.Errorf("%d portions wait, want %d at most", len(f.portions), most)
	}
	close(letGo)
	cancel()
	<-ended
}

// slowWriter takes nothing until it is let go.
type slowWriter struct {
	letGo <-chan struct{}
	mu    sync.Mutex
	text  bytes.Buffer
}

func (s *slowWriter) Write(p []byte) (int, error) {
	<-s.letGo
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *slowWriter) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

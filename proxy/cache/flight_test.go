package cache

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd has n clients ask for the same at a time, and returns what they got.
func (f *front) crowd(n int, path string, fields ...string) []reply {
	replies := make([]reply, n)
	var asking sync.WaitGroup
	for i := range replies {
		asking.Go(func() { replies[i] = f.get(path, fields...) })
	}
	asking.Wait()
	return replies
}

// waiting is how many requests wait for others.
func (f *front) waiting() (n int64) {
	f.flights.mu.Lock()
	defer f.flights.mu.Unlock()
	for _, all := range f.flights.byKey {
		for _, one := range all {
			n += one.waiting.Load()
		}
	}
	return n
}

func TestSimultaneousMissesAreOneRequest(t *testing.T) {
	for _, length := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", length), func(t *testing.T) {
			const clients = 40
			body := strings.Repeat("0123456789", 10_000)
			var f *front
			f = start(t, 16<<20, func(w http.ResponseWriter, _ *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: image/png"})
				eventually(t, "all wait", func() bool { return f.waiting() == clients-1 })
				if length {
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				}
				for part := body; part != ""; part = part[10_000:] {
					io.WriteString(w, part[:10_000])
					http.NewResponseController(w).Flush()
				}
			})
			for i, got := range f.crowd(clients, "/") {
				if got.body != body || got.err != nil {
					t.Errorf("%d: %d %d bytes %v", i, got.StatusCode, len(got.body), got.err)
				}
			}
			if n := f.asked.Load(); n != 1 {
				t.Errorf("the origin was asked %d times", n)
			}
			if got := f.get("/"); got.status() != "hit" || got.body != body {
				t.Errorf("then: %q, %d bytes", got.status(), len(got.body))
			}
		})
	}
}

// What turns out to be for one visitor only holds up nobody: all others ask at once, and those after them do not wait at all.
func TestUncacheableMissesGoOnByThemselves(t *testing.T) {
	const clients = 20
	var f *front
	var first atomic.Bool
	together := make(chan struct{}, clients)
	all := make(chan struct{})
	f = start(t, 1<<20, func(w http.ResponseWriter, _ *http.Request) {
		if !first.Swap(true) {
			eventually(t, "all wait", func() bool { return f.waiting() == clients-1 })
		} else {
			// None of these returns before all have come.
			together <- struct{}{}
			if len(together) == clients-1 {
				close(all)
			}
			select {
			case <-all:
			case <-time.After(patience):
				t.Error("the others are asked for one after the other")
			}
		}
		io.WriteString(w, "mine")
	})
	for _, got := range f.crowd(clients, "/") {
		if got.body != "mine" {
			t.Errorf("got %q", got.body)
		}
	}
	if n := f.asked.Load(); n != clients {
		t.Errorf("the origin was asked %d times", n)
	}
	again := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if f.waiting() != 0 {
			t.Error("somebody waits again")
		}
	})
	f.answer.Store(&again)
	f.crowd(clients, "/")
}

// The client that asked first goes; those that wait for the same get it all the same, and it is kept.
func TestLeaderLeaves(t *testing.T) {
	for _, begun := range []bool{false, true} {
		t.Run(fmt.Sprint("after the header ", begun), func(t *testing.T) {
			body := strings.Repeat("x", 100_000)
			release, asked := make(chan struct{}), make(chan struct{})
			f := start(t, 16<<20, func(w http.ResponseWriter, r *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: image/png", "Content-Length: 100000"})
				if begun {
					io.WriteString(w, body[:1000])
					http.NewResponseController(w).Flush()
				}
				close(asked)
				select {
				case <-release:
				case <-r.Context().Done():
					t.Error("the origin's request was given up")
					return
				}
				io.WriteString(w, body[map[bool]int{true: 1000}[begun]:])
			})
			ctx, leave := context.WithCancel(t.Context())
			var leader sync.WaitGroup
			leader.Go(func() {
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, f.url, nil)
				if res, err := f.client.Do(req); err == nil {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
			<-asked
			follower := make(chan reply)
			go func() { follower <- f.get("/") }()
			eventually(t, "one waits", func() bool { return f.waiting() == 1 })
			leave()
			leader.Wait()
			eventually(t, "the leader's going is noticed", func() bool {
				f.flights.mu.Lock()
				defer f.flights.mu.Unlock()
				for _, all := range f.flights.byKey {
					for _, one := range all {
						one.mu.Lock()
						defer one.mu.Unlock()
						return one.left
					}
				}
				return false
			})
			close(release)
			if got := <-follower; got.body != body || got.err != nil {
				t.Errorf("%d, %d bytes, %v", got.StatusCode, len(got.body), got.err)
			}
			eventually(t, "it is kept", func() bool { return f.get("/").status() == "hit" })
		})
	}
}

// A client that does not read what it asked for holds up neither the origin nor the others.
func TestSlowLeaderHoldsUpNobody(t *testing.T) {
	body := strings.Repeat("x", 6<<20) // more than all buffers on the way hold
	f := start(t, 128<<20, func(w http.ResponseWriter, _ *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: image/png"})
		io.WriteString(w, body)
	})
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", strings.TrimPrefix(f.url, "http://"))
	if _, err := bufio.NewReaderSize(conn, 16).ReadByte(); err != nil {
		t.Fatal(err)
	}
	if got := f.get("/"); len(got.body) != len(body) || f.asked.Load() != 1 {
		t.Errorf("%d bytes, the origin was asked %d times", len(got.body), f.asked.Load())
	}
}

// The first client sees what there is while the rest is still to come.
func TestMissIsStreamed(t *testing.T) {
	next := make(chan struct{})
	f := start(t, 1<<20, func(w http.ResponseWriter, _ *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: text/plain"})
		for range 3 {
			io.WriteString(w, "part\n")
			http.NewResponseController(w).Flush()
			<-next
		}
	})
	res, err := f.client.Get(f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	for range 3 {
		if line, err := lines.ReadString('\n'); line != "part\n" {
			t.Fatal(line, err)
		}
		next <- struct{}{}
	}
	eventually(t, "it is kept", func() bool { return f.get("/").status() == "hit" })
}

func TestLargeBodiesPass(t *testing.T) {
	for _, length := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", length), func(t *testing.T) {
			body := strings.Repeat("0123456789abcdef", 40_000) // of 640 kB, where 64 KiB may be kept
			f := start(t, 1<<20, func(w http.ResponseWriter, _ *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: image/png"})
				if length {
					w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				}
				io.WriteString(w, body)
			})
			for range 2 {
				for i, got := range f.crowd(5, "/") {
					if got.body != body || got.err != nil {
						t.Errorf("%d: %d bytes, %v", i, len(got.body), got.err)
					}
				}
			}
			if s := f.Stats(); s.Bytes > 10_000 || f.pending.Load() != 0 {
				t.Errorf("%+v, %d bytes pending", s, f.pending.Load())
			}
		})
	}
}

// A body that ends too early is nobody's, and is not kept.
func TestTruncatedBodyIsNotKept(t *testing.T) {
	for _, length := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", length), func(t *testing.T) {
			const clients = 5
			f := start(t, 1<<20, func(w http.ResponseWriter, _ *http.Request) {
				put(w.Header(), []string{"Cache-Control: max-age=60", "Content-Type: image/png"})
				if length {
					w.Header().Set("Content-Length", "1000")
				}
				io.WriteString(w, "beginning")
				http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			})
			for i, got := range f.crowd(clients, "/") {
				if got.err == nil {
					t.Errorf("%d: took %d %q for the whole", i, got.StatusCode, got.body)
				}
			}
			if s := f.Stats(); s.Entries != 0 || f.pending.Load() != 0 {
				t.Errorf("%+v, %d bytes pending", s, f.pending.Load())
			}
		})
	}
}

// An origin that does not answer holds up those who wait only for so long.
func TestPatience(t *testing.T) {
	hang := make(chan struct{})
	var first atomic.Bool
	f := start(t, 1<<20, func(w http.ResponseWriter, _ *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60"})
		if !first.Swap(true) {
			<-hang
		}
		io.WriteString(w, "hello")
	})
	f.patience = 10 * time.Millisecond
	slow := make(chan reply)
	go func() { slow <- f.get("/") }()
	eventually(t, "the origin is asked", first.Load)
	for _, got := range f.crowd(5, "/") {
		if got.body != "hello" {
			t.Errorf("got %q", got.body)
		}
	}
	close(hang)
	if got := <-slow; got.body != "hello" {
		t.Errorf("the slow one: %q", got.body)
	}
}

// What was fetched before an unsafe request succeeded is not kept after it.
func TestInvalidationOutrunsAFetch(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	f := start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60"})
		if r.Method == http.MethodGet {
			close(asked)
			<-release
		}
		io.WriteString(w, "old")
	})
	old := make(chan reply)
	go func() { old <- f.get("/") }()
	<-asked
	f.ask(http.MethodPost, "/")
	fresh := says("new", "Cache-Control: max-age=60")
	f.answer.Store(&fresh)
	if got := f.get("/"); got.body != "new" {
		t.Errorf("a request after the change joined one from before it: %q", got.body)
	}
	close(release)
	<-old
	if got := f.get("/"); got.body == "old" {
		t.Errorf("the old one is kept")
	}
}

// last is a client that asks again as soon as it has all of a response.
type last struct {
	nobody
	left  int
	again func()
}

func (l *last) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left == 0 {
		l.again()
	}
	return len(p), nil
}

// Who has seen the end of a response finds it kept.
func TestWhatHasCompletedIsKept(t *testing.T) {
	const size = 100
	c, s := New(1<<20, slog.New(slog.DiscardHandler)), new(Space)
	t.Cleanup(c.Close)
	for i := range 200 {
		r := httptest.NewRequest(http.MethodGet, fmt.Sprint("/", i), nil)
		found := false
		client := &last{nobody{make(http.Header)}, size, func() { found = c.Hit(nobody{make(http.Header)}, r, s) }}
		c.Fetch(client, r, s, func(w http.ResponseWriter, _ *http.Request) {
			put(w.Header(), []string{"Cache-Control: max-age=60", fmt.Sprint("Content-Length: ", size)})
			_, _ = io.WriteString(w, strings.Repeat("x", size)) // the recorder takes all
			runtime.Gosched()
		})
		if !found {
			t.Fatalf("response %d is sent whole and not kept", i)
		}
	}
}

package http2_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

func TestWriteDeadlineEndsAStalledResponse(t *testing.T) {
	failed, writing := make(chan error, 1), make(chan *http.ResponseController, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.URL.Path == "/future" {
			control.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
		} else {
			writing <- control
		}
		_, err := w.Write(make([]byte, 1<<20)) // beyond the window
		failed <- err
	})
	c := s.dial(t)
	c.get(1, "/past")
	control := receive(t, "the request", writing)
	for sent := 0; sent < 1<<16-1; {
		sent += len(await(c, "data", anyOf[*xhttp2.DataFrame]).Data())
	}
	control.SetWriteDeadline(time.Now().Add(-time.Second))
	c.wantReset(1, xhttp2.ErrCodeInternal)
	if err := receive(t, "the handler's end", failed); err == nil {
		t.Error("the write is content")
	}
	c.get(3, "/future")
	c.wantReset(3, xhttp2.ErrCodeInternal)
	if err := receive(t, "the handler's end", failed); err == nil {
		t.Error("the write is content")
	}
	c.alive()
}

// A handler that writes to a client which takes nothing at all is freed by its deadline, and the connection ends.
func TestWriteDeadlineEndsAStuckConnection(t *testing.T) {
	writing, failed := make(chan *http.ResponseController, 1), make(chan error, 1)
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		writing <- http.NewResponseController(w)
		for {
			if _, err := w.Write(make([]byte, 1<<20)); err != nil {
				failed <- err
				return
			}
		}
	})
	c := s.dial(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1<<31 - 1})
	c.must(c.WriteWindowUpdate(0, 1<<30))
	c.get(1, "/")
	control := receive(t, "the request", writing)
	control.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
	if err := receive(t, "the handler's end", failed); err == nil {
		t.Error("the write is content")
	}
	eventually(t, "the end of Serve", func() bool { return s.conns.Load() == 0 })
}

// What a handler has left behind does not wait for ever.
func TestEndOfAResponseThatIsNotTaken(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") },
		func(s *http2.Server) { s.IdleTimeout = 100 * time.Millisecond })
	c := s.dial(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 0})
	c.get(1, "/")
	c.wantReset(1, xhttp2.ErrCodeInternal)
	c.wantAway(xhttp2.ErrCodeNo)
}

// Windows are kept to, and a response goes on when they open.
func TestResponseKeepsToWindows(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 300_000)) })
	c := s.dial(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1000})
	c.get(1, "/")
	take := func(n int) {
		t.Helper()
		for got := 0; got < n; {
			got += len(await(c, "data", anyOf[*xhttp2.DataFrame]).Data())
			if got > n {
				t.Fatalf("%d bytes, where %d are allowed", got, n)
			}
		}
		c.alive() // and nothing more came before that, else the next take fails
	}
	take(1000)
	c.must(c.WriteWindowUpdate(1, 5000))
	take(5000)
	c.must(c.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 3000}))
	take(2000)
	c.must(c.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 2000})) // now it is below zero
	c.must(c.WriteWindowUpdate(1, 1500))
	take(500)
	c.must(c.WriteWindowUpdate(1, 1<<20))
	take(1<<16 - 1 - 8500)
	c.must(c.WriteWindowUpdate(0, 1<<20))
	take(300_000 - (1<<16 - 1))
}

// A download whose client is slow holds up a small response by no more than what is on its way already.
func TestDownloadHoldsUpNoOther(t *testing.T) {
	const most = 1 << 20
	synctest.Test(t, func(t *testing.T) {
		s := &http2.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for r.URL.Path == "/download" {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
			io.WriteString(w, "hello")
		})}
		c, serving := pipe(t, s)
		defer func() {
			c.Close()
			<-serving
			_ = s.Shutdown(t.Context())
		}()
		c.must(c.WriteWindowUpdate(0, 1<<30))
		c.get(1, "/download")
		for id := uint32(3); id < 100; id += 2 {
			synctest.Wait() // until all that can be done without the client is
			c.get(id, "/")
			before := 0
			await(c, "the small response", func(f *xhttp2.DataFrame) bool {
				synctest.Wait()
				before += len(f.Data())
				return f.StreamID == id || before > most
			})
			if before > most {
				t.Fatalf("stream %d comes after %d bytes of the download", id, before)
			}
		}
	})
}

// Large responses on one connection come along side by side.
func TestStreamsShareTheConnection(t *testing.T) {
	const streams, size = 4, 4 << 20
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 32<<10)
		for range size / len(chunk) {
			w.Write(chunk)
		}
	})
	c := s.dial(t, xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 1 << 30})
	for i := range streams {
		c.get(uint32(2*i+1), "/")
	}
	got := make(map[uint32]int)
	for ended := 0; ended == 0; {
		c.must(c.WriteWindowUpdate(0, 64<<10))
		for received := 0; received < 64<<10 && ended == 0; {
			f := await(c, "data", anyOf[*xhttp2.DataFrame])
			got[f.StreamID] += len(f.Data())
			received += len(f.Data())
			if f.StreamEnded() {
				ended++
			}
		}
	}
	for id, n := range got {
		if n < size/3 {
			t.Errorf("stream %d has %d bytes when the first has all of %d", id, n, size)
		}
	}
	if len(got) != streams {
		t.Errorf("%d of %d streams got something", len(got), streams)
	}
}

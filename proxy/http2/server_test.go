package http2_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

// Shutdown lets requests end that are under way, and those that come before the client knows.
func TestShutdownIsGraceful(t *testing.T) {
	begun, goOn := make(chan struct{}, 2), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		begun <- struct{}{}
		<-goOn
		io.WriteString(w, "hello")
	})
	c := s.dial(t)
	c.get(1, "/")
	receive(t, "the request", begun)
	idle := s.dial(t)
	idle.alive()
	ended := make(chan error, 1)
	go func() { ended <- s.Shutdown(t.Context()) }()
	if f := await(c, "GOAWAY", anyOf[*xhttp2.GoAwayFrame]); f.LastStreamID != 1<<31-1 || f.ErrCode != xhttp2.ErrCodeNo {
		t.Errorf("got %v", f)
	}
	c.get(3, "/") // on its way meanwhile
	receive(t, "the late request", begun)
	ping := await(c, "a ping", anyOf[*xhttp2.PingFrame])
	c.must(c.WritePing(true, ping.Data))
	if f := await(c, "the last GOAWAY", anyOf[*xhttp2.GoAwayFrame]); f.LastStreamID != 3 {
		t.Errorf("got %v", f)
	}
	c.get(5, "/") // which is not served
	idle.wantAway(xhttp2.ErrCodeNo)
	select {
	case err := <-ended:
		t.Fatal("it does not wait: ", err)
	default:
	}
	close(goOn)
	for range 2 {
		if f := await(c, "a response", anyOf[*xhttp2.DataFrame]); string(f.Data()) != "hello" {
			t.Errorf("got %q", f.Data())
		}
	}
	c.wantEnd()
	if err := receive(t, "Shutdown", ended); err != nil {
		t.Error(err)
	}
	if len(begun) != 0 {
		t.Error("a stream was served that should not have been")
	}
	s.dialSilent(t).wantEnd()
}

// What a client goes on with before it knows that a stream is not served costs the others nothing.
func TestStreamsThatAreNotServedAreIgnored(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(goOn) })
	defer release()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		io.WriteString(w, "hello")
	})
	c := s.dial(t)
	c.get(1, "/")
	receive(t, "the request", begun)
	c.must(c.WriteGoAway(0, xhttp2.ErrCodeNo, nil))
	ping := await(c, "a ping", anyOf[*xhttp2.PingFrame])
	c.must(c.WritePing(true, ping.Data))
	await(c, "the last GOAWAY", func(f *xhttp2.GoAwayFrame) bool { return f.LastStreamID == 1 })
	c.must(c.open(3, false, c.to("POST", "/")))
	c.must(c.WriteData(3, false, []byte("body")))
	c.must(c.WriteWindowUpdate(3, 1<<20))
	c.must(c.open(3, true, c.header("x", "y")))
	c.must(c.WriteRSTStream(3, xhttp2.ErrCodeCancel))
	c.alive()
	release()
	await(c, "the response", func(f *xhttp2.DataFrame) bool { return string(f.Data()) == "hello" })
	c.wantEnd()
}

func TestShutdownEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done()
	})
	c := s.dial(t)
	c.get(1, "/")
	receive(t, "the request", begun)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Shutdown(ctx); err == nil {
		t.Error("it says that all have ended")
	}
	s.Close()
	c.wantEnd()
}

// A client that is slow to take its response gets all of it before the connection ends.
func TestShutdownWaitsForSlowClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http2.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 10_000)) })}
		c, serving := pipe(t, s)
		c.get(1, "/")
		synctest.Wait() // the handler has returned, and nothing of the response is read
		ended := make(chan error, 1)
		go func() { ended <- s.Shutdown(t.Context()) }()
		time.Sleep(time.Minute)
		for got, end := 0, false; !end; {
			f := await(c, "data", anyOf[*xhttp2.DataFrame])
			if got, end = got+len(f.Data()), f.StreamEnded(); end && got != 10_000 {
				t.Errorf("got %d bytes", got)
			}
		}
		c.wantAway(xhttp2.ErrCodeNo)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		<-serving
	})
}

// A client that says GOAWAY gets what it has asked for, and then the connection ends.
func TestClientThatLeavesIsServed(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		io.WriteString(w, "hello")
	})
	c := s.dial(t)
	c.get(1, "/")
	receive(t, "the request", begun)
	c.must(c.WriteGoAway(0, xhttp2.ErrCodeNo, nil))
	ping := await(c, "a ping", anyOf[*xhttp2.PingFrame])
	c.must(c.WritePing(true, ping.Data))
	close(goOn)
	await(c, "the response", func(f *xhttp2.DataFrame) bool { return string(f.Data()) == "hello" })
	c.wantEnd()
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) {}, func(s *http2.Server) { s.IdleTimeout = 50 * time.Millisecond })
	c := s.dial(t)
	c.wantAway(xhttp2.ErrCodeNo)
	c = s.dial(t)
	c.get(1, "/")
	if f := await(c, "GOAWAY", anyOf[*xhttp2.GoAwayFrame]); f.LastStreamID > 1 || f.ErrCode != xhttp2.ErrCodeNo {
		t.Errorf("got %v", f)
	}
	c.wantEnd()
}

func TestConnectionWithARequestIsNotIdle(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) { <-time.After(300 * time.Millisecond) },
		func(s *http2.Server) { s.IdleTimeout = 100 * time.Millisecond })
	c := s.dial(t)
	c.get(1, "/")
	if status := c.status(1); status != "200" {
		t.Error(status)
	}
	c.wantAway(xhttp2.ErrCodeNo)
}

// What a client begins it has to end in time, or the connection ends.
func TestSlowBeginningsEnd(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) { t.Error("half a request was served") },
		func(s *http2.Server) { s.HeaderTimeout = 50 * time.Millisecond })
	for name, begin := range map[string]func(c *raw){
		"nothing":      func(*raw) {},
		"half preface": func(c *raw) { c.say(io.WriteString(c.Conn, xhttp2.ClientPreface[:10])) },
		"no settings":  func(c *raw) { c.say(io.WriteString(c.Conn, xhttp2.ClientPreface)) },
		"half settings": func(c *raw) {
			c.say(io.WriteString(c.Conn, xhttp2.ClientPreface+"\x00\x00\x06\x04\x00\x00\x00\x00\x00half"))
		},
		"half a header": func(c *raw) {
			c.say(io.WriteString(c.Conn, xhttp2.ClientPreface))
			c.must(c.WriteSettings())
			c.must(c.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: 1, BlockFragment: c.to("GET", "/"), EndStream: true}))
		},
		"half a frame of a header": func(c *raw) {
			c.say(io.WriteString(c.Conn, xhttp2.ClientPreface))
			c.must(c.WriteSettings())
			c.say(io.WriteString(c.Conn, "\x00\x00\x20\x01\x05\x00\x00\x00\x01half"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.dialSilent(t)
			begin(c)
			c.wantEnd()
		})
	}
}

func TestStateIsTold(t *testing.T) {
	var mu sync.Mutex
	var states []string
	goOn := make(chan struct{})
	s := start(t, func(http.ResponseWriter, *http.Request) { <-goOn }, func(s *http2.Server) {
		s.State = func(_ net.Conn, state http.ConnState) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, state.String())
		}
	})
	told := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(states, " ")
	}
	c := s.dial(t)
	c.get(1, "/")
	c.get(3, "/")
	c.alive()
	if got := told(); got != "active" {
		t.Error(got)
	}
	goOn <- struct{}{}
	await(c, "a response", anyOf[*xhttp2.MetaHeadersFrame])
	if got := told(); got != "active" {
		t.Error(got)
	}
	goOn <- struct{}{}
	await(c, "a response", anyOf[*xhttp2.MetaHeadersFrame])
	if got := told(); got != "active idle" {
		t.Error(got)
	}
}

// Serve has ended when its handlers have, however the connection ended.
func TestServeWaitsForHandlers(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-goOn // whatever its context says
	})
	c := s.dial(t)
	c.get(1, "/")
	receive(t, "the request", begun)
	c.Close()
	other := s.dial(t)
	for range 10 {
		other.alive()
	}
	if s.conns.Load() != 2 {
		t.Error("Serve has returned before the handler")
	}
	close(goOn)
	eventually(t, "the end of Serve", func() bool { return s.conns.Load() == 1 })
}

// Idle connections must cost little: there may be many. What a client of this process costs is in it.
func TestIdleConnectionsAreCheap(t *testing.T) {
	const many, each = 200, 100 << 10
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Write(make([]byte, 50_000))
	})
	warm := s.dial(t)
	warm.alive()
	before := memory()
	for range many {
		c := s.dial(t)
		c.must(c.open(1, true, c.to("GET", "/", "x-large", strings.Repeat("~", 3000))))
		await(c, "the response", func(f *xhttp2.DataFrame) bool { return f.StreamEnded() })
	}
	after := memory()
	if cost := int64(after-before) / many; cost > each {
		t.Errorf("%d bytes for each connection", cost)
	}
	if testing.Verbose() {
		fmt.Println("an idle connection and its client take", int64(after-before)/many, "bytes")
	}
}

func memory() uint64 {
	runtime.GC()
	runtime.GC() // pools let go of what nobody has taken for a while
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc + stats.StackInuse
}

package http2_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"
)

func TestBodyMustBeAsLongAsDeclared(t *testing.T) {
	failed := make(chan error, 1)
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
		<-r.Context().Done()
	})
	c := s.dial(t)
	for i, data := range []string{"too long", "x"} {
		id := uint32(2*i + 1)
		c.must(c.open(id, false, c.to("POST", "/", "content-length", "3")))
		c.must(c.WriteData(id, true, []byte(data)))
		c.wantReset(id, xhttp2.ErrCodeProtocol)
		if err := receive(t, "the handler", failed); err == nil || err == io.EOF {
			t.Errorf("%q: the handler got %v", data, err)
		}
	}
}

func TestLargeBodyComesWhole(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }) // both ways at a time
	body := make([]byte, 5<<20)
	for i := range body {
		body[i] = byte(i * i >> 8)
	}
	for range 2 {
		got := fetch(t, s.client(t), request("POST", s.url("/"), bytes.NewReader(body)))
		if got.err != nil || got.body != string(body) {
			t.Fatalf("%d bytes, %v", len(got.body), got.err)
		}
	}
}

func TestClientIsToldToSendItsBodyWhenItIsRead(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Expect") != "" {
			t.Error("the handler sees Expect")
		}
		if r.URL.Path == "/reads" {
			io.Copy(w, r.Body)
		}
	})
	c := s.dial(t)
	c.must(c.open(1, false, c.to("POST", "/reads", "expect", "100-continue")))
	if status := c.status(1); status != "100" {
		t.Fatal(status)
	}
	c.must(c.WriteData(1, true, []byte("body")))
	if status := c.status(1); status != "200" {
		t.Error(status)
	}
	c.must(c.open(3, false, c.to("POST", "/ignores", "expect", "100-continue")))
	if status := c.status(3); status != "200" {
		t.Error(status)
	}
	c.wantReset(3, xhttp2.ErrCodeNo)
	c.alive()
}

// A client that still sends when it has its answer is told to stop, and what it has sent counts no more.
func TestUnreadBodiesAreGivenBack(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/closes" {
			r.Body.Close()
			<-r.Context().Done() // until it is reset
		}
	})
	c := s.dial(t)
	window, id := int64(1<<16-1), uint32(1)
	opened := func(f *xhttp2.WindowUpdateFrame) bool {
		if f.StreamID == 0 {
			window += int64(f.Increment)
		}
		return f.StreamID == 0
	}
	chunk := make([]byte, 16<<10)
	for range 40 { // of 160 KiB each
		path := "/ignores"
		if id%4 == 1 {
			path = "/closes"
		}
		c.must(c.open(id, false, c.to("POST", path)))
		for range 10 {
			for window < int64(len(chunk)) {
				await(c, "the connection's window", opened)
			}
			c.must(c.WriteData(id, false, chunk))
			window -= int64(len(chunk))
		}
		if path == "/closes" {
			c.must(c.WriteRSTStream(id, xhttp2.ErrCodeCancel))
		}
		id += 2
	}
}

// However many streams have ended before their bodies, what still comes of those costs nothing.
func TestRestsOfManyBodiesAreIgnored(t *testing.T) {
	const streams = 100
	s := start(t, func(http.ResponseWriter, *http.Request) {})
	c := s.dial(t)
	for i := range streams {
		c.must(c.open(uint32(2*i+1), false, c.to("POST", "/")))
		c.wantReset(uint32(2*i+1), xhttp2.ErrCodeNo)
	}
	for i := range streams {
		c.must(c.WriteData(uint32(2*i+1), false, []byte("rest")))
		c.must(c.open(uint32(2*i+1), true, c.header("x", "y")))
	}
	c.must(c.WritePing(false, [8]byte{'?'}))
	await(c, "the ping's answer and nothing else", func(f xhttp2.Frame) bool {
		ping, ok := f.(*xhttp2.PingFrame)
		if _, reset := f.(*xhttp2.RSTStreamFrame); reset {
			t.Errorf("got %v", f)
		}
		return ok && ping.IsAck()
	})
}

func TestMoreThanTheWindowIsAnError(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	chunk := make([]byte, 16<<10)
	c := s.dial(t)
	c.must(c.open(1, false, c.to("POST", "/")))
	for range 512<<10/len(chunk) + 1 {
		c.must(c.WriteData(1, false, chunk))
	}
	c.wantReset(1, xhttp2.ErrCodeFlowControl)
	c.alive()
	for id := uint32(3); id <= 7; id += 2 {
		c.must(c.open(id, false, c.to("POST", "/")))
		for range 1 << 20 / len(chunk) / 3 {
			c.must(c.WriteData(id, false, chunk))
		}
	}
	// What stream 1 sent was given back, some of it. From the error on the server may close in the middle of the rest.
	for _, id := range slices.Concat(slices.Repeat([]uint32{7, 5, 3}, 4), slices.Repeat([]uint32{7}, 8)) {
		if err := c.WriteData(id, false, chunk); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
			c.must(err)
		}
	}
	c.wantAway(xhttp2.ErrCodeFlowControl)
}

func TestReadDeadlineInterruptsARead(t *testing.T) {
	reading := make(chan *http.ResponseController, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.URL.Path == "/future" {
			control.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		} else {
			reading <- control
		}
		body, err := io.ReadAll(r.Body)
		if !errors.Is(err, os.ErrDeadlineExceeded) || string(body) != "half" {
			t.Errorf("read %q, %v", body, err)
		}
		w.WriteHeader(http.StatusRequestTimeout) // which still comes
	})
	c := s.dial(t)
	c.must(c.open(1, false, c.to("POST", "/past")))
	c.must(c.WriteData(1, false, []byte("half")))
	c.alive()
	control := receive(t, "the request", reading)
	control.SetReadDeadline(time.Now().Add(-time.Second))
	if status := c.status(1); status != "408" {
		t.Error(status)
	}
	c.must(c.open(3, false, c.to("POST", "/future")))
	c.must(c.WriteData(3, false, []byte("half")))
	if status := c.status(3); status != "408" {
		t.Error(status)
	}
	c.alive()
}

package http2_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

// mostMemory is what an attack may cost, the attacker's own part in this process included.
const mostMemory = 32 << 20

// TestFloods has one client do its worst while another is served.
func TestFloods(t *testing.T) {
	headers := func(c *raw, id uint32, end, whole bool, block []byte) error {
		return c.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndStream: end, EndHeaders: whole})
	}
	for name, test := range map[string]struct {
		silent bool // the attacker reads nothing
		step   func(c *raw, i int) error
	}{
		"streams reset at once": {step: func(c *raw, i int) error { // CVE-2023-44487
			id := uint32(2*i + 1)
			if err := headers(c, id, true, true, c.to("GET", "/slow")); err != nil {
				return err
			}
			return c.WriteRSTStream(id, xhttp2.ErrCodeCancel)
		}},
		"streams that the server is made to reset": {step: func(c *raw, i int) error { // CVE-2025-8671
			id := uint32(2*i + 1)
			if err := headers(c, id, true, true, c.to("GET", "/slow")); err != nil {
				return err
			}
			return c.WriteWindowUpdate(id, 0)
		}},
		"malformed requests": {step: func(c *raw, i int) error {
			return headers(c, uint32(2*i+1), true, true, c.header(":method", "GET"))
		}},
		"a header without end": {step: func(c *raw, i int) error {
			if i == 0 {
				return headers(c, 1, true, false, c.to("GET", "/"))
			}
			return c.WriteContinuation(1, false, c.header("x", strings.Repeat("x", 8<<10)))
		}},
		"empty parts of a header": {step: func(c *raw, i int) error {
			if i == 0 {
				return headers(c, 1, true, false, c.to("GET", "/"))
			}
			return c.WriteContinuation(1, false, nil)
		}},
		"pings": {step: func(c *raw, _ int) error { return c.WritePing(false, [8]byte{}) }},
		"settings": {step: func(c *raw, i int) error {
			return c.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: uint32(i)})
		}},
		"pings whose answers are not read": {silent: true, step: func(c *raw, _ int) error { return c.WritePing(false, [8]byte{}) }},
		"requests whose answers are not read": {silent: true, step: func(c *raw, i int) error {
			return headers(c, uint32(2*i+1), true, true, c.to("GET", "/empty"))
		}},
		"frames of no known type": {step: func(c *raw, _ int) error { return c.WriteRawFrame(0xbe, 0, 0, make([]byte, 100)) }},
		"priorities": {step: func(c *raw, i int) error {
			return c.WritePriority(uint32(2*i+1), xhttp2.PriorityParam{Weight: 1})
		}},
		"empty data": {step: func(c *raw, i int) error {
			if i == 0 {
				return headers(c, 1, false, true, c.to("POST", "/slow"))
			}
			return c.WriteData(1, false, nil)
		}},
		"padding": {step: func(c *raw, i int) error {
			if i == 0 {
				return headers(c, 1, false, true, c.to("POST", "/slow"))
			}
			return c.WriteDataPadded(1, false, nil, make([]byte, 255))
		}},
		"windows that open by crumbs": {step: func(c *raw, i int) error {
			if i == 0 {
				if err := c.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 0}); err != nil {
					return err
				}
				return headers(c, 1, true, true, c.to("GET", "/large"))
			}
			return c.WriteWindowUpdate(1, 1)
		}},
		"resets of streams that are over": {step: func(c *raw, i int) error {
			if i == 0 {
				return headers(c, 1, true, true, c.to("GET", "/"))
			}
			return c.WriteRSTStream(1, xhttp2.ErrCodeCancel)
		}},
	} {
		t.Run(name, func(t *testing.T) { flood(t, test.silent, test.step) })
	}
}

func flood(t *testing.T, silent bool, step func(*raw, int) error) {
	const enough = 2_000_000
	var running, most atomic.Int64
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		switch r.URL.Path {
		case "/slow":
			<-r.Context().Done()
		case "/empty":
			w.Header().Set("X-Large", strings.Repeat("x", 1000))
			w.WriteHeader(http.StatusNotModified)
		case "/large":
			w.Write(make([]byte, 1<<20))
		}
	}, func(s *http2.Server) { s.MaxStreams = 10 })
	before := memory()
	attacker, other, client := s.dial(t), s.dial(t), s.client(t)
	if silent {
		attacker.SetWriteDeadline(time.Now().Add(2 * time.Second)) // it may be kept from going on
	} else {
		go io.Copy(io.Discard, attacker.Conn)
	}
	ended := make(chan bool, 1)
	go func() {
		for i := range enough {
			if step(attacker, i) != nil {
				ended <- true
				return
			}
		}
		ended <- false
	}()
	for attacked := true; attacked; {
		fetch(t, client, request("GET", s.url("/"), nil))
		select {
		case closed := <-ended:
			attacked = false
			if !closed {
				t.Error("the server has put up with all of it")
			}
		default:
		}
	}
	if after := memory(); after > before+mostMemory {
		t.Errorf("%d MiB of memory", (after-before)>>20)
	}
	if n := most.Load(); n > 11 {
		t.Errorf("%d requests ran at a time", n)
	}
	attacker.Close()
	other.alive()
	eventually(t, "its requests end", func() bool { return running.Load() == 0 && s.conns.Load() == 2 })
}

// Handlers that go on although their streams were reset keep their places.
func TestResetStreamsKeepTheirPlaces(t *testing.T) {
	goOn := make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/stubborn" {
			<-goOn
		}
	}, func(s *http2.Server) { s.MaxStreams = 2 })
	c := s.dial(t)
	for id := uint32(1); id <= 3; id += 2 {
		c.get(id, "/stubborn")
		c.must(c.WriteRSTStream(id, xhttp2.ErrCodeCancel))
	}
	c.get(5, "/")
	c.wantReset(5, xhttp2.ErrCodeRefusedStream)
	close(goOn)
	for id := uint32(7); ; id += 2 {
		c.get(id, "/")
		answered := false
		await(c, "an answer", func(f xhttp2.Frame) bool {
			_, answered = f.(*xhttp2.MetaHeadersFrame)
			_, refused := f.(*xhttp2.RSTStreamFrame)
			return answered || refused
		})
		if answered {
			return
		}
	}
}

// A small header that decodes to a large one is refused for its size, and costs what it is worth.
func TestHeaderBombs(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) { t.Error("a bomb was served") },
		func(s *http2.Server) { s.MaxHeaderBytes = 128 << 10 })
	c := s.dial(t)
	before := memory()
	entry := c.header("x-bomb", strings.Repeat("x", 3<<10))
	for i := range 100 {
		id := uint32(2*i + 1)
		block := c.to("GET", "/")
		if i == 0 {
			block = append(block, entry...)
		}
		block = append(block, bytes.Repeat([]byte{0x80 | 62}, 12<<10)...) // what is in the table, over and over
		c.must(c.open(id, true, block))
		if f := await(c, "an answer", anyOf[*xhttp2.MetaHeadersFrame]); f.PseudoValue("status") != "431" {
			t.Fatal(f)
		}
	}
	if after := memory(); after > before+mostMemory {
		t.Errorf("%d MiB of memory", (after-before)>>20)
	}
}

// What was read of a body takes no memory, though its request goes on.
func TestReadBodiesTakeNoMemory(t *testing.T) {
	const streams, each = 40, 480 << 10
	read, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, func(_ http.ResponseWriter, r *http.Request) {
		<-read
		_, err := io.CopyN(io.Discard, r.Body, each)
		check(t, err, nil)
		read <- struct{}{}
		<-goOn
	})
	defer close(goOn)
	c := s.dial(t)
	before := memory()
	chunk := make([]byte, 16<<10)
	for i := range streams {
		id := uint32(2*i + 1)
		c.must(c.open(id, false, c.to("POST", "/")))
		for range each / len(chunk) {
			c.must(c.WriteData(id, false, chunk))
		}
		c.alive() // all of it has come
		read <- struct{}{}
		receive(t, "the reader", read)
	}
	if after := memory(); after > before+streams*each/2 {
		t.Errorf("%d MiB of memory", (after-before)>>20)
	}
}

// Bodies of many connections are bounded together, and come all the same.
func TestBodiesShareTheirRoom(t *testing.T) {
	goOn := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/waits" {
			<-goOn
		}
		io.Copy(w, r.Body)
	}, func(s *http2.Server) { s.MaxBodies = 1 << 20 })
	defer close(goOn)
	window := func(c *raw) {
		await(c, "a wide window", func(f *xhttp2.WindowUpdateFrame) bool { return f.StreamID == 0 })
	}
	begin := func() *raw {
		c := s.dial(t)
		c.must(c.open(1, false, c.to("POST", "/waits")))
		for range 3 {
			c.must(c.WriteData(1, false, make([]byte, 16<<10)))
		}
		return c
	}
	first := begin()
	window(first)
	second := begin()
	second.alive()
	body := strings.Repeat("0123456789", 100_000)
	if got := fetch(t, s.client(t), request("POST", s.url("/"), strings.NewReader(body))); got.err != nil || got.body != body {
		t.Errorf("got %d bytes, %v", len(got.body), got.err)
	}
	second.must(second.WriteData(1, false, make([]byte, 16<<10)))
	second.wantAway(xhttp2.ErrCodeFlowControl)
	first.Close()
	goOn <- struct{}{}
	goOn <- struct{}{}
	eventually(t, "the first connection's end", func() bool { return s.conns.Load() == 1 }) // the client's is left
	window(begin())
}

// Bodies that nobody reads are bounded by the window of the connection.
func TestUnreadBodiesAreBounded(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	c := s.dial(t)
	before := memory()
	chunk := make([]byte, 16<<10)
	for i := range 4 {
		id := uint32(2*i + 1)
		c.must(c.open(id, false, c.to("POST", "/")))
		for range 1 << 20 / len(chunk) / 4 {
			c.must(c.WriteData(id, false, chunk))
		}
	}
	c.alive()
	if after := memory(); after > before+8<<20 {
		t.Errorf("%d MiB of memory", (after-before)>>20)
	}
	c.must(c.WriteData(7, false, []byte("x")))
	c.wantAway(xhttp2.ErrCodeFlowControl)
}

package http2_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

// TestRandomStreams has one client of one connection do all that a client may at random, and keeps accounts: what comes must be
// right and within the windows, and what was sent must be given back.
func TestRandomStreams(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newGambler(t, seed).play() })
	}
}

const (
	rounds     = 400 // streams of a gambler
	atOnce     = 50
	mostOfBody = 200_000
)

// letter is what a body of a stream has at a place.
func letter(id uint32, at int) byte { return byte(int(id)*7 + at + at>>8) }

func letters(id uint32, from, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = letter(id, from+i)
	}
	return p
}

// gamble answers as the path says: /what/id/size.
func gamble(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Path", r.URL.Path)
	what, id, size := "", 0, 0
	fmt.Sscanf(r.URL.Path, "/%1s/%d/%d", &what, &id, &size)
	switch what {
	case "e": // echo
		io.Copy(w, r.Body)
	case "i": // ignores the body
		generate(w, id, size)
	case "c": // closes the body
		io.CopyN(io.Discard, r.Body, 1000)
		r.Body.Close()
		generate(w, id, size)
	case "d": // has read it all before it answers, with a length
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Read", fmt.Sprint(n))
		w.Header().Set("Content-Length", fmt.Sprint(size))
		generate(w, id, size)
	case "a": // aborts
		generate(w, id, size)
		panic(http.ErrAbortHandler)
	case "t": // is too late
		control := http.NewResponseController(w)
		control.SetReadDeadline(time.Now().Add(time.Duration(rand.IntN(5)) * time.Millisecond))
		control.SetWriteDeadline(time.Now().Add(time.Duration(rand.IntN(20)) * time.Millisecond))
		io.Copy(io.Discard, r.Body)
		generate(w, id, size)
	}
}

func generate(w http.ResponseWriter, id, size int) {
	for at := 0; at < size; {
		n := min(1+rand.IntN(40_000), size-at)
		if _, err := w.Write(letters(uint32(id), at, n)); err != nil {
			return
		}
		if at += n; rand.IntN(5) == 0 {
			w.(http.Flusher).Flush()
		}
	}
}

// wager is a stream as its client sees it.
type wager struct {
	what     byte
	path     string
	upload   int   // bytes of the request's body
	sent     int   // of them
	download int   // bytes of the response, or -1: it may be anything
	got      int   // of them
	mayEnd   bool  // early: the server may reset it
	out, in  int64 // windows
	shrinks  int64 // what in loses once the server knows
}

type gambler struct {
	*raw
	rand *rand.Rand

	mu       sync.Mutex
	changed  sync.Cond
	streams  map[uint32]*wager
	next     uint32
	out, in  int64 // windows of the connection
	opening  int64 // window of what we receive on a stream
	resizing bool
	whole    int // streams that have ended as they should
	fault    error
}

func newGambler(t *testing.T, seed uint64) *gambler {
	s := start(t, gamble, func(s *http2.Server) { s.MaxStreams = rounds })
	g := &gambler{raw: s.dial(t), rand: rand.New(rand.NewPCG(seed, 0)), streams: make(map[uint32]*wager), next: 1}
	g.resizing = true // until its first settings are answered
	g.changed.L = &g.mu
	g.out, g.in, g.opening = 1<<16-1, 1<<16-1, 1<<16-1
	return g
}

func (g *gambler) play() {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		g.read()
	}()
	g.mu.Lock()
	for g.fault == nil && (g.next < 2*rounds || len(g.streams) > 0) {
		if !g.move() {
			g.changed.Wait()
		}
	}
	fault := g.fault
	g.mu.Unlock()
	if fault != nil {
		g.t.Fatal(fault)
	}
	g.must(g.WritePing(false, [8]byte{'?'}))
	receive(g.t, "the last answer", ended)
	if g.fault != nil {
		g.t.Fatal(g.fault)
	}
	if g.whole < rounds/10 {
		g.t.Errorf("only %d streams have come to their ends", g.whole)
	}
	if g.out < 1<<20-1<<18 {
		g.t.Errorf("only %d bytes of the connection's window are given back", g.out)
	}
}

// move does something, and reports false when nothing can be done.
func (g *gambler) move() bool {
	if len(g.streams) < atOnce && g.next < 2*rounds {
		g.begin()
	}
	moved := false
	for id, s := range g.streams {
		switch n := g.rand.IntN(1000); {
		case n < 1:
			g.must(g.WriteRSTStream(id, xhttp2.ErrCodeCancel))
			delete(g.streams, id)
			moved = true
		case s.sent < s.upload:
			moved = g.upload(id, s) || moved
		}
		if s.in < 20_000 || g.rand.IntN(50) == 0 && s.in < 1<<20 {
			n := 1 + g.rand.IntN(60_000)
			s.in += int64(n)
			g.must(g.WriteWindowUpdate(id, uint32(n)))
			moved = true
		}
	}
	if g.in < 100_000 {
		n := 1 + g.rand.IntN(200_000)
		g.in += int64(n)
		g.must(g.WriteWindowUpdate(0, uint32(n)))
		moved = true
	}
	if g.rand.IntN(20) == 0 && !g.resizing {
		g.resize(int64(g.rand.IntN(100_000)))
	}
	return moved
}

func (g *gambler) begin() {
	id := g.next
	g.next += 2
	s := &wager{what: "eicdat"[g.rand.IntN(6)], out: 512 << 10, in: g.opening}
	if g.rand.IntN(3) > 0 {
		s.upload = 1 + g.rand.IntN(mostOfBody)
	}
	s.download = g.rand.IntN(mostOfBody)
	s.path = fmt.Sprintf("/%c/%d/%d", s.what, id, s.download)
	s.mayEnd = s.what == 'a' || s.what == 't' || s.what == 'i' || s.what == 'c'
	if s.what == 'e' {
		s.download = s.upload
	}
	var more []string
	if g.rand.IntN(2) == 0 {
		more = []string{"content-length", strconv.Itoa(s.upload)}
	}
	g.streams[id] = s
	g.must(g.open(id, s.upload == 0, g.to("POST", s.path, more...)))
}

func (g *gambler) upload(id uint32, s *wager) bool {
	n := min(g.rand.IntN(16<<10), s.upload-s.sent)
	pad := 0
	if g.rand.IntN(4) == 0 {
		pad = 1 + g.rand.IntN(255)
	}
	size := int64(n + pad)
	if pad > 0 {
		size++
	}
	if size > min(s.out, g.out) || size > 16<<10 {
		return false
	}
	s.out -= size
	g.out -= size
	data := letters(id, s.sent, n)
	s.sent += n
	if pad > 0 {
		g.must(g.WriteDataPadded(id, s.sent == s.upload, data, make([]byte, pad)))
	} else {
		g.must(g.WriteData(id, s.sent == s.upload, data))
	}
	return true
}

// resize changes the window of all streams, for the server too once it says so.
func (g *gambler) resize(to int64) {
	by := to - g.opening
	g.opening = to
	g.resizing = true
	for _, s := range g.streams {
		s.in += max(by, 0)
		s.shrinks = max(-by, 0)
	}
	g.must(g.WriteSettings(
		xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: uint32(to)},
		xhttp2.Setting{ID: xhttp2.SettingHeaderTableSize, Val: uint32(g.rand.IntN(2)) << 12},
	))
}

func (g *gambler) read() {
	for g.fault == nil {
		f, err := g.ReadFrame()
		if err != nil {
			g.mu.Lock()
			g.fault = err
			g.mu.Unlock()
			g.changed.Broadcast()
			return
		}
		g.mu.Lock()
		last := g.take(f)
		g.changed.Broadcast()
		g.mu.Unlock()
		if last {
			return
		}
	}
}

func (g *gambler) take(f xhttp2.Frame) (last bool) {
	id := f.Header().StreamID
	s := g.streams[id]
	switch f := f.(type) {
	case *xhttp2.PingFrame:
		return f.IsAck()
	case *xhttp2.SettingsFrame:
		if f.IsAck() && g.resizing {
			g.resizing = false
			for _, s := range g.streams {
				s.in -= s.shrinks
				s.shrinks = 0
			}
		}
	case *xhttp2.WindowUpdateFrame:
		if id == 0 {
			g.out += int64(f.Increment)
		} else if s != nil {
			s.out += int64(f.Increment)
		}
	case *xhttp2.GoAwayFrame:
		g.fault = fmt.Errorf("GOAWAY: %v", f)
	case *xhttp2.RSTStreamFrame:
		if s != nil {
			if !s.mayEnd {
				g.fault = fmt.Errorf("stream %d, %c: reset by %v", id, s.what, f.ErrCode)
			}
			delete(g.streams, id)
		}
	case *xhttp2.MetaHeadersFrame:
		if s != nil {
			g.header(id, s, f)
		}
	case *xhttp2.DataFrame:
		g.in -= int64(f.Length)
		if g.in < 0 {
			g.fault = fmt.Errorf("the connection's window is exceeded by %d", -g.in)
		}
		if s != nil {
			g.download(id, s, f)
		}
	}
	return false
}

func (g *gambler) header(id uint32, s *wager, f *xhttp2.MetaHeadersFrame) {
	for _, field := range f.RegularFields() {
		if field.Name == "x-path" && field.Value != s.path {
			g.fault = fmt.Errorf("stream %d: the header is that of %s", id, field.Value)
		}
	}
	if f.StreamEnded() {
		g.finish(id, s)
	}
}

func (g *gambler) download(id uint32, s *wager, f *xhttp2.DataFrame) {
	if s.in -= int64(f.Length); s.in < 0 && f.Length > 0 {
		g.fault = fmt.Errorf("stream %d: its window is exceeded by %d", id, -s.in)
	}
	for _, b := range f.Data() {
		if b != letter(id, s.got) {
			g.fault = fmt.Errorf("stream %d: wrong data at %d", id, s.got)
			return
		}
		s.got++
	}
	if f.StreamEnded() {
		g.finish(id, s)
	}
}

func (g *gambler) finish(id uint32, s *wager) {
	if s.got != s.download && s.what != 't' {
		g.fault = fmt.Errorf("stream %d, %c: %d bytes of %d", id, s.what, s.got, s.download)
	}
	if g.whole++; s.sent == s.upload {
		delete(g.streams, id)
	} // else a reset follows
}

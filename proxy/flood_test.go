package proxy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// most memory that an attack may cost, the attacker's own included: it runs in this process.
const mostMemory = 96 << 20

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// attacker speaks HTTP/2 as it likes.
type attacker struct {
	*tls.Conn
	framer *http2.Framer
	block  bytes.Buffer
	enc    *hpack.Encoder
}

func (e *edge) attacker(t *testing.T) *attacker {
	t.Helper()
	conn := tls.Client(dial(t, e.secure), &tls.Config{RootCAs: e.roots, ServerName: testZone, NextProtos: []string{"h2"}})
	if err := conn.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := &attacker{Conn: conn, framer: http2.NewFramer(conn, conn)}
	a.enc = hpack.NewEncoder(&a.block)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	if err := a.framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return a
}

// header is an encoded request for a path of the panel.
func (a *attacker) header(path string) []byte {
	a.block.Reset()
	for _, f := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", testPanel}, {":path", path}} {
		_ = a.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}) // into memory
	}
	return a.block.Bytes()
}

// discard reads what the server says, for attacks that go on for as long as it does.
func (a *attacker) discard() { go io.Copy(io.Discard, a.Conn) }

// insist does a step so many times, or until the server has closed the connection.
func insist(times int, step func(i int) error) (closed bool) {
	for i := range times {
		if step(i) != nil {
			return true
		}
	}
	return false
}

// TestFloods has one client do its worst while another asks for a page.
func TestFloods(t *testing.T) {
	for _, test := range []struct {
		name   string
		attack func(a *attacker) (closed bool)
		closed bool // the server must have had enough
	}{
		{"streams that are reset at once", func(a *attacker) bool { // CVE-2023-44487
			a.discard()
			return insist(20_000, func(i int) error {
				id := uint32(2*i + 1)
				header := http2.HeadersFrameParam{StreamID: id, BlockFragment: a.header("/slow"), EndStream: true, EndHeaders: true}
				if err := a.framer.WriteHeaders(header); err != nil {
					return err
				}
				return a.framer.WriteRSTStream(id, http2.ErrCodeCancel)
			})
		}, false},
		{"a header without end", func(a *attacker) bool { // CVE-2024-24549 and its like
			a.discard()
			header := http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.header("/"), EndStream: true}
			if err := a.framer.WriteHeaders(header); err != nil {
				return true
			}
			return insist(20_000, func(i int) error {
				a.block.Reset()
				_ = a.enc.WriteField(hpack.HeaderField{Name: fmt.Sprintf("x-%d", i), Value: strings.Repeat("x", 8<<10)})
				return a.framer.WriteContinuation(1, false, a.block.Bytes())
			})
		}, true},
		{"empty parts of a header without end", func(a *attacker) bool {
			a.discard()
			header := http2.HeadersFrameParam{StreamID: 1, BlockFragment: a.header("/"), EndStream: true}
			if err := a.framer.WriteHeaders(header); err != nil {
				return true
			}
			return insist(200_000, func(int) error { return a.framer.WriteContinuation(1, false, nil) })
		}, false},
		{"pings whose answers are not read", func(a *attacker) bool {
			return insist(2_000_000, func(int) error { return a.framer.WritePing(false, [8]byte{}) })
		}, true},
		{"settings", func(a *attacker) bool {
			a.discard()
			return insist(50_000, func(i int) error {
				return a.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: uint32(i)})
			})
		}, false},
		{"frames of no known type", func(a *attacker) bool {
			a.discard()
			return insist(50_000, func(int) error { return a.framer.WriteRawFrame(0xbe, 0, 0, make([]byte, 100)) })
		}, false},
		{"a small header that decodes to a large one", func(a *attacker) bool {
			a.discard()
			a.block.Reset()
			_ = a.enc.WriteField(hpack.HeaderField{Name: "x-bomb", Value: strings.Repeat("x", 3<<10)})
			entry := bytes.Clone(a.block.Bytes())
			return insist(200, func(i int) error {
				block := bytes.Clone(a.header("/"))
				if i == 0 {
					block = append(block, entry...)
				}
				block = append(block, bytes.Repeat([]byte{0x80 | 62}, 12<<10)...) // the newest entry of the table, over and over
				return a.framer.WriteHeaders(http2.HeadersFrameParam{
					StreamID: uint32(2*i + 1), BlockFragment: block, EndStream: true, EndHeaders: true,
				})
			})
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) { flood(t, test.attack, test.closed) })
	}
}

func flood(t *testing.T, attack func(a *attacker) bool, wantClosed bool) {
	var running, most atomic.Int64
	e := startEdge(t, withPanel(func(w http.ResponseWriter, r *http.Request) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer running.Add(-1)
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
		}
	}))
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	before := heap()
	a := e.attacker(t)
	ended := make(chan bool, 1)
	go func() { ended <- attack(a) }()
	c := e.client(2)
	for attacked := true; attacked; {
		if got := get(t, c, "https://hello.berth.test/"); got.body != "hello" {
			t.Errorf("meanwhile: got %d %q", got.StatusCode, got.body)
		}
		select {
		case closed := <-ended:
			attacked = false
			if wantClosed && !closed {
				t.Error("the server has put up with all of it")
			}
		default:
		}
	}
	if after := heap(); after > before+mostMemory {
		t.Errorf("%d MiB of memory", (after-before)>>20)
	}
	if n := most.Load(); n > int64(e.limits.streams) {
		t.Errorf("%d requests of one connection ran at a time", n)
	}
	a.Close()
	eventually(t, "its requests end", func() bool { return running.Load() == 0 })
}

// Idle connections and half requests of one client cost little, and no other client its turn.
func TestIdleConnectionsAreCheap(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	before := heap()
	const many = 300
	var conns []net.Conn
	for i := range many {
		conn := e.dialTLSFrom(t, fmt.Sprintf("127.0.1.%d", 1+i%3))
		switch i % 3 {
		case 0:
			raw(t, conn, "GET / HTTP/1.1", "Host: panel.berth.test")
		case 1:
			io.WriteString(conn, "POST / HTTP/1.1\r\nHost: hello.berth.test\r\nContent-Length: 9\r\n\r\nhalf")
		case 2:
			io.WriteString(conn, "GET / HTTP/1.1\r\nHost: hello.berth.test\r\nX-Half: "+strings.Repeat("x", 1000))
		}
		conns = append(conns, conn)
	}
	if got := get(t, e.client(1), "https://hello.berth.test/"); got.body != "hello" {
		t.Errorf("meanwhile: got %q", got.body)
	}
	if after := heap(); after > before+mostMemory {
		t.Errorf("%d connections take %d MiB", len(conns), (after-before)>>20)
	}
}

// endlessBody is one that never comes.
type endlessBody struct{ awaited chan<- struct{} }

func (b endlessBody) Read([]byte) (int, error) { return 0, io.EOF }
func (b endlessBody) Ready() bool              { return false }
func (b endlessBody) Await()                   { b.awaited <- struct{}{} }

// Responses that wait for their instance, such as streams of events, hold no buffers.
func TestWaitingResponsesAreCheap(t *testing.T) {
	const many = 1000
	b, awaited := newBuffers(), make(chan struct{})
	before := heap()
	var copying sync.WaitGroup
	for range many {
		copying.Go(func() {
			if err := b.copyFlushed(httptest.NewRecorder(), endlessBody{awaited}); err != nil {
				t.Error(err)
			}
		})
	}
	receive(t, "the first to wait", awaited)
	if after := heap(); after > before+many*bufferSize/4 {
		t.Errorf("%d take %d MiB", many, (after-before)>>20)
	}
	for range many - 1 {
		<-awaited
	}
	copying.Wait()
}

// Renegotiation is refused: it is of no use to a server without client certificates, and costs it more than the client.
func TestNoRenegotiation(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip("needs openssl: ", err)
	}
	e := startEdge(t)
	cmd := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", e.secure, "-tls1_2", "-servername", testZone)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out logBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the handshake", func() bool { return strings.Contains(out.String(), "Verify return code") })
	io.WriteString(stdin, "R\n")
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := receive(t, "the end of the connection", ended); err == nil {
		t.Error("openssl is content")
	}
	if text := out.String(); !strings.Contains(text, "RENEGOTIATING") || !strings.Contains(text, "alert") {
		t.Errorf("openssl says %s", text)
	}
}

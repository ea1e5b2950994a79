package http1

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"
)

// patience is how long tests wait for what is to come.
const patience = 20 * time.Second

// site is a Server that serves a listener.
type site struct {
	*Server
	addr   string
	logged *syncBuffer
}

func start(t *testing.T, handler http.HandlerFunc, set ...func(*Server)) *site {
	t.Helper()
	logged := new(syncBuffer)
	s := &Server{
		Handler: handler, MaxHeaderBytes: 64 << 10, HeaderTimeout: patience, IdleTimeout: patience, Log: log.New(logged, "", 0),
	}
	for _, apply := range set {
		apply(s)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.Serve(ctx, conn, nil) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		cancel()
		s.Close()
		serving.Wait()
	})
	return &site{s, l.Addr().String(), logged}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("in vain: ", what)
	}
}

// answer is what a client sees of a response.
type answer struct {
	status  int
	header  http.Header
	length  int64
	coding  []string
	closes  bool
	body    string
	broken  bool
	trailer http.Header
}

// ask sends requests in one piece, and reads the answers until the server closes or has given as many.
func ask(t *testing.T, addr, requests string, count int, method string) (all []answer) {
	t.Helper()
	conn := dial(t, addr)
	if _, err := io.WriteString(conn, requests); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	for len(all) < count {
		res, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return all
		}
		body, err := io.ReadAll(res.Body)
		res.Header.Del("Date")
		res.Header.Del("Connection")
		all = append(all, answer{
			res.StatusCode, res.Header, res.ContentLength, res.TransferEncoding, res.Close, string(body), err != nil, res.Trailer,
		})
		if res.Close {
			break
		}
	}
	return all
}

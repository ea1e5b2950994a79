package http1

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
)

// A body that nobody reads does not cost the connection, unless it is long.
func TestUnreadBodies(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) })
	for size, again := range map[int]bool{0: true, 1: true, mostDrained: true, mostDrained + 1: false, 4 << 20: false} {
		conn := dial(t, s.addr)
		go fmt.Fprintf(conn, "POST /first HTTP/1.1\r\nHost: x.test\r\nContent-Length: %d\r\n\r\n%sGET /second HTTP/1.1\r\nHost: x.test\r\nConnection: close\r\n\r\n", size, strings.Repeat("x", size))
		in := bufio.NewReader(conn)
		for i, path := range []string{"/first", "/second"} {
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%d bytes, %s: %v", size, path, err)
			}
			if body, _ := io.ReadAll(res.Body); string(body) != path {
				t.Errorf("%d bytes: got %q", size, body)
			}
			if i == 0 && res.Close == again {
				t.Errorf("%d bytes: closing: %v", size, res.Close)
			}
			if res.Close {
				break
			}
		}
	}
}

// A handler may answer while the request's body is on its way.
func TestBothDirectionsAtOnce(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		in := bufio.NewReader(r.Body)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, strings.ToUpper(line))
			w.(http.Flusher).Flush()
		}
	})
	conn := dial(t, s.addr)
	io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\n\r\n")
	var body *bufio.Reader
	for _, line := range []string{"one\n", "two\n", "three\n"} {
		fmt.Fprintf(conn, "%x\r\n%s\r\n", len(line), line)
		if body == nil {
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			body = bufio.NewReader(res.Body)
		}
		if got, err := body.ReadString('\n'); got != strings.ToUpper(line) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	io.WriteString(conn, "0\r\n\r\n")
	if rest, err := io.ReadAll(body); len(rest) > 0 || err != nil {
		t.Errorf("got %q, %v", rest, err)
	}
}

func TestContinue(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/reads" {
			io.Copy(w, r.Body)
		}
	})
	const header = "POST %s HTTP/1.1\r\nHost: x.test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	fmt.Fprintf(conn, header, "/reads")
	if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusContinue {
		t.Fatalf("got %+v, %v", res, err)
	}
	io.WriteString(conn, "body")
	res, err := http.ReadResponse(in, nil)
	if err != nil || res.Close {
		t.Fatalf("got %+v, %v", res, err)
	}
	if body, _ := io.ReadAll(res.Body); string(body) != "body" {
		t.Errorf("got %q", body)
	}
	fmt.Fprintf(conn, header, "/does-not")
	if res, err = http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusOK || !res.Close {
		t.Errorf("not read: got %+v, %v", res, err)
	}
}

// A goroutine that waits for the body holds up nothing once the handler has returned.
func TestReadsEndWithTheHandler(t *testing.T) {
	ended := make(chan error, 1)
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		io.ReadFull(r.Body, make([]byte, 1))
		go func() {
			_, err := r.Body.Read(make([]byte, 1))
			ended <- err
		}()
		for body := r.Body.(*requestBody); body.mu.TryLock(); runtime.Gosched() {
			body.mu.Unlock() // it is not reading yet
		}
		io.WriteString(w, r.URL.Path)
	})
	conn := dial(t, s.addr)
	in := bufio.NewReader(conn)
	for _, path := range []string{"/first", "/second"} {
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx", path)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(res.Body); string(body) != path || res.Close {
			t.Errorf("got %q, closing: %v", body, res.Close)
		}
		if err := <-ended; !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("the reading ended with %v", err)
		}
		io.WriteString(conn, "rest") // the connection goes on all the same
	}
}

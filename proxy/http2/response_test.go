package http2_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	xhttp2 "golang.org/x/net/http2"

	"berth/proxy/http2"
)

// Handlers need not know which server they run in.
func TestResponsesAreThoseOfNetHTTP(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"text":    func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") },
		"html": func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "<html>")
			io.WriteString(w, "</html>")
		},
		"status":  func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusTeapot) },
		"late":    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.Header().Set("X-Late", "1") },
		"twice":   func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201); w.WriteHeader(202) },
		"empty":   func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "0") },
		"flushed": func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); io.WriteString(w, "hello") },
		"untyped": func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			io.WriteString(w, "hello")
		},
		"encoded": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "x")
			io.WriteString(w, "y")
		},
		"undated":  func(w http.ResponseWriter, _ *http.Request) { w.Header()["Date"] = nil },
		"odd date": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", "never") },
		"no content": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(204)
			_, err := io.WriteString(w, "x")
			check(t, err, http.ErrBodyNotAllowed)
		},
		"not modified": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Etag", `"x"`); w.WriteHeader(304) },
		"declared": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
		},
		"wrongly declared": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "x")
			io.WriteString(w, "hello")
		},
		"fields": func(w http.ResponseWriter, _ *http.Request) {
			maps.Copy(w.Header(), http.Header{
				"X-Several": {"1", "2"}, "Set-Cookie": {"a=b", "c=d"}, "Bad Name": {"x"}, "X-Bad": {"a\x00b"}, "lower": {"y"},
			})
		},
		"large header": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 50 {
				w.Header().Set(fmt.Sprint("X-", i), strings.Repeat("~", 1000))
			}
		},
		"announced trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum, X-None")
			io.WriteString(w, "hello")
			w.Header().Set("X-Sum", "1")
		},
		"trailer without body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			w.WriteHeader(200)
			w.Header().Set("X-Sum", "1")
		},
		"prefixed trailer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "5")
			io.WriteString(w, "hello")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		},
		"large":          func(w http.ResponseWriter, _ *http.Request) { w.Write(bytes.Repeat([]byte("hello"), 100_000)) },
		"large declared": func(w http.ResponseWriter, _ *http.Request) { declared(w, bytes.Repeat([]byte("hello"), 100_000)) },
		"in parts": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				fmt.Fprintf(w, "%d,", i*i*i)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			own, other := start(t, handler), besideNetHTTP(t, handler)
			for _, method := range []string{"GET", "HEAD"} {
				got := fetch(t, own.client(t), request(method, own.url("/"), nil))
				want := fetch(t, other.Client(), request(method, other.URL, nil))
				same(t, method, got, want)
			}
		})
	}
}

func declared(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.Write(body)
}

func check(t *testing.T, got, want error) {
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func same(t *testing.T, method string, got, want fetched) {
	t.Helper()
	if got.StatusCode != want.StatusCode || got.body != want.body || fmt.Sprint(got.err) != fmt.Sprint(want.err) {
		t.Errorf("%s: got %d %.40q %v, want %d %.40q %v", method, got.StatusCode, got.body, got.err, want.StatusCode, want.body, want.err)
	}
	for _, r := range []fetched{got, want} {
		if r.Header.Get("Date") != "never" && r.Header["Date"] != nil {
			r.Header.Set("Date", "now")
		}
		if n := got.ContentLength; n > 4<<10 && n <= 16<<10 {
			delete(r.Header, "Content-Length") // net/http holds back less
			want.ContentLength = n
		}
	}
	if !reflect.DeepEqual(got.Header, want.Header) || !reflect.DeepEqual(got.Trailer, want.Trailer) {
		t.Errorf("%s: got %v, %v, want %v, %v", method, got.Header, got.Trailer, want.Header, want.Trailer)
	}
	if got.ContentLength != want.ContentLength {
		t.Errorf("%s: got a length of %d, want %d", method, got.ContentLength, want.ContentLength)
	}
}

func TestFieldsOfConnectionsAreDropped(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), http.Header{
			"Connection": {"keep-alive"}, "Keep-Alive": {"5"}, "Transfer-Encoding": {"chunked"}, "Upgrade": {"x"},
			"Proxy-Connection": {"x"}, "te": {"x"}, "X-Blank": {" \tx "}, "Date": nil,
		})
	})
	got := fetch(t, s.client(t), request("GET", s.url("/"), nil))
	if want := (http.Header{"X-Blank": {"x"}, "Content-Length": {"0"}}); !reflect.DeepEqual(got.Header, want) {
		t.Errorf("got %v, want %v", got.Header, want)
	}
}

func TestMoreThanDeclaredIsNotSent(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "hello")
		_, err := io.WriteString(w, "!")
		check(t, err, http.ErrContentLength)
	})
	if got := fetch(t, s.client(t), request("GET", s.url("/"), nil)); got.err != nil || got.body != "hello" {
		t.Errorf("got %q, %v", got.body, got.err)
	}
}

// The client must not take half of a response for all of it.
func TestResponseThatDoesNotComeWholeIsReset(t *testing.T) {
	var logged syncBuffer
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "10")
		if r.URL.Path == "/nothing" {
			return
		}
		io.WriteString(w, "half")
		switch r.URL.Path {
		case "/aborts":
			panic(http.ErrAbortHandler)
		case "/panics":
			panic("what")
		}
	}, func(s *http2.Server) { s.Log = log.New(&logged, "", 0) })
	c := s.dial(t)
	for i, path := range []string{"/", "/nothing", "/aborts", "/panics"} {
		id := uint32(2*i + 1)
		c.get(id, path)
		c.wantReset(id, xhttp2.ErrCodeInternal)
		if got := strings.Contains(logged.String(), "panic"); got != (path == "/panics") {
			t.Errorf("%s: the log says %q", path, logged.String())
		}
	}
	c.alive()
}

type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

func TestHandlerMayEndItsGoroutine(t *testing.T) {
	s := start(t, func(http.ResponseWriter, *http.Request) { runtime.Goexit() })
	c := s.dial(t)
	c.get(1, "/")
	c.wantReset(1, xhttp2.ErrCodeInternal)
	c.alive()
}

func TestInterimResponses(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusSwitchingProtocols) // there is no such thing
		w.Header().Del("Link")
		io.WriteString(w, "hello")
	})
	var hints []string
	r := request("GET", s.url("/"), nil)
	r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, header["Link"]))
			return nil
		},
	}))
	got := fetch(t, s.client(t), r)
	if got.body != "hello" || got.Header["Link"] != nil || fmt.Sprint(hints) != "[103 [</style.css>]]" {
		t.Errorf("got %q, %v, %q", got.body, got.Header, hints)
	}
}

func TestFlushedDataComesAtOnce(t *testing.T) {
	more := make(chan struct{})
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 3 {
			io.WriteString(w, "event")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
			<-more
		}
	})
	res, err := s.client(t).Get(s.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	for range 3 {
		event := make([]byte, 5)
		if _, err := io.ReadFull(res.Body, event); err != nil || string(event) != "event" {
			t.Fatalf("got %q, %v", event, err)
		}
		more <- struct{}{}
	}
}

// The frames of responses that are ready while another is being written go out together.
func TestSmallResponsesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &http2.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") })}
		c, serving := pipe(t, s)
		var requests bytes.Buffer
		f := xhttp2.NewFramer(&requests, nil)
		for id := uint32(1); id < 20; id += 2 {
			c.must(f.WriteHeaders(xhttp2.HeadersFrameParam{StreamID: id, BlockFragment: c.to("GET", "/"), EndStream: true, EndHeaders: true}))
		}
		c.say(c.Conn.Write(requests.Bytes()))
		writes, ended := 0, 0
		for part := make([]byte, 64<<10); ended < 10; writes++ {
			synctest.Wait()
			n, err := c.Conn.Read(part) // of one Write: a pipe keeps them apart
			c.must(err)
			ended += bytes.Count(part[:n], []byte("hello"))
		}
		if writes > 2 {
			t.Errorf("%d writes for %d responses", writes, ended)
		}
		c.Close()
		<-serving
		c.must(s.Shutdown(t.Context()))
	})
}

func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("needs curl: ", err)
	}
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
		fmt.Fprint(w, r.Proto)
	})
	body := strings.Repeat("0123456789", 200_000)
	cmd := exec.CommandContext(t.Context(), curl, "-sSk", "--http2", "--data-binary", "@-", s.url("/"), s.url("/"))
	cmd.Stdin = strings.NewReader(body)
	out, err := cmd.Output()
	if err != nil || !strings.HasPrefix(string(out), body+"HTTP/2.0") {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

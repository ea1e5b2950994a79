package http1

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// askSecure sends a request over TLS, and returns all that comes until the server closes, and whether it has said that this is all.
// Go's client does not tell, but the records of TLS 1.2 bear their kinds.
func askSecure(t *testing.T, handler http.HandlerFunc, request string) (text string, goodbye bool) {
	t.Helper()
	keys := httptest.NewTLSServer(nil)
	defer keys.Close()
	near, far := net.Pipe()
	s := &Server{Handler: handler, MaxHeaderBytes: 4 << 10, HeaderTimeout: patience, IdleTimeout: patience}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(t.Context(), tls.Server(far, keys.TLS), new(tls.ConnectionState)) })
	defer serving.Wait()
	defer near.Close()
	heard := &heardConn{Conn: near}
	roots := keys.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	conn := tls.Client(heard, &tls.Config{RootCAs: roots, ServerName: "example.com", MaxVersion: tls.VersionTLS12})
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	const alert, head = 21, 5
	for records := heard.bytes; len(records) > head; {
		goodbye = goodbye || records[0] == alert
		records = records[head+int(binary.BigEndian.Uint16(records[3:])):]
	}
	return string(all), goodbye
}

// heardConn remembers what it has read.
type heardConn struct {
	net.Conn
	bytes []byte
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes = append(c.bytes, p[:n]...)
	return n, err
}

// Whoever goes by the end of TLS takes a response that breaks off for what it is.
func TestNoGoodbyeWhenAResponseBreaksOff(t *testing.T) {
	breaks := func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		io.WriteString(w, " and what is not sent yet")
		panic(http.ErrAbortHandler)
	}
	for name, tc := range map[string]struct {
		version, ends string
		handler       http.HandlerFunc
	}{
		"in chunks":             {"1.1", "\r\n\r\n4\r\nhalf\r\n", breaks},
		"until the end":         {"1.0", "\r\n\r\nhalf", breaks},
		"before it has begun":   {"1.1", "", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		"short of its length":   {"1.1", "\r\n\r\nhalf", declares10},
		"short with an old one": {"1.0", "\r\n\r\nhalf", declares10},
	} {
		text, goodbye := askSecure(t, tc.handler, "GET / HTTP/"+tc.version+"\r\nHost: a\r\n\r\n")
		if goodbye || !strings.HasSuffix(text, tc.ends) {
			t.Errorf("%s: got %q, and a goodbye: %v", name, text, goodbye)
		}
	}
}

func declares10(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "10")
	io.WriteString(w, "half")
}

func TestGoodbyeAfterAWholeResponse(t *testing.T) {
	flushes := func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "whole")
		w.(http.Flusher).Flush()
	}
	for _, request := range []string{
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"nonsense\r\n\r\n",
	} {
		if text, goodbye := askSecure(t, flushes, request); !goodbye || text == "" {
			t.Errorf("%q: got %q, and a goodbye: %v", request, text, goodbye)
		}
	}
}

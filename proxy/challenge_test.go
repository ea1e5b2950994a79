package proxy

import (
	"crypto/tls"
	"io"
	"net/http"
	"testing"
)

func TestCAFindsItsAnswerOverHTTPOnly(t *testing.T) {
	e := startEdge(t)
	custom := site("custom", startInstance(t, says("custom")).addr)
	custom.Hosts = append(custom.Hosts, "custom.example")
	e.publish(custom)
	for _, test := range []struct {
		method, url string
		status      int
		body        string
	}{
		{"GET", "http://custom.example/.well-known/acme-challenge/known", 200, "key of custom.example"},
		{"GET", "http://Custom.Example.:80/.well-known/acme-challenge/known?x=y", 200, "key of custom.example"},
		{"HEAD", "http://custom.example/.well-known/acme-challenge/known", 200, ""},
		{"POST", "http://custom.example/.well-known/acme-challenge/known", 405, "Method Not Allowed.\n"},
		{"GET", "http://custom.example/.well-known/acme-challenge/other", 404, "Not Found.\n"},
		{"GET", "http://custom.example/.well-known/acme-challenge/", 404, "Not Found.\n"},
		{"GET", "http://nobody.example/.well-known/acme-challenge/other", 404, "Not Found.\n"},
		{"GET", "https://custom.berth.test/.well-known/acme-challenge/known", 200, "custom"}, // the site's own
	} {
		got := do(t, e.client(1), request(t, test.method, test.url, ""))
		if got.StatusCode != test.status || got.body != test.body {
			t.Errorf("%s %s: got %d %q, want %d %q", test.method, test.url, got.StatusCode, got.body, test.status, test.body)
		}
	}
}

// RFC 8737: a connection for validation carries nothing after its handshake.
func TestValidationHandshakeServesNothing(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	conn, err := tls.Dial("tcp", e.secure, &tls.Config{RootCAs: e.roots, ServerName: "hello.berth.test", NextProtos: []string{"acme-tls/1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "acme-tls/1" {
		t.Fatalf("the server speaks %q", got)
	}
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: hello.berth.test\r\nConnection: close\r\n\r\n") // the server may have closed
	if got, _ := io.ReadAll(conn); len(got) > 0 {
		t.Errorf("it serves %q", got)
	}
	if got := get(t, e.client(2), "https://hello.berth.test/"); got.StatusCode != http.StatusOK || got.ProtoMajor != 2 {
		t.Errorf("others get %s over HTTP/%d", got.Status, got.ProtoMajor)
	}
}

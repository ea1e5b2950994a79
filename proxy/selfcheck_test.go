package proxy

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"berth/sites"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// reachAt has the edge look for itself at another server's port.
func (e *edge) reachAt(addr net.Addr) sites.Reach {
	e.t.Helper()
	e.httpPort = addr.(*net.TCPAddr).Port
	return e.Reach(e.t.Context(), "www.example.com", loopback)
}

func TestAProcessFindsItself(t *testing.T) {
	e, other := startEdge(t), startEdge(t)
	at := func(e *edge) net.Addr {
		addr, err := net.ResolveTCPAddr("tcp", e.plain)
		if err != nil {
			t.Fatal(err)
		}
		return addr
	}
	if got := e.reachAt(at(e)); got != sites.ReachHere {
		t.Errorf("at its own address: %s", got)
	}
	if got := e.reachAt(at(other)); got != sites.ReachOther {
		t.Errorf("at another berth's address: %s", got)
	}
	e.selfChecks.open.Range(func(question, _ any) bool {
		t.Errorf("the question %s stays open", question)
		return true
	})
}

func TestWhoElseAnswers(t *testing.T) {
	e := startEdge(t)
	followed := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer elsewhere.Close()
	for name, handler := range map[string]http.HandlerFunc{
		"a redirect":         func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) },
		"an echo":            func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) },
		"nothing":            func(http.ResponseWriter, *http.Request) {},
		"a body without end": func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, endless{}) },
	} {
		server := httptest.NewServer(handler)
		if got := e.reachAt(server.Listener.Addr()); got != sites.ReachOther {
			t.Errorf("%s: %s", name, got)
		}
		server.Close()
	}
	if followed {
		t.Error("a redirect was followed")
	}
	closed := listen(t)
	closed.Close()
	if got := e.reachAt(closed.Addr()); got != sites.ReachNothing {
		t.Errorf("a closed port: %s", got)
	}
}

// endless is a reader of zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// A stranger learns nothing from a question that this process has not put.
func TestUnknownQuestionsAreOrdinaryRequests(t *testing.T) {
	e := startEdge(t)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.plain+selfCheckPath+"guess", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = testPanel
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPermanentRedirect {
		t.Errorf("status %d, want the redirect to HTTPS", resp.StatusCode)
	}
}

package proxy

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

func TestTicketKeysRotate(t *testing.T) {
	path, logged := filepath.Join(t.TempDir(), "tickets"), &logBuffer{}
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	keys := newTickets(path, textLog(logged), begin)
	newest := func() string { return string(keys.kept.Keys[0].Key) }
	first, reset := newest(), keys.kept.Secret
	if keys.rotate(begin.Add(ticketAge - time.Minute)); newest() != first {
		t.Error("rotated too early")
	}
	for i := range 5 {
		keys.rotate(begin.Add(time.Duration(i+1) * ticketAge))
		if n := len(keys.kept.Keys); n != min(i+2, ticketKeys) {
			t.Errorf("%d keys after %d rotations", n, i+1)
		}
	}
	if newest() == first || string(keys.kept.Secret) != string(reset) {
		t.Error("either the newest key is the first, or QUIC's secret is another")
	}
	again := newTickets(path, textLog(logged), begin.Add(5*ticketAge))
	if string(again.kept.Keys[0].Key) != newest() || string(again.kept.Secret) != string(reset) {
		t.Error("a restart does not have the keys")
	}
	stale := newTickets(path, textLog(logged), begin.Add(99*ticketAge))
	if n := len(stale.kept.Keys); n != 1 || string(stale.kept.Keys[0].Key) == newest() {
		t.Errorf("after a long time: %d keys", n)
	}
	wrong := newTickets(path, textLog(logged), begin)
	if n := len(wrong.kept.Keys); n != 1 || !wrong.kept.Keys[0].Made.Equal(begin) {
		t.Errorf("keys from the future are kept: %d", n)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 || logged.String() != "" {
		t.Errorf("left behind: %v; logged: %s", left, logged)
	}
}

func TestTicketFileThatIsNoGood(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "torn": `{"secret":"AAAA`, "of another kind": `[]`, "with a short key": `{"secret":"` + strings.Repeat("A", 43) + `=","keys":[{"key":"AAAA"}]}`,
		"without a secret": `{"keys":[]}`,
	} {
		path, logged := filepath.Join(t.TempDir(), "tickets"), &logBuffer{}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		newTickets(path, textLog(logged), time.Now())
		if strings.Count(logged.String(), "made anew") != 1 {
			t.Errorf("%s: logged %q", name, logged)
		}
		if kept, err := readTickets(path); err != nil || len(kept.Keys) != 1 {
			t.Errorf("%s: it is not replaced: %v", name, err)
		}
	}
}

func TestTicketFileThatCannotBeWritten(t *testing.T) {
	logged := &logBuffer{}
	keys := newTickets(filepath.Join(t.TempDir(), "missing", "tickets"), textLog(logged), time.Now())
	if len(keys.kept.Keys) != 1 || strings.Count(logged.String(), "cannot be kept") != 1 {
		t.Errorf("%d keys; logged %q", len(keys.kept.Keys), logged)
	}
}

// A session goes on after a restart, by whichever transport.
func TestSessionsOutliveARestart(t *testing.T) {
	path, one := filepath.Join(t.TempDir(), "tickets"), perHost(t)
	kept := func(c *Config, l *limits) { one(c, l); c.TicketFile = path }
	e := startEdge(t, kept)
	sessions := map[string]tls.ClientSessionCache{}
	connect := func(e *edge, name string) bool {
		config := &tls.Config{ServerName: testZone, InsecureSkipVerify: true, ClientSessionCache: sessions[name]}
		if name == "QUIC" {
			conn, err := e.dialQUIC(t, config)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "a ticket", func() bool { _, ok := config.ClientSessionCache.Get(testZone); return ok })
			return conn.ConnectionState().TLS.DidResume
		}
		config.MaxVersion = map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13}[name]
		conn := tls.Client(dial(t, e.secure), config)
		raw(t, conn, "GET / HTTP/1.1", "Host: panel.berth.test")
		return conn.ConnectionState().DidResume
	}
	for _, name := range []string{"TLS 1.2", "TLS 1.3", "QUIC"} {
		sessions[name] = tls.NewLRUClientSessionCache(1)
		if connect(e, name) {
			t.Errorf("%s: the first one was resumed", name)
		}
	}
	e.stop()
	if err := receive(t, "the end of Serve", e.ended); err != nil {
		t.Error(err)
	}
	e.ended <- nil // for the cleanup
	again := startEdge(t, kept)
	for name := range sessions {
		if !connect(again, name) {
			t.Errorf("%s: not resumed after a restart", name)
		}
	}
	if other := startEdge(t, one); connect(other, "TLS 1.3") {
		t.Error("a server with other keys resumes it")
	}
}

func TestQUICKeysDiffer(t *testing.T) {
	keys := newTickets("", textLog(&logBuffer{}), time.Now())
	reset, token := keys.quicKeys()
	if [32]byte(reset) == [32]byte(token) || reset == (quic.StatelessResetKey{}) {
		t.Error("the keys are not independent")
	}
}

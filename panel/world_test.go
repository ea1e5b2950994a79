package panel

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/dnsserver/zonefile"
	"berth/panel/auth"
	"berth/sites"
	"berth/sites/bundle"
	"berth/sites/sqlite"
)

const (
	testZone     = "sites.test"
	testPassword = "correct horse battery"
)

// world is a panel over a real service, store and TLS server, with three accounts: ann and bob, owners, and root, an admin.
type world struct {
	*sites.Service
	t       *testing.T
	store   *sqlite.Store
	panel   *Panel
	server  *httptest.Server
	shelf   *shelf
	certs   *certs
	log     *bytes.Buffer
	logLock sync.Mutex
	broken  string // why the DNS server does not work
	dns     *nameserver
	edge    *edge
	visits  *accessLog
	hold    chan struct{} // unpacking waits for it to close, when set before
}

// maxUpload is what the panel under test takes.
const maxUpload = 300 << 20

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, shelf: &shelf{running: map[string]sites.Instance{}}, certs: &certs{}, dns: newNameserver(), edge: &edge{}, visits: &accessLog{}, log: &bytes.Buffer{}}
	dir := t.TempDir()
	logger := slog.New(slog.NewTextHandler(w, nil))
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "berth.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	w.store = store
	w.Service, err = sites.New(sites.Config{
		Store: store, Runtime: w.shelf, Drainer: w.shelf, Unpack: w.unpack, Zone: testZone, Syntax: zonefile.Syntax{}, DataDir: dir,
		MaxUpload: maxUpload, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		store.Close()
	})
	<-w.Booted()
	w.panel, err = New(Config{
		Service: w.Service, Certificates: w.certs, Edge: w.edge, DNS: w.dns, Sessions: store.Sessions(), Servers: w.servers, Visits: w.visits, Zone: testZone,
		PanelHost: testZone, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}, Version: "1.2.3", DataDir: dir, HTTPSPort: 8443, MaxUpload: maxUpload, Started: time.Now(),
		RuntimeNote: "Docker does not answer.", Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	w.panel.unpackPatience = time.Minute // answers do not depend on how busy the machine is
	w.serve()
	w.populate()
	return w
}

func (w *world) servers() []ServerInfo {
	return []ServerInfo{{Name: "DNS", Err: w.broken, Addrs: []string{"127.0.0.1:5354"}, Counters: []Counter{{Label: "Queries", Value: 7}}, Groups: []CounterGroup{{Label: "By type", Counters: []Counter{{Label: "AAAA", Value: 3}}}}}}
}

func (w *world) serve() {
	w.server = httptest.NewUnstartedServer(w.panel)
	w.server.EnableHTTP2 = true
	w.server.StartTLS()
	w.t.Cleanup(func() {
		w.panel.Close()
		w.server.Close()
	})
}

func (w *world) populate() {
	hash, err := w.panel.hasher.Hash(w.t.Context(), testPassword)
	if err != nil {
		w.t.Fatal(err)
	}
	for name, role := range map[string]sites.Role{"ann": sites.RoleOwner, "bob": sites.RoleOwner, "root": sites.RoleAdmin} {
		_, err := w.CreateAccount(w.t.Context(), sites.System, sites.NewAccount{Name: name, Role: role, PasswordHash: hash, Quota: sites.DefaultQuota})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// Write takes the log.
func (w *world) Write(line []byte) (int, error) {
	w.logLock.Lock()
	defer w.logLock.Unlock()
	return w.log.Write(line)
}

func (w *world) logged() string {
	w.logLock.Lock()
	defer w.logLock.Unlock()
	return w.log.String()
}

func (w *world) actor(name string) sites.Actor {
	w.t.Helper()
	a, err := w.Account(w.t.Context(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	return sites.Actor{ID: a.ID, Name: a.Name, Role: a.Role, Origin: "test"}
}

// site creates a site of the account, with a running release if files are given.
func (w *world) site(owner, name string, files ...string) {
	w.t.Helper()
	actor := w.actor(owner)
	if _, err := w.CreateSite(w.t.Context(), actor, sites.NewSite{Name: name}); err != nil {
		w.t.Fatal(err)
	}
	if len(files) == 0 {
		return
	}
	if _, err := w.Upload(w.t.Context(), actor, name, bytes.NewReader(zipOf(w.t, files...))); err != nil {
		w.t.Fatal(err)
	}
	if st, err := w.Await(w.t.Context(), actor, name); err != nil || st.State != sites.StateRunning {
		w.t.Fatalf("%s is %s: %v", name, st.State, err)
	}
}

// keysAge makes the zone's keys two days older: resolvers all know them.
func (w *world) keysAge(name string) {
	w.t.Helper()
	zone, err := w.Zone(w.t.Context(), sites.System, name)
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.store.Write(w.t.Context(), &sites.Event{Action: "zone.update", Subject: name}, func(tx sites.Tx) error {
		keys, err := tx.ZoneKeys(w.t.Context(), zone.ID)
		for _, k := range keys {
			k.PublishedAt, k.ActiveAt = k.PublishedAt.AddDate(0, 0, -2), k.ActiveAt.AddDate(0, 0, -2)
			err = errors.Join(err, tx.UpdateZoneKey(w.t.Context(), k))
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// parentAt is when the parent may have the DS record of the zone's newest key-signing key.
func (w *world) parentAt(name string) (at time.Time) {
	w.t.Helper()
	zone, err := w.Zone(w.t.Context(), sites.System, name)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range zone.Keys {
		if k.ParentAt.After(at) {
			at = k.ParentAt
		}
	}
	return at
}

// token makes an API token of the account.
func (w *world) token(account string) string {
	w.t.Helper()
	secret, hash := auth.NewToken()
	actor := w.actor(account)
	if _, err := w.CreateToken(w.t.Context(), actor, actor.ID, "test", hash); err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// newest is the last event of the audit log.
func (w *world) newest() sites.Event {
	w.t.Helper()
	events, err := w.Events(w.t.Context(), sites.System, sites.EventFilter{Limit: 1})
	if err != nil || len(events) == 0 {
		w.t.Fatalf("events: %v, %v", events, err)
	}
	return events[0]
}

// client is a browser's HTTP side: TLS, HTTP/2, and a cookie jar unless it is without. It does not follow redirects.
func (w *world) client(jar bool) *http.Client {
	c := &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: w.server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs},
			ForceAttemptHTTP2: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	w.t.Cleanup(c.CloseIdleConnections)
	if jar {
		c.Jar, _ = cookiejar.New(nil)
	}
	return c
}

// unpack is what cmd/berth makes of package bundle.
func (w *world) unpack(ctx context.Context, archive, dir string) (sites.Manifest, error) {
	if w.hold != nil {
		<-w.hold
	}
	report, err := bundle.Extract(ctx, archive, dir, bundle.DefaultLimits())
	var fault *bundle.Fault
	if errors.As(err, &fault) {
		return sites.Manifest{}, sites.RefuseField(sites.ErrInvalid, "file", "%s", fault)
	}
	m := sites.Manifest{Files: report.Files, Bytes: report.Bytes}
	if !report.Index {
		m.Warning = "There is no index.html."
	}
	if _, odd := os.Stat(filepath.Join(dir, "_redirects")); odd == nil {
		m.Remarks = []sites.Remark{{File: "_redirects", Line: 7, Sentence: "The line is <odd>."}}
	}
	return m, err
}

// zipOf packs files that hold their own names.
func zipOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, name)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// certs knows a certificate for every host.
type certs struct {
	root []byte

	mu      sync.Mutex
	renewed []string
	refuse  error
}

func (c *certs) Renew(host string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse == nil {
		c.renewed = append(c.renewed, host)
	}
	return c.refuse
}

func (c *certs) Budget() []sites.CertificateBudget {
	return []sites.CertificateBudget{{Authority: "Test CA", Domain: testZone, Issued: 12, Limit: 50}}
}

func (c *certs) Waits() []sites.CertificateWait { return nil }

func (c *certs) Certificate(host string) sites.Certificate {
	return sites.Certificate{Host: host, State: sites.CertificateValid, Issuer: "Test CA", NotAfter: time.Now().Add(time.Hour)}
}

func (c *certs) Certificates() []sites.Certificate {
	return []sites.Certificate{c.Certificate(testZone)}
}
func (c *certs) RootPEM() []byte { return c.root }

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never came true: %s", what)
		}
	}
}

func contains(t *testing.T, what, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("%s: %.300q does not contain %q", what, text, want)
	}
}

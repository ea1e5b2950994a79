package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

const (
	testZone = "zone.test"
	wait     = 30 * time.Second // for what takes a second where nothing else runs
)

// TestMain runs more tests at once than there are processors: they wait most of their time, for a CA or for the end of a lifetime.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// zoneServer stands in for dnsserver: it answers TXT queries with the challenges that are set. All names lead here.
type zoneServer struct {
	addr string

	mu     sync.Mutex
	values map[string][]string
	kept   []string // zones beside the main one
	most   int      // values at one name at once
	refuse func(name string) error
}

func newZoneServer(t *testing.T) *zoneServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // Pebble asks over TCP
	if err != nil {
		t.Fatal(err)
	}
	z := &zoneServer{addr: listener.Addr().String(), values: make(map[string][]string)}
	started, ended := make(chan struct{}), make(chan struct{})
	server := &dns.Server{Listener: listener, Handler: z, NotifyStartedFunc: func() { close(started) }}
	go func() {
		defer close(ended)
		_ = server.ActivateAndServe()
	}()
	<-started
	t.Cleanup(func() {
		_ = server.Shutdown()
		<-ended
	})
	return z
}

func (z *zoneServer) SetChallenge(_ context.Context, name, value string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.refuse != nil {
		if err := z.refuse(name); err != nil {
			return err
		}
	}
	z.values[name] = append(z.values[name], value)
	z.most = max(z.most, len(z.values[name]))
	return nil
}

func (z *zoneServer) RemoveChallenge(_ context.Context, name, value string) error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if i := slices.Index(z.values[name], value); i >= 0 {
		z.values[name] = slices.Delete(z.values[name], i, i+1)
	}
	if len(z.values[name]) == 0 {
		delete(z.values, name)
	}
	return nil
}

func (z *zoneServer) left() int {
	z.mu.Lock()
	defer z.mu.Unlock()
	return len(z.values)
}

func (z *zoneServer) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	answer := new(dns.Msg).SetReply(q)
	name := sites.CanonicalHost(q.Question[0].Name)
	if q.Question[0].Qtype == dns.TypeA {
		answer.Answer = append(answer.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1),
		})
		_ = w.WriteMsg(answer)
		return
	}
	z.mu.Lock()
	for _, value := range z.values[name] {
		answer.Answer = append(answer.Answer, &dns.TXT{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET},
			Txt: []string{value},
		})
	}
	z.mu.Unlock()
	_ = w.WriteMsg(answer)
}

func (z *zoneServer) Keeps(name string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return slices.ContainsFunc(append(z.kept, testZone), func(zone string) bool { return name == zone || strings.HasSuffix(name, "."+zone) })
}

// keep has it work for another zone from now on.
func (z *zoneServer) keep(zone string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.kept = append(z.kept, zone)
}

// at is a CA as it is configured.
func at(ca interface {
	DirectoryURL() string
	Roots() *x509.CertPool
},
) CA {
	return CA{Directory: ca.DirectoryURL(), TrustedRoots: ca.Roots()}
}

// runner is a Manager that runs.
type runner struct {
	*Manager
	stop    func() // until it has ended; may be called twice
	changed *recorder
}

// recorder collects the hosts that Changed was called with.
type recorder struct {
	mu    sync.Mutex
	hosts []string
}

func (r *recorder) add(host string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hosts = append(r.hosts, host)
}

func (r *recorder) has(host string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.hosts, host)
}

// run makes a Manager of the configuration, completed where the test does not care, and runs it until the test ends.
func run(t *testing.T, cfg Config) *runner {
	t.Helper()
	changed := new(recorder)
	cfg.Zone = testZone
	cfg.Changed = changed.add
	cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return &runner{Manager: m, stop: stop, changed: changed}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, within time.Duration, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", within, what)
		case <-tick.C:
		}
	}
}

// during checks that a condition holds all the time.
func during(t *testing.T, period time.Duration, check func()) {
	t.Helper()
	end := time.NewTimer(period)
	defer end.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		check()
		select {
		case <-end.C:
			return
		case <-tick.C:
		}
	}
}

func (r *runner) state(host string) sites.CertificateState { return r.Certificate(host).State }

// valid waits until the host has a certificate of its own.
func (r *runner) valid(t *testing.T, hosts ...string) {
	t.Helper()
	for _, host := range hosts {
		eventually(t, wait, host+" has a certificate", func() bool { return r.state(host) == sites.CertificateValid })
	}
}

// zoneValid waits for the zone's own certificates.
func (r *runner) zoneValid(t *testing.T) {
	t.Helper()
	r.valid(t, testZone, "*."+testZone)
}

// handshake connects to a TLS server with the Manager's certificates and returns what it presented.
func (r *runner) handshake(t *testing.T, name string) ([]*x509.Certificate, error) {
	t.Helper()
	state, err := r.connect(t, name)
	return state.PeerCertificates, err
}

// connect is the same with all that the client has learnt.
func (r *runner) connect(t *testing.T, name string) (state tls.ConnectionState, err error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	server := tls.Server(far, &tls.Config{GetCertificate: r.GetCertificate})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer far.Close()
		_ = server.Handshake()
	}()
	client := tls.Client(near, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err = client.Handshake(); err == nil {
		state = client.ConnectionState()
	}
	near.Close()
	<-ended
	return state, err
}

// presented is the certificate that a client asking for the name gets.
func (r *runner) presented(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	chain, err := r.handshake(t, name)
	if err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	return chain[0]
}

// verify checks that a client that trusts the roots accepts what it gets for the name.
func (r *runner) verify(t *testing.T, name string, roots *x509.CertPool) {
	t.Helper()
	chain, err := r.handshake(t, name)
	if err != nil {
		t.Fatalf("handshake for %q: %v", name, err)
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{DNSName: name, Roots: roots, Intermediates: intermediates}); err != nil {
		t.Fatalf("certificate for %q: %v", name, err)
	}
}

// site is a published site with its own name and further hosts.
func site(name string, hosts ...string) sites.Published {
	return sites.Published{Name: name, Hosts: append([]string{name + "." + testZone}, hosts...), State: sites.StateEmpty}
}

// create, full and gone are changes.
func create(s ...sites.Published) sites.Change { return sites.Change{Sites: s} }
func full(s ...sites.Published) sites.Change   { return sites.Change{Full: true, Sites: s} }

func gone(names ...string) sites.Change {
	var c sites.Change
	for _, name := range names {
		c.Gone = append(c.Gone, name+"."+testZone)
	}
	return c
}

// only reports whether the certificate is for that name and no other.
func only(c *x509.Certificate, name string) bool {
	return len(c.DNSNames) == 1 && strings.EqualFold(c.DNSNames[0], name)
}

func parsePEM(t *testing.T, content []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(content)
	if block == nil {
		t.Fatal("no PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

package acmetest

import (
	"cmp"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options say what the authority is like.
type Options struct {
	DNS         string        // address of the DNS server that it asks, such as "127.0.0.1:5354"
	Validity    time.Duration // of its certificates, in whole seconds; 0: 90 days
	NonceReject int           // percentage of good nonces that it rejects; 0: Pebble's default of 5, negative: none
	Verbose     bool          // its log goes to the test's

	HTTPPort, TLSPort int                      // where it validates by HTTP-01 and TLS-ALPN-01; 0: nowhere
	EAB               map[string]string        // HMAC keys in base64url by their identifier; accounts must be bound if there are any
	Profiles          map[string]time.Duration // validity of certificates of profiles beside the default
	OCSP              string                   // URL of the responder that its certificates name; empty: they name none
}

// Pebble is a running authority. It keeps everything in memory and ends with the test.
type Pebble struct {
	listen     string
	management string
	httpsRoot  []byte
	client     *http.Client
	again      func() error // runs it anew
	kill       func()
}

// Start runs an authority until the test ends.
func Start(t testing.TB, o Options) *Pebble {
	t.Helper()
	program := build(t)
	dir := t.TempDir()
	root := writeHTTPS(t, dir)
	// Pebble cannot be told to take a free port, so one that is free now can be taken when it starts.
	const tries = 5
	for try := 1; ; try++ {
		p := &Pebble{listen: freeAddr(t), management: freeAddr(t), httpsRoot: root}
		p.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.Roots()}}}
		p.again = func() error { return p.run(t, program, dir, o) }
		if err := p.again(); err == nil {
			t.Cleanup(func() { p.kill() })
			return p
		} else if try == tries {
			t.Fatalf("starting Pebble: %v", err)
		}
	}
}

// Kill ends the authority at once. It forgets everything: accounts, orders, and its own root.
func (p *Pebble) Kill() { p.kill() }

// Restart runs it anew, at the same address, as an authority that knows nobody.
func (p *Pebble) Restart(t testing.TB) {
	t.Helper()
	p.kill()
	if err := p.again(); err != nil {
		t.Fatalf("starting Pebble again: %v", err)
	}
}

// DirectoryURL is where ACME clients begin.
func (p *Pebble) DirectoryURL() string { return "https://" + p.listen + "/dir" }

// HTTPSRootPEM is the root of the authority's own HTTPS, which its clients have to trust.
func (p *Pebble) HTTPSRootPEM() []byte { return p.httpsRoot }

// Roots is HTTPSRootPEM as a pool.
func (p *Pebble) Roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(p.httpsRoot)
	return pool
}

// IssuerPEM is the root of the certificates that the authority issues.
func (p *Pebble) IssuerPEM(t testing.TB) []byte {
	t.Helper()
	status, body := p.manage(t, "/roots/0")
	if status != http.StatusOK {
		t.Fatalf("Pebble's root: status %d: %s", status, body)
	}
	return body
}

// IssuerPool is IssuerPEM as a pool.
func (p *Pebble) IssuerPool(t testing.TB) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(p.IssuerPEM(t)) {
		t.Fatal("Pebble's root is no certificate")
	}
	return pool
}

// Issuer is the certificate and the key that the authority signs with, where its certificates name a responder.
func (p *Pebble) Issuer(t testing.TB) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	status, certificate := p.manage(t, "/intermediates/0")
	keyStatus, key := p.manage(t, "/intermediate-keys/0")
	if status != http.StatusOK || keyStatus != http.StatusOK {
		t.Fatalf("Pebble's issuer: status %d and %d", status, keyStatus)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatalf("Pebble's issuer: %v", err)
	}
	return pair.Leaf, pair.PrivateKey.(crypto.Signer)
}

// Status is what the authority says of a certificate, by its serial number in hexadecimal: "Valid", "Revoked", or empty for one
// that it has not issued.
func (p *Pebble) Status(t testing.TB, serial string) string {
	t.Helper()
	code, body := p.manage(t, "/cert-status-by-serial/"+serial)
	if code == http.StatusNotFound {
		return ""
	}
	var answer struct{ Status string }
	if err := json.Unmarshal(body, &answer); code != http.StatusOK || err != nil {
		t.Fatalf("status of certificate %s: HTTP %d: %s", serial, code, body)
	}
	return answer.Status
}

func (p *Pebble) manage(t testing.TB, path string) (int, []byte) {
	t.Helper()
	resp, err := p.client.Get("https://" + p.management + path)
	if err != nil {
		t.Fatalf("asking Pebble: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("asking Pebble: %v", err)
	}
	return resp.StatusCode, body
}

// build returns the program, which the go command keeps in its build cache. The module names it as a tool.
func build(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("go", "tool", "-n", "pebble").Output()
	if err != nil {
		t.Fatalf("building Pebble: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// run starts the process and waits until it answers.
func (p *Pebble) run(t testing.TB, program, dir string, o Options) error {
	t.Helper()
	config := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(config, p.config(t, dir, o), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-config", config, "-dnsserver", o.DNS)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	if o.NonceReject != 0 {
		cmd.Env = append(cmd.Env, "PEBBLE_WFE_NONCEREJECT="+strconv.Itoa(max(0, o.NonceReject)))
	}
	if o.Verbose {
		cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := p.await(ended); err != nil {
		cancel()
		return err
	}
	p.kill = sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	return nil
}

// await returns once both interfaces answer.
func (p *Pebble) await(ended <-chan error) error {
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return fmt.Errorf("it ended: %w", err)
		case <-deadline.C:
			return fmt.Errorf("it does not answer")
		case <-tick.C:
		}
		if p.answers(p.DirectoryURL()) && p.answers("https://"+p.management+"/roots/0") {
			return nil
		}
	}
}

func (p *Pebble) answers(url string) bool {
	resp, err := p.client.Get(url)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (p *Pebble) config(t testing.TB, dir string, o Options) []byte {
	t.Helper()
	validity := o.Validity
	if validity == 0 {
		validity = 90 * 24 * time.Hour
	}
	profiles := map[string]any{"default": profile(validity)}
	for name, validity := range o.Profiles {
		profiles[name] = profile(validity)
	}
	algorithm := "ecdsa"
	if o.OCSP != "" {
		algorithm = "rsa" // Pebble tells no other key; see Issuer
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"externalAccountBindingRequired": len(o.EAB) > 0,
		"externalAccountMACKeys":         o.EAB,
		"listenAddress":                  p.listen,
		"managementListenAddress":        p.management,
		"certificate":                    filepath.Join(dir, "https.crt"),
		"privateKey":                     filepath.Join(dir, "https.key"),
		"httpPort":                       cmp.Or(o.HTTPPort, 1), // nothing listens there
		"tlsPort":                        cmp.Or(o.TLSPort, 1),
		"keyAlgorithm":                   algorithm,
		"profiles":                       profiles,
		"ocspResponderURL":               o.OCSP,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return config
}

func profile(validity time.Duration) map[string]any {
	return map[string]any{"description": "for tests", "validityPeriod": int(validity.Seconds())}
}

// freeAddr is a loopback address that is free at the moment.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

package acme

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/caddyserver/certmagic"
)

func TestInternalCA(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "acme")
	m := run(t, Config{Dir: dir, CA: CA{Directory: "internal"}, PerSite: true, PanelHost: "panel.deep." + testZone})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(m.RootPEM()) {
		t.Fatal("the root is no certificate")
	}
	// At once, without waiting for Run.
	for _, name := range []string{testZone, "hello." + testZone, "panel.deep." + testZone} {
		m.verify(t, name, roots)
	}
	m.Apply(full(site("hello")))
	m.valid(t, "hello."+testZone)
	m.verify(t, "hello."+testZone, roots)
	if c := m.presented(t, "hello."+testZone); !only(c, "hello."+testZone) {
		t.Errorf("hello gets the certificate of %v", c.DNSNames)
	} else if len(c.Subject.Names) == 0 {
		t.Error("its subject is empty, which GnuTLS's kdig takes for a fault")
	}
	old := m.Certificate("hello." + testZone).Serial
	m.Apply(gone("hello"))
	m.Apply(create(site("hello")))
	eventually(t, wait, "another certificate", func() bool {
		now := m.Certificate("hello." + testZone)
		return now.State == "valid" && now.Serial != old
	})
	m.stop()

	again := run(t, Config{Dir: dir, CA: CA{Directory: "internal"}, PerSite: true})
	if string(again.RootPEM()) != string(m.RootPEM()) {
		t.Error("a restart made another root")
	}
	if again.Certificate(testZone).Serial != m.Certificate(testZone).Serial {
		t.Error("a restart made another certificate")
	}
	checkPermissions(t, dir)
}

func TestInternalCACanSignForNothingElse(t *testing.T) {
	ca, err := openInternalCA(t.Context(), newStorage(t.TempDir()), testZone)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.root)
	key, err := certmagic.DefaultKeyGenerator.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, trusted := range map[string]bool{testZone: true, "a." + testZone: true, "example.com": false, "my" + testZone: false} {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{name}}, key)
		if err != nil {
			t.Fatal(err)
		}
		request, err := x509.ParseCertificateRequest(der)
		if err != nil {
			t.Fatal(err)
		}
		issued, err := ca.Issue(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		leaf := parsePEM(t, issued.Certificate)
		if _, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: roots}); (err == nil) != trusted {
			t.Errorf("certificate for %s: %v", name, err)
		}
	}
}

func TestInternalCAWithCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed")
	}
	m := run(t, Config{CA: CA{Directory: "internal"}, PerSite: true})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("hello from " + r.TLS.ServerName))
	}))
	server.TLS = &tls.Config{GetCertificate: m.GetCertificate}
	server.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server.StartTLS()
	defer server.Close()

	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, m.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{testZone, "any." + testZone} {
		out, err := exec.Command(curl, "--silent", "--show-error", "--noproxy", "*", "--cacert", root,
			"--resolve", name+":"+port+":127.0.0.1", "https://"+name+":"+port+"/").CombinedOutput()
		if err != nil || string(out) != "hello from "+name {
			t.Errorf("curl for %s: %v: %s", name, err, out)
		}
	}
}

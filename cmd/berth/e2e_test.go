package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"berth/acme/acmetest"
)

// TestWithDockerAndACME is the whole product: the real binary, a real engine, a real ACME authority whose resolver is
// berth's own DNS server, and a real browser.
func TestWithDockerAndACME(t *testing.T) {
	needDocker(t)
	dns := freePort(t)
	authority := acmetest.Start(t, acmetest.Options{DNS: dns})
	root := filepath.Join(t.TempDir(), "acme-root.pem")
	if err := os.WriteFile(root, authority.HTTPSRootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startBerth(t, "--dns-addr", dns, "--runtime", "docker", "--network-pool", "10.83.0.0/20",
		"--acme-ca", authority.DirectoryURL(), "--acme-root", root)
	roots := authority.IssuerPool(t)
	eventually(t, time.Minute, "the wildcard certificate is there", func() error {
		_, _, err := get(p.client(roots), p.url("", "/readyz"))
		return err
	})
	serial := lifeOfASite(t, p, authority.IssuerPEM(t), roots, "Pebble")
	eventually(t, time.Minute, "the deleted site's certificate is revoked", func() error {
		if status := authority.Status(t, serial); status != "Revoked" {
			return fmt.Errorf("certificate %s is %q", serial, status)
		}
		return nil
	})
}

// TestEmbeddedWithInternalCA is the same where there is neither an engine nor an authority.
func TestEmbeddedWithInternalCA(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	status, pem, err := get(p.client(nil), p.url("", "/root.crt"))
	if err != nil || status != http.StatusOK {
		t.Fatalf("root of the internal CA: status %d, %v", status, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(pem)) {
		t.Fatalf("not a certificate: %s", pem)
	}
	lifeOfASite(t, p, []byte(pem), roots, "berth")
}

type siteState struct {
	State         string
	Certificate   struct{ State, Issuer, Serial string }
	ActiveRelease *struct{ ID int } `json:"active_release"`
}

// lifeOfASite goes through a site's life in a browser and beside it, and returns the serial of its certificate.
func lifeOfASite(t *testing.T, p *process, rootPEM []byte, roots *x509.CertPool, issuer string) (serial string) {
	const name, host = "hello", "hello." + testZone
	client := p.client(roots)
	b := openBrowser(t, rootPEM)
	b.logIn(p)
	b.createSite(p, name)
	wantAddress(t, p, host, "127.0.0.1")
	b.upload(p, name, zipped(t, "index.html", "<h1>It floats</h1>", "about.html", "<h1>About</h1>"))

	var site siteState
	eventually(t, time.Minute, "the site has its own certificate", func() error {
		p.api(client, "GET", "/sites/"+name, nil, http.StatusOK, &site)
		if site.Certificate.State != "valid" {
			return fmt.Errorf("certificate: %+v", site.Certificate)
		}
		return nil
	})
	page := b.open(p.url(name, "/"))
	if text := b.text("h1"); page.Status != http.StatusOK || text != "It floats" {
		t.Errorf("the browser got %d and reads %q", page.Status, text)
	}
	details := page.SecurityDetails
	if details == nil || !strings.HasPrefix(details.Issuer, issuer) || len(details.SanList) != 1 || details.SanList[0] != host {
		t.Errorf("certificate in the browser: %+v; want one of %s for %s alone", details, issuer, host)
	}

	b.press(p, name, "stop", "start")
	wantPage(t, client, p.url(name, "/"), http.StatusServiceUnavailable, "")
	wantAddress(t, p, host, "127.0.0.1")
	b.press(p, name, "start", "stop")
	eventually(t, time.Minute, "the site is back", func() error {
		return checkPage(client, p.url(name, "/about"), http.StatusOK, "About")
	})

	p.api(client, "DELETE", "/sites/"+name, nil, http.StatusNoContent, nil)
	wantAddress(t, p, host, "")
	wantPage(t, p.client(nil), p.url("", "/sites/"+name), http.StatusSeeOther, "") // to the login
	return site.Certificate.Serial
}

func checkPage(client *http.Client, url string, status int, contains string) error {
	got, body, err := get(client, url)
	if err == nil && (got != status || !strings.Contains(body, contains)) {
		err = fmt.Errorf("%s: status %d, want %d with %q: %s", url, got, status, contains, body)
	}
	return err
}

func wantPage(t *testing.T, client *http.Client, url string, status int, contains string) {
	t.Helper()
	if err := checkPage(client, url, status, contains); err != nil {
		t.Error(err)
	}
}

// wantAddress asks with dig over UDP and TCP; an empty want means that the name must not exist.
func wantAddress(t *testing.T, p *process, host, want string) {
	t.Helper()
	dig, err := exec.LookPath("dig")
	need(t, "dig", err)
	at, port, _ := strings.Cut(p.dns, ":")
	for _, transport := range []string{"+notcp", "+tcp"} {
		out, err := exec.Command(dig, "@"+at, "-p", port, transport, "+norecurse", host, "A").CombinedOutput()
		answer := string(out)
		status := "status: NOERROR"
		if want == "" {
			status = "status: NXDOMAIN"
		}
		if err != nil || !strings.Contains(answer, status) || !strings.Contains(answer, want) || !strings.Contains(answer, " aa") {
			t.Errorf("dig %s %s: %v, want %s %s:\n%s", transport, host, err, status, want, answer)
		}
	}
}

// TestSIGTERMDrains asks berth to stop while an upload is under way, which must still be answered.
func TestSIGTERMDrains(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "slow"}, http.StatusCreated, nil)
	zip := zipped(t, "index.html", "late but whole")
	upload := p.slowUpload(client, "slow")
	upload.send(zip[:len(zip)/2])
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "no new connection is accepted", func() error {
		conn, err := net.Dial("tcp", p.https)
		if err != nil {
			return nil
		}
		conn.Close()
		return errors.New("accepted")
	})
	upload.send(zip[len(zip)/2:])
	if status, err := upload.end(); err != nil || status != http.StatusCreated {
		t.Errorf("the upload in flight: status %d, %v", status, err)
	}
	if err := p.awaitEnd(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
	if !strings.Contains(p.log.String(), "berth has stopped") {
		t.Error("the log does not say that berth has stopped")
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "slow"}, http.StatusCreated, nil)
	upload := p.slowUpload(client, "slow")
	defer upload.end()
	// While it drains, the upload holds it up; each further signal must end it.
	eventually(t, 15*time.Second, "berth has ended without its drain", func() error {
		select {
		case err := <-p.ended:
			p.ended <- err
			return nil
		default:
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			return errors.New("still running")
		}
	})
	if strings.Contains(p.log.String(), "berth has stopped") {
		t.Error("it drained; the second signal did nothing")
	}
}

// slow is an upload whose body is sent in pieces.
type slow struct {
	body   *io.PipeWriter
	t      *testing.T
	result chan error
	status int
}

// slowUpload begins an upload and returns once berth has begun to read it.
func (p *process) slowUpload(client *http.Client, site string) *slow {
	p.t.Helper()
	reader, writer := io.Pipe()
	s := &slow{body: writer, t: p.t.(*testing.T), result: make(chan error, 1)}
	req, err := http.NewRequest("POST", p.url("", "/api/v1/sites/"+site+"/releases"), reader)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	req.Header.Set("Content-Type", "application/zip")
	req.Header.Set("Expect", "100-continue") // answered at the first read of the body
	begun := make(chan struct{})
	req = req.WithContext(httptrace.WithClientTrace(p.t.(*testing.T).Context(), &httptrace.ClientTrace{Got100Continue: func() { close(begun) }}))
	go func() {
		resp, err := client.Do(req)
		if err == nil {
			s.status = resp.StatusCode
			err = resp.Body.Close()
		}
		reader.CloseWithError(io.ErrClosedPipe)
		s.result <- err
	}()
	select {
	case <-begun:
	case err := <-s.result:
		p.t.Fatalf("the upload ended before it began: status %d, %v", s.status, err)
	}
	return s
}

func (s *slow) send(part []byte) {
	s.t.Helper()
	if _, err := s.body.Write(part); err != nil {
		s.t.Fatal(err)
	}
}

func (s *slow) end() (status int, err error) {
	_ = s.body.Close()
	err = <-s.result
	return s.status, err
}

func TestATakenPortIsOneClearLine(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal")
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(path, "serve", "--zone", testZone, "--data-dir", t.TempDir(), "--public-ipv4", "127.0.0.1",
		"--http-addr", "127.0.0.1:0", "--https-addr", p.https, "--dns-addr", "127.0.0.1:0").CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err == nil || strings.Contains(text, "\n") || !strings.Contains(text, "--https-addr "+p.https) {
		t.Errorf("%v: %s", err, text)
	}
}

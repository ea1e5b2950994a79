package main

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

// TestAZipThatHasArrivedOutlastsAKill sends a form that is answered before its zip is unpacked, and kills berth at the answer.
func TestAZipThatHasArrivedOutlastsAKill(t *testing.T) {
	skipShort(t)
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard", "--max-files", "50000")
	client := p.loggedIn()
	const files = 40_000
	p.api(client, "POST", "/sites", map[string]string{"name": "many"}, http.StatusCreated, nil)
	zip, answer := manyFiles(t, files), make(chan string, 1)
	go func() { answer <- p.sendForm(client, "many", zip) }()
	if page := p.slowedDown(answer); !strings.Contains(page, "has arrived") {
		t.Fatalf("the zip was unpacked before the answer, which says %q", notice(page))
	}
	p.kill()
	var site listedSite
	p.start()
	p.awaitReady()
	eventually(t, 2*time.Minute, "the release serves", func() error {
		p.api(client, "GET", "/sites/many", nil, http.StatusOK, &site)
		if site.ActiveRelease == nil || site.ActiveRelease.ID != 1 {
			return fmt.Errorf("%+v", site)
		}
		return nil
	})
	wantPage(t, client, p.url("many", fmt.Sprintf("/%d.txt", files-1)), http.StatusOK, "the last")
	if left, err := os.ReadDir(filepath.Join(p.dir, "uploads")); err != nil || len(left) > 0 {
		t.Errorf("left in uploads: %v, %v", left, err)
	}
}

// notice is what a page says has happened.
func notice(page string) string {
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(page))
	if err != nil {
		return err.Error()
	}
	return doc.Find(".notice").Text()
}

// slowedDown lets berth run for a small part of the time until the answer is there: its patience ends long before its work.
func (p *process) slowedDown(answer <-chan string) string {
	for {
		p.signal(syscall.SIGSTOP)
		<-time.After(50 * time.Millisecond)
		p.signal(syscall.SIGCONT)
		select {
		case page := <-answer:
			return page
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// loggedIn is a client that has the admin's session.
func (p *process) loggedIn() *http.Client {
	p.t.Helper()
	client := p.client(nil)
	p.t.Cleanup(client.CloseIdleConnections)
	client.Jar, _ = cookiejar.New(nil) // never fails
	resp, err := client.PostForm(p.url("", "/login"), url.Values{"account": {"admin"}, "password": {testPassword}})
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		p.t.Fatalf("log in: status %d", resp.StatusCode)
	}
	return client
}

// sendForm uploads a zip by the form of a site's page, and returns the page that the answer leads to, or what went wrong.
func (p *process) sendForm(client *http.Client, site string, zip []byte) string {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "site.zip")
	if err == nil {
		_, err = part.Write(zip)
	}
	if err := errors.Join(err, form.Close()); err != nil {
		return err.Error()
	}
	resp, err := client.Post(p.url("", "/sites/"+site+"/releases"), form.FormDataContentType(), &body)
	if err != nil {
		return err.Error()
	}
	resp.Body.Close()
	status, page, err := get(client, p.url("", resp.Header.Get("Location")))
	if err != nil || status != http.StatusOK {
		return fmt.Sprintf("status %d, then %d, %v", resp.StatusCode, status, err)
	}
	return page
}

// manyFiles is a zip that takes a while to unpack.
func manyFiles(t *testing.T, n int) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := range n {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("%d.txt", i)})
		if err == nil && i == n-1 {
			_, err = io.WriteString(f, "the last")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestDiskFull has berth's disk run full, first so far that uploads must not begin, then to the last byte.
func TestDiskFull(t *testing.T) {
	dir := smallDisk(t, 300<<20)
	p := startBerthIn(t, dir, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "here"}, http.StatusCreated, nil)
	zip := zipped(t, "index.html", "still here")
	p.api(client, "POST", "/sites/here/releases?wait=live", zip, http.StatusCreated, nil)

	ballast := fill(t, dir, 60<<20)
	wantRefusal(t, p, client, "POST", "/sites/here/releases", zip)
	p.api(client, "POST", "/sites", map[string]string{"name": "small"}, http.StatusCreated, nil)
	wantPage(t, client, p.url("here", "/?written"), http.StatusOK, "still here")
	p.awaitLines("here", 1)

	ballast = append(ballast, fill(t, dir, 1<<40)...)
	wantRefusal(t, p, client, "POST", "/sites", map[string]string{"name": "none"})
	wantPage(t, client, p.url("here", "/"), http.StatusOK, "still here")
	eventually(t, time.Minute, "the status page tells that no access logs are written", func() error {
		_, status, err := p.call(client, "GET", "/status", nil)
		if err == nil && !strings.Contains(string(status), "no access logs are written") {
			err = fmt.Errorf("the status is %s", status)
		}
		return err
	})
	wantAddress(t, p, "here."+testZone, "127.0.0.1")
	wantAddress(t, p, "none."+testZone, "")

	for _, file := range ballast {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	p.api(client, "POST", "/sites", map[string]string{"name": "none"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/here/releases?wait=live", zipped(t, "index.html", "and on"), http.StatusCreated, nil)
	wantPage(t, client, p.url("here", "/"), http.StatusOK, "and on")
	if lines := p.awaitLines("here", 2); !strings.Contains(lines[0], "/?written") {
		t.Errorf("with room again, the access log is %q", lines)
	}
	if n := strings.Count(p.log.String(), "access logs cannot be written"); n != 1 {
		t.Errorf("the log tells %d times that there is no room for access logs", n)
	}
}

// wantRefusal wants a change to be refused because the disk is full, in words for people.
func wantRefusal(t *testing.T, p *process, client *http.Client, method, path string, body any) {
	t.Helper()
	status, text, err := p.call(client, method, path, body)
	if err != nil || status != http.StatusInsufficientStorage || !strings.Contains(string(text), "disk is full") {
		t.Errorf("%s %s on a full disk: status %d, %v: %s", method, path, status, err, text)
	}
}

// smallDisk mounts a file system of its own size for the test.
func smallDisk(t *testing.T, bytes int64) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", bytes)); err != nil {
		t.Skipf("needs to mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill takes up to so many bytes of the disk, or all of it.
func fill(t *testing.T, dir string, bytes int64) []string {
	t.Helper()
	f, err := os.CreateTemp(dir, "ballast-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = io.Copy(f, io.LimitReader(zeros{}, bytes))
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	return []string{filepath.Join(dir, filepath.Base(f.Name()))}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

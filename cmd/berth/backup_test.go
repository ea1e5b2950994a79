package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"
)

// TestBackupBesideTheService makes backups while sites are uploaded to, and restores the last one into another directory.
func TestBackupBesideTheService(t *testing.T) {
	args := []string{"--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard"}
	p := startBerth(t, args...)
	client := p.client(nil)
	defer client.CloseIdleConnections()
	upload := func(name, content string) {
		zip := zipped(t, "index.html", content, "copy.html", content, "sub/copy.html", content)
		if status, text, err := p.call(client, "POST", "/sites/"+name+"/releases?wait=live", zip); err != nil || status != http.StatusCreated {
			t.Errorf("upload to %s: status %d, %v: %s", name, status, err, text)
		}
	}
	for _, name := range []string{"hello", "busy", "empty"} {
		p.api(client, "POST", "/sites", map[string]string{"name": name}, http.StatusCreated, nil)
	}
	upload("hello", "version one")
	p.api(client, "POST", "/sites/empty/stop", nil, http.StatusAccepted, nil)

	ctx, stop := context.WithCancel(t.Context())
	var uploading sync.WaitGroup
	uploading.Go(func() { // more than are kept, so that releases go all the time
		for i := 0; ctx.Err() == nil; i++ {
			upload("busy", fmt.Sprint("version ", i))
		}
	})
	var file string
	for i := range 5 {
		file = filepath.Join(t.TempDir(), fmt.Sprint(i, ".tar.gz"))
		if out := p.run("", "backup", file, "--data-dir", p.dir); !strings.Contains(out, "Backed up") {
			t.Errorf("backup says %q", out)
		}
	}
	stop()
	uploading.Wait()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	p.api(client, "POST", "/sites", map[string]string{"name": "later"}, http.StatusCreated, nil)
	_, root, err := get(client, p.url("", "/root.crt"))
	if err != nil {
		t.Fatal(err)
	}
	serial := p.serial()
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}

	restored := newProcess(t, filepath.Join(t.TempDir(), "fresh"), args...)
	restored.token = p.token
	restored.run("", "restore", file, "--data-dir", restored.dir)
	restored.start()
	t.Cleanup(restored.cleanUp)
	restored.awaitReady()
	fresh := restored.client(nil)
	defer fresh.CloseIdleConnections()
	wantPage(t, fresh, restored.url("hello", "/"), http.StatusOK, "version one")
	w := &world{t: t, p: restored}
	if page, err := w.whole(fresh, "busy"); err != nil {
		t.Errorf("the site that was busy says %q: %v", page, err)
	}
	wantPage(t, fresh, restored.url("empty", "/"), http.StatusServiceUnavailable, "")
	restored.api(fresh, "GET", "/sites/later", nil, http.StatusNotFound, nil)
	if _, again, err := get(fresh, restored.url("", "/root.crt")); err != nil || again != root {
		t.Errorf("the internal CA is another one, %v", err)
	}
	if after := restored.serial(); int32(after-serial) <= 0 {
		t.Errorf("secondaries that have serial %d take no zone with %d", serial, after)
	}
}

// serial is that of the zone.
func (p *process) serial() uint32 {
	p.t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(testZone+".", dns.TypeSOA)
	answer, err := dns.Exchange(m, p.dns)
	if err != nil || len(answer.Answer) == 0 {
		p.t.Fatalf("SOA: %v, %v", answer, err)
	}
	return answer.Answer[0].(*dns.SOA).Serial
}

func TestBackupsAndRestoresThatAreRefused(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	file := filepath.Join(t.TempDir(), "berth.tar.gz")
	p.run("", "backup", file, "--data-dir", p.dir)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(t.TempDir(), "damaged.tar.gz")
	if err := os.WriteFile(damaged, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	fresh := t.TempDir()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"backup", file, "--data-dir", p.dir}, "is there already"},
		{[]string{"backup", file + "2", "--data-dir", t.TempDir()}, "there is no berth to back up"},
		{[]string{"restore", file, "--data-dir", p.dir}, "another berth is running there"},
		{[]string{"restore", damaged, "--data-dir", fresh}, "the backup is damaged"},
		{[]string{"restore", os.Args[0], "--data-dir", fresh}, "nothing is restored: this is no backup of berth's"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), tc.args, console{strings.NewReader(""), &out, &out})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.args, err, tc.want)
		}
	}
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = run(t.Context(), []string{"restore", file, "--data-dir", p.dir}, console{strings.NewReader(""), &out, &out})
	if err == nil || !strings.Contains(err.Error(), "move what is there away") {
		t.Errorf("over what is there: %v", err)
	}
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("sh", "-c", `"$0" backup - --data-dir "$1" | :`, path, p.dir).Run(); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.dir, ".staging-*")); len(left) > 0 {
		t.Errorf("a backup that nobody reads to the end leaves %v", left)
	}
	// By standard output and input, into the directory that what was refused has left as it was.
	var stream bytes.Buffer
	if err := run(t.Context(), []string{"backup", "-", "--data-dir", p.dir}, console{strings.NewReader(""), &stream, &out}); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), []string{"restore", "-", "--data-dir", fresh}, console{&stream, &out, &out}); err != nil {
		t.Error(err)
	}
}

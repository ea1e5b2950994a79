package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

func newTestRuntime(t *testing.T, open int) *Runtime {
	t.Helper()
	r := newRuntime(slog.New(slog.DiscardHandler), open)
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func release(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func handlerOf(t *testing.T, r *Runtime, root string) http.Handler {
	t.Helper()
	h, err := r.Handler(root)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func get(h http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func staticSpec(site sites.SiteID, number int, root string) sites.Spec {
	return sites.Spec{
		Site: site, Release: number, Root: root, Template: sites.Template{Name: sites.TemplateStatic},
		Limits: sites.Limits{MemoryMB: 64, CPUs: 0.5, Pids: 32},
	}
}

func start(t *testing.T, r *Runtime, s sites.Spec) sites.Instance {
	t.Helper()
	i, err := r.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestInstanceComesAndGoes(t *testing.T) {
	r := newTestRuntime(t, 10)
	s := staticSpec(7, 3, release(t, "three"))
	i := start(t, r, s)
	if i.Site != 7 || i.Release != 3 || i.Limits != s.Limits || i.Addr.IsValid() || i.Stale || i.StartedAt.IsZero() {
		t.Errorf("started %+v", i)
	}
	second := start(t, r, s)
	if second.ID == i.ID {
		t.Error("two instances have one id")
	}
	if code, body := get(handlerOf(t, r, s.Root), "/"); code != 200 || body != "three" {
		t.Errorf("answer: %d %q", code, body)
	}
	for range 2 {
		if err := r.Stop(t.Context(), i.ID); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := r.Instances(t.Context())
	if err != nil || len(listed) != 1 || listed[0] != second {
		t.Errorf("instances: %+v, %v", listed, err)
	}
}

func TestStartRefuses(t *testing.T) {
	r := newTestRuntime(t, 10)
	s := staticSpec(1, 1, release(t, "x"))
	s.Template = sites.Template{Name: "php", Image: "php:8"}
	_, err := r.Start(t.Context(), s)
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) || !errors.Is(err, sites.ErrUnavailable) || !strings.Contains(refusal.Sentence, `"php"`) {
		t.Errorf("template with an image: %v", err)
	}
	missing := staticSpec(1, 1, filepath.Join(t.TempDir(), "none"))
	if _, err := r.Start(t.Context(), missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if _, err := r.Handler(missing.Root); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("handler of a missing directory: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Start(ctx, staticSpec(1, 1, release(t, "x"))); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	if listed, _ := r.Instances(t.Context()); len(listed) != 0 {
		t.Errorf("instances: %+v", listed)
	}
}

func TestWatchLastsAsLongAsItsContext(t *testing.T) {
	r := newTestRuntime(t, 10)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		r.Watch(ctx, func() { t.Error("something was said to have changed") })
		close(done)
	}()
	start(t, r, staticSpec(1, 1, release(t, "x")))
	cancel()
	<-done
	if info := r.Info(t.Context()); info.Name != "embedded" || info.Err != "" {
		t.Errorf("info: %+v", info)
	}
}

func logs(t *testing.T, r *Runtime, id string, tail int) string {
	t.Helper()
	var out bytes.Buffer
	if err := r.Logs(t.Context(), id, sites.LogQuery{Tail: tail}, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestLogsOfAnInstance(t *testing.T) {
	r := newTestRuntime(t, 10)
	root := release(t, "x")
	h := handlerOf(t, r, root)
	get(h, "/before-any-instance")
	i := start(t, r, staticSpec(1, 1, root))
	other := start(t, r, staticSpec(2, 1, release(t, "y")))
	get(h, "/missing-1")
	get(h, "/missing-2")
	if got := logs(t, r, i.ID, 0); !strings.Contains(got, "/missing-1") || !strings.Contains(got, "/missing-2") || strings.Contains(got, "before") {
		t.Errorf("log: %s", got)
	}
	if got := logs(t, r, i.ID, 1); strings.Count(got, "\n") != 1 || !strings.Contains(got, "/missing-2") {
		t.Errorf("last line: %s", got)
	}
	if got := logs(t, r, other.ID, 0); strings.Contains(got, "missing") {
		t.Errorf("another site's log: %s", got)
	}
	again := start(t, r, staticSpec(1, 1, root)) // as a restart does: the new instance before the old one goes
	if err := r.Stop(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	get(h, "/missing-3")
	if got := logs(t, r, again.ID, 0); !strings.Contains(got, "/missing-3") || strings.Contains(got, "/missing-1") {
		t.Errorf("log after restart: %s", got)
	}
	if err := r.Logs(t.Context(), i.ID, sites.LogQuery{}, io.Discard); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("log of a stopped instance: %v", err)
	}
}

// pipe hands over what is written to it, a write at a time.
type pipe chan string

func (p pipe) Write(b []byte) (int, error) { p <- string(b); return len(b), nil }

func (p pipe) await(t *testing.T, part string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case got := <-p:
			if strings.Contains(got, part) {
				return
			}
		case <-deadline:
			t.Fatalf("%q was not logged", part)
		}
	}
}

func TestLogsAreFollowed(t *testing.T) {
	r := newTestRuntime(t, 10)
	root := release(t, "x")
	h := handlerOf(t, r, root)
	for _, ending := range []string{"reader leaves", "instance stops", "runtime closes"} {
		i := start(t, r, staticSpec(1, 1, root))
		ctx, cancel := context.WithCancel(t.Context())
		out, done := make(pipe, 100), make(chan error, 1)
		go func() { done <- r.Logs(ctx, i.ID, sites.LogQuery{Follow: true}, out) }()
		out.await(t, "serving")
		for _, path := range []string{"/one", "/two"} {
			get(h, path)
			out.await(t, path)
		}
		switch ending {
		case "reader leaves":
			cancel()
		case "instance stops":
			if err := r.Stop(t.Context(), i.ID); err != nil {
				t.Fatal(err)
			}
		default:
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-done; err != nil {
			t.Errorf("%s: %v", ending, err)
		}
		cancel()
	}
}

func TestLinesAreBounded(t *testing.T) {
	l := newLines()
	for i := range 1000 {
		fmt.Fprintf(l, "line %d\n", i)
	}
	kept, next := l.tail(1000)
	if len(kept) != mostLines || kept[mostLines-1] != "line 999\n" || next != 1000 {
		t.Errorf("%d lines, next %d", len(kept), next)
	}
	for range 100 {
		_, _ = l.Write([]byte(strings.Repeat("ä", 5000) + "\n"))
	}
	kept, _ = l.tail(1000)
	if n := len(strings.Join(kept, "")); n > mostBytes || n < mostBytes/2 {
		t.Errorf("%d bytes are kept", n)
	}
	if !strings.HasSuffix(kept[0], "ä…\n") {
		t.Errorf("a long line ends with %q", kept[0][len(kept[0])-10:])
	}
	// A reader who was away too long goes on with what is there.
	if late, _ := l.since(3); !slices.Equal(late, kept) {
		t.Errorf("%d lines for a late reader, %d are kept", len(late), len(kept))
	}
}

func TestRequestsDoNotWaitForTheRuntime(t *testing.T) {
	r := newTestRuntime(t, 10)
	root := release(t, "x")
	i := start(t, r, staticSpec(1, 1, root))
	h := handlerOf(t, r, root)
	get(h, "/") // opens the directory
	r.mu.Lock() // as a slow listing of instances would
	served := make(chan struct{})
	go func() {
		get(h, "/missing")
		close(served)
	}()
	select {
	case <-served:
	case <-time.After(10 * time.Second):
		t.Error("a request waits for the runtime's lock")
	}
	r.mu.Unlock()
	<-served
	if got := logs(t, r, i.ID, 1); !strings.Contains(got, "/missing") {
		t.Errorf("log: %s", got)
	}
}

package embedded

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// openDescriptors counts those of this process that point below dir.
func openDescriptors(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && strings.HasPrefix(target, dir) {
			n++
		}
	}
	return n
}

func TestOpenDirectoriesAreBounded(t *testing.T) {
	const most = 5
	r := newTestRuntime(t, most)
	dir := t.TempDir()
	var handlers []http.Handler
	for i := range 40 {
		root := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "index.html"), []byte(fmt.Sprint(i)), 0o644); err != nil {
			t.Fatal(err)
		}
		handlers = append(handlers, handlerOf(t, r, root))
	}
	for range 3 {
		for i, h := range handlers {
			if code, body := get(h, "/"); code != 200 || body != fmt.Sprint(i) {
				t.Fatalf("site %d answers %d %q", i, code, body)
			}
			if open := openDescriptors(t, dir); open > most {
				t.Fatalf("%d directories are open", open)
			}
		}
	}
	// What is in demand stays open while others come and go.
	favourite := handlers[0].(*handler)
	get(favourite, "/")
	kept := favourite.current.Load()
	for _, h := range handlers[1:] {
		get(favourite, "/")
		get(h, "/")
	}
	if favourite.current.Load() != kept {
		t.Error("a directory in constant demand was closed")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if open := openDescriptors(t, dir); open != 0 {
		t.Errorf("%d directories are open after Close", open)
	}
	if code, body := get(handlers[0], "/"); code != 503 || strings.Contains(body, dir) {
		t.Errorf("after Close: %d %q", code, body)
	}
}

// slowWriter lets a response begin and holds it up.
type slowWriter struct {
	*httptest.ResponseRecorder
	begun chan struct{}
	goOn  chan struct{}
	once  sync.Once
}

func (w *slowWriter) Write(p []byte) (int, error) {
	w.once.Do(func() { close(w.begun); <-w.goOn })
	return w.ResponseRecorder.Write(p)
}

func (w *slowWriter) body(t *testing.T) string {
	t.Helper()
	all, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestRequestInFlightOutlivesStop(t *testing.T) {
	r := newTestRuntime(t, 1)
	text := strings.Repeat("0123456789", 20_000)
	root := release(t, text)
	i := start(t, r, staticSpec(1, 1, root))
	h := handlerOf(t, r, root)
	w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), begun: make(chan struct{}), goOn: make(chan struct{})}
	served := make(chan struct{})
	go func() {
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		close(served)
	}()
	<-w.begun
	get(handlerOf(t, r, release(t, "other")), "/") // takes the only place
	if err := r.Stop(t.Context(), i.ID); err != nil {
		t.Fatal(err)
	}
	if openDescriptors(t, root) == 0 {
		t.Error("the directory was closed under a request")
	}
	close(w.goOn)
	<-served
	if got := w.body(t); got != text {
		t.Errorf("the response is %d bytes of %d", len(got), len(text))
	}
	if n := openDescriptors(t, root); n != 0 {
		t.Errorf("%d descriptors are open after the last request", n)
	}
}

func TestRequestsAtOnceOnFewDirectories(t *testing.T) {
	r := newTestRuntime(t, 2)
	var handlers []http.Handler
	for i := range 8 {
		handlers = append(handlers, handlerOf(t, r, release(t, fmt.Sprint(i))))
	}
	var requests sync.WaitGroup
	for worker := range 8 {
		requests.Go(func() {
			for n := range 200 {
				i := (worker + n) % len(handlers)
				if code, body := get(handlers[i], "/"); code != 200 || body != fmt.Sprint(i) {
					t.Errorf("site %d answers %d %q", i, code, body)
				}
			}
		})
	}
	requests.Wait()
}

func TestReleaseIsSurveyedOnce(t *testing.T) {
	r := newTestRuntime(t, 1)
	root := release(t, "plain")
	encoding := func(h http.Handler) string {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req.Header.Set("Accept-Encoding", "gzip")
		h.ServeHTTP(w, req)
		return w.Header().Get("Content-Encoding")
	}
	h := handlerOf(t, r, root)
	if got := encoding(h); got != "" {
		t.Fatalf("encoding %q", got)
	}
	// No release changes; this one does, to see whether it is walked again once its directory was closed.
	if err := os.WriteFile(filepath.Join(root, "index.html.gz"), []byte("packed"), 0o644); err != nil {
		t.Fatal(err)
	}
	get(handlerOf(t, r, release(t, "other")), "/") // takes the only place
	if openDescriptors(t, root) != 0 {
		t.Fatal("the directory is still open")
	}
	if got := encoding(h); got != "" {
		t.Error("the release was walked again")
	}
	if got := encoding(handlerOf(t, r, root)); got != "gzip" {
		t.Errorf("a new handler finds %q", got)
	}
}

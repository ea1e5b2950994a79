package cache

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A panic of an origin that is asked behind a request ends nothing but that, and is told.
func TestPanicBehindARequestIsContained(t *testing.T) {
	var logged bytes.Buffer
	k := &clock{now: time.Now()}
	c := newCache(1<<20, slog.New(slog.NewTextHandler(&logged, nil)), k.read)
	s, r := new(Space), httptest.NewRequest(http.MethodGet, "/", nil)
	c.Fetch(httptest.NewRecorder(), r, s, Origin(says("hello", "Cache-Control: max-age=1, stale-while-revalidate=60")))
	for _, cause := range []any{http.ErrAbortHandler, "evil"} {
		k.pass(2 * time.Second)
		w := httptest.NewRecorder()
		c.Fetch(w, r, s, func(http.ResponseWriter, *http.Request) { panic(cause) })
		if w.Body.String() != "hello" {
			t.Errorf("meanwhile: got %q", w.Body)
		}
		eventually(t, "the place behind is free", func() bool {
			c.behind.mu.Lock()
			defer c.behind.mu.Unlock()
			return c.behind.count == 0
		})
	}
	c.Close()
	if log := logged.String(); strings.Count(log, "level=ERROR") != 1 || !strings.Contains(log, "cause=evil") {
		t.Errorf("logged %s", log)
	}
}

// evilWriter panics once the header is out, as an encoder might.
type evilWriter struct{ *httptest.ResponseRecorder }

func (evilWriter) Write([]byte) (int, error) { panic("evil") }

// What panics while a response that is kept is sent panics where the request is served, whose server knows what to do.
func TestPanicOfASenderIsTheRequests(t *testing.T) {
	c := newCache(1<<20, slog.New(slog.DiscardHandler), time.Now)
	defer c.Close()
	defer func() {
		if cause := recover(); cause != "evil" {
			t.Errorf("recovered %v", cause)
		}
	}()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	c.Fetch(evilWriter{httptest.NewRecorder()}, r, new(Space), Origin(says("hello", "Cache-Control: max-age=60")))
}

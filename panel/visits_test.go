package panel

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"berth/sites"
)

// accessLog is Visits for tests: each site has one line, which tells whose it is.
type accessLog struct{ off bool }

func (l *accessLog) Kept() bool { return !l.off }

func (l *accessLog) Read(ctx context.Context, site sites.SiteID, q sites.LogQuery, w io.Writer) error {
	if _, err := fmt.Fprintf(w, "line of site %d, tail %d\n", site, q.Tail); err != nil {
		return err
	}
	if q.Follow {
		<-ctx.Done()
	}
	return nil
}

// TestWhoGaveASiteAwayFollowsItsLogsNoMore has the owner of a site follow who visits it.
func TestWhoGaveASiteAwayFollowsItsLogsNoMore(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	root := w.token("root")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.server.URL+"/api/v1/sites/hello/access?follow=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token("ann"))
	res, err := w.client(false).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	if first, err := lines.ReadString('\n'); err != nil || res.StatusCode != 200 {
		t.Fatalf("%d %q, %v", res.StatusCode, first, err)
	}
	ended := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, lines); close(ended) }()
	patch := func(body string) {
		t.Helper()
		if a := w.call(root, http.MethodPatch, "/api/v1/sites/hello", jsonType, body); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	patch(`{"owner":"ann","instances":2}`)
	select {
	case <-ended:
		t.Fatal("another change ends what the owner follows")
	default:
	}
	patch(`{"owner":"bob"}`)
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Error("the former owner goes on reading who visits")
	}
}

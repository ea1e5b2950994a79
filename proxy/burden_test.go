package proxy

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"
)

func TestBurdenTakesASecondsWorthAtOnce(t *testing.T) {
	for _, perSecond := range []int{1, 2, 3, 7, 1000, 100_000} {
		b := newBurden()
		taken := 0
		for b.take(time.Hour, perSecond) {
			taken++
		}
		if taken != perSecond {
			t.Errorf("%d a second: %d at once", perSecond, taken)
		}
		each := time.Second / time.Duration(perSecond)
		if perSecond < 1000 && b.take(time.Hour+each-time.Millisecond, perSecond) {
			t.Errorf("%d a second: the next comes too early", perSecond)
		}
		if !b.take(time.Hour+each+time.Millisecond, perSecond) {
			t.Errorf("%d a second: the next does not come", perSecond)
		}
	}
}

func TestBurdenCountsExactlyWithManyAtOnce(t *testing.T) {
	b := newBurden()
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if b.take(time.Hour, 500) {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	if taken.Load() != 500 {
		t.Errorf("%d are let through, want 500", taken.Load())
	}
}

func TestRequestsPerSecond(t *testing.T) {
	e := startEdge(t)
	instance := startInstance(t, says("hello"))
	bounded := func(o sites.Options) sites.Published {
		o.Bounds.RequestsPerSecond = 1
		return optional(o, instance.addr)
	}
	e.publish(bounded(sites.Options{}), sites.Published{ID: 2, Name: "other", Hosts: []string{"other.berth.test"}, State: sites.StateRunning, Release: 1, Instances: bounded(sites.Options{}).Instances})
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		eventually(t, "a request is one too many", func() bool {
			got := get(t, c, "https://hello.berth.test/", "Accept", "text/html")
			return got.StatusCode == http.StatusTooManyRequests && got.Header.Get("Retry-After") == "1" && strings.Contains(got.body, "<!doctype html>")
		})
		if got := get(t, c, "https://other.berth.test/"); got.StatusCode != http.StatusOK {
			t.Errorf("another site: %d", got.StatusCode)
		}
		eventually(t, "requests are let through again", func() bool { return get(t, c, "https://hello.berth.test/").StatusCode == http.StatusOK })
	})
	before := e.table.find("hello.berth.test").policy.burden
	e.publish(bounded(sites.Options{HSTS: sites.HSTSHost}))
	if e.table.find("hello.berth.test").policy.burden != before {
		t.Error("a change of other options begins anew to count")
	}
}

func TestRequestsAtATime(t *testing.T) {
	e := startEdge(t)
	entered, leave := make(chan struct{}, 2), make(chan struct{})
	instance := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			entered <- struct{}{}
			<-leave
		}
	})
	e.publish(optional(sites.Options{Bounds: sites.Bounds{Connections: 2}}, instance.addr))
	c := e.client(2)
	var long sync.WaitGroup
	for range 2 {
		long.Go(func() {
			if res, err := c.Get("https://hello.berth.test/long"); err != nil {
				t.Error(err)
			} else {
				res.Body.Close()
			}
		})
	}
	receive(t, "a request", entered)
	receive(t, "another request", entered)
	if got := get(t, c, "https://hello.berth.test/"); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a third request: %d", got.StatusCode)
	}
	close(leave)
	long.Wait()
	eventually(t, "there is room again", func() bool { return get(t, c, "https://hello.berth.test/").StatusCode == http.StatusOK })
	if n := e.table.find("hello.berth.test").policy.burden.present.Load(); n > 1 {
		t.Errorf("%d requests are counted in that have ended", n)
	}
}

func TestBodySize(t *testing.T) {
	const bound = 1 << 20
	e := startEdge(t)
	instance := startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err == nil && n <= bound {
			io.WriteString(w, "taken")
		}
	})
	e.publish(optional(sites.Options{Bounds: sites.Bounds{BodyMB: 1}}, instance.addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		for _, tc := range []struct {
			size    int
			chunked bool
			status  int
			says    string
		}{
			{0, false, 200, "taken"},
			{bound, false, 200, "taken"},
			{bound, true, 200, "taken"},
			{bound + 1, false, 413, "this site takes up to 1 MB at a time."},
			{bound + 1, true, 413, "this site takes up to 1 MB at a time."},
			{8 * bound, true, 413, "this site takes up to 1 MB at a time."},
		} {
			var body io.Reader = strings.NewReader(strings.Repeat("x", tc.size))
			if tc.chunked {
				body = io.MultiReader(body) // whose length net/http does not see
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://hello.berth.test/", body)
			if err != nil {
				t.Fatal(err)
			}
			if got := do(t, c, req); got.StatusCode != tc.status || !strings.Contains(got.body, tc.says) {
				t.Errorf("%d bytes, chunked %v: %d %q, want %d %q", tc.size, tc.chunked, got.StatusCode, got.body, tc.status, tc.says)
			}
		}
		req := request(t, http.MethodPost, "https://hello.berth.test/", strings.Repeat("x", bound+1), "Accept", "text/html")
		page := do(t, c, req)
		if !strings.Contains(page.body, "too large</title><p>hello.berth.test: 1") {
			t.Errorf("people get %q", page.body)
		}
		checkPage(t, page, 413, false, "text/html; charset=utf-8", testPolicy)
	})
}

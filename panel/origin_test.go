package panel

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestCrossOriginMatrix(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	own := w.server.URL
	for _, tc := range []struct {
		name, fetchSite, origin string
		allowed                 bool
	}{
		{"same origin", "same-origin", own, true},
		{"typed by the user", "none", "", true},
		{"a site beside the panel", "same-site", "https://evil." + testZone, false},
		{"a site that claims the panel's origin", "same-site", own, false},
		{"another site", "cross-site", "https://evil.example", false},
		{"old browser, own origin", "", own, true},
		{"old browser, a site beside the panel", "", "https://evil." + testZone, false},
		{"old browser, another port", "", "https://127.0.0.1:1", false},
		{"opaque origin", "", "null", false},
		{"no browser", "", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b.t = t
			b.header = http.Header{}
			if tc.fetchSite != "" {
				b.header.Set("Sec-Fetch-Site", tc.fetchSite)
			}
			if tc.origin != "" {
				b.header.Set("Origin", tc.origin)
			}
			before := w.newest().ID
			res := b.once(http.MethodPost, "/sites/hello/stop", formType, strings.NewReader(""))
			if allowed := res.status == 303; allowed != tc.allowed || (w.newest().ID != before) != tc.allowed {
				t.Errorf("answered %d, carried out: %v, want %v", res.status, w.newest().ID != before, tc.allowed)
			}
			if !tc.allowed {
				contains(t, "page", res.Find("main").Text(), "came from another website")
			}
			b.header.Set("Sec-Fetch-Mode", "navigate")
			b.header.Set("Sec-Fetch-Dest", "document")
			if got := b.once(http.MethodGet, "/sites/hello", "", nil); got.status != 200 {
				t.Errorf("a link from there answers %d", got.status)
			}
		})
	}
}

func TestOtherOriginsUseNothingUp(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.once(http.MethodPost, "/sites/hello/stop", formType, strings.NewReader(""))
	ask := func(site, mode, dest, purpose string, paths ...string) (statuses []int) {
		b.header = http.Header{"Sec-Fetch-Site": {site}, "Sec-Fetch-Mode": {mode}, "Sec-Fetch-Dest": {dest}}
		if purpose != "" {
			b.header.Set("Sec-Purpose", purpose)
		}
		for _, path := range paths {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				statuses = append(statuses, b.once(method, path, "", nil).status)
			}
		}
		return statuses
	}
	for _, site := range []string{"same-site", "cross-site"} {
		for _, got := range [][]int{
			ask(site, "no-cors", "image", "", "/", "/sites/hello", "/events"),
			ask(site, "no-cors", "empty", "", "/", "/account"),
			ask(site, "navigate", "iframe", "", "/"),
			ask(site, "navigate", "document", "prefetch", "/"),
			ask(site, "navigate", "document", "", "/events", "/live/sites", "/live/sites/hello", "/sites/hello/logs/follow"),
		} {
			for _, status := range got {
				if status != 403 {
					t.Errorf("%s: answered %v, want 403 for each", site, got)
					break
				}
			}
		}
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	if p := b.open("/live/sites"); p.status != 200 {
		t.Errorf("the panel's own script is answered %d", p.status)
	}
	b.open("/sites/hello")
	b.says(200, "hello is stopped")
}

func TestHeadIsGetWithoutBody(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	get, head := b.once(http.MethodGet, "/login", "", nil), b.once(http.MethodHead, "/login", "", nil)
	if head.status != 200 || head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
		t.Errorf("HEAD: %d, %d bytes, Content-Length %q beside %q", head.status, len(head.body), head.header.Get("Content-Length"), get.header.Get("Content-Length"))
	}
}

func TestHeadEndsWithTheHeaders(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	session, token := w.login("ann").session(), "Bearer "+w.token("ann")
	for path, kind := range map[string]string{
		"/events":                             "text/event-stream",
		"/sites/hello/logs/follow":            "text/plain; charset=utf-8",
		"/sites/hello/access/follow":          "text/plain; charset=utf-8",
		"/api/v1/sites/hello/logs?follow=1":   "text/plain; charset=utf-8",
		"/api/v1/sites/hello/access?follow=1": "text/plain; charset=utf-8",
		"/api/v1/sites/hello/logs?follow=bad": "application/problem+json",
	} {
		// Without a client, which would hang up by itself once it has the headers.
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		r := httptest.NewRequestWithContext(ctx, http.MethodHead, path, nil)
		r.AddCookie(session)
		r.Header.Set("Authorization", token)
		answer := httptest.NewRecorder()
		w.panel.ServeHTTP(answer, r)
		if ctx.Err() != nil || answer.Header().Get("Content-Type") != kind {
			t.Errorf("HEAD %s: %d %s, %v", path, answer.Code, answer.Header().Get("Content-Type"), ctx.Err())
		}
		cancel()
	}
}

func TestHeadTakesNothingThatIsShownOnce(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	b.open("/account")
	made := b.once(http.MethodPost, "/account/tokens", formType, strings.NewReader("label=ci")).header.Get("Location")
	b.once(http.MethodHead, made, "", nil)
	b.open(made)
	b.says(200, "The token ci is made")
	if b.page.Find("#new-token").Text() == "" {
		t.Error("HEAD took the token")
	}

	root := w.login("root")
	made = root.once(http.MethodPost, "/admin/accounts", formType, strings.NewReader("name=carol&role=owner&sites=1&storage_mb=1")).header.Get("Location")
	root.once(http.MethodHead, made, "", nil)
	if root.open(made).Find("#new-secret").Text() == "" {
		t.Error("HEAD took the password")
	}
}

func TestRefusedPartsLeaveTheNotice(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	b := w.login("ann")
	b.once(http.MethodPost, "/sites/hello/stop", formType, strings.NewReader(""))
	if p := b.once(http.MethodGet, "/live/sites/gone", "", nil); p.status != 404 {
		t.Errorf("a part of no site answers %d", p.status)
	}
	b.open("/")
	b.says(200, "hello is stopped")
}

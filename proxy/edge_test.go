package proxy

import (
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
)

func TestWiderThanSite(t *testing.T) {
	const zone = "apps.berth.test"
	tests := map[string]bool{
		"a=1":                                                false,
		"a=1; Path=/; Secure":                                false,
		"a=1; Domain=":                                       false,
		"a=1; Domain=x.apps.berth.test":                      false,
		"a=1; Domain=.x.apps.berth.test":                     false,
		"a=1; Domain=custom.example":                         false,
		"a=1; Domain=xapps.berth.test":                       false,
		"Domain=apps.berth.test":                             false, // a cookie of that name
		"a=1; Domain=apps.berth.test":                        true,
		"a=1;domain = .APPS.berth.test ;Path=/":              true,
		"a=1; Domain=apps.berth.test.":                       true,
		"a=1; Domain=berth.test":                             true,
		"a=1; Domain=test":                                   true,
		"a=1; Domain=custom.example; Domain=apps.berth.test": true,
		"a=1; Domain=apps.berth.test; Domain=":               true,
		"a=1; Domain=%61pps.berth.test":                      true, // a browser may decode it
		"a=1; Domain=ａpps.berth.test":                        true,
	}
	for cookie, want := range tests {
		if got := widerThanSite(cookie, zone); got != want {
			t.Errorf("%q: %v, want %v", cookie, got, want)
		}
	}
}

func TestInstanceSpeaksForItselfOnly(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Set-Cookie"] = []string{"own=1; Path=/", "bomb=1; Domain=berth.test", "bomb=2; Domain=.Berth.Test", "also=1; domain=hello.berth.test"}
		h.Set("Clear-Site-Data", `"cookies"`)
		h.Set("X-Custom", "kept")
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		got := get(t, c, "https://hello.berth.test/")
		want := []string{"own=1; Path=/", "also=1; domain=hello.berth.test"}
		if cookies := got.Header["Set-Cookie"]; !slices.Equal(cookies, want) {
			t.Errorf("Set-Cookie: %q, want %q", cookies, want)
		}
		if got.Header["Clear-Site-Data"] != nil || got.Header.Get("X-Custom") != "kept" {
			t.Errorf("got %v", got.Header)
		}
	})
}

// What an instance may not say it may not say early either, and what berth says stays.
func TestInstanceSpeaksForItselfEarly(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Link", "</a.css>; rel=preload")
		h.Set("Alt-Svc", `h3="elsewhere:443"`)
		h.Set("Set-Cookie", "a=1; Domain=berth.test")
		w.WriteHeader(http.StatusEarlyHints)
		clear(h)
	}).addr))
	everyVersion(t, e, func(t *testing.T, c *http.Client) {
		early := make(http.Header)
		req := request(t, http.MethodPost, "https://hello.berth.test/", "")
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(_ int, header textproto.MIMEHeader) error { early = http.Header(header); return nil },
		}))
		got := do(t, c, req)
		if got.ProtoMajor < 3 && early.Get("Link") == "" || early.Get("Set-Cookie") != "" || strings.Contains(early.Get("Alt-Svc"), "elsewhere") {
			t.Errorf("early: %v", early)
		}
		if got.ProtoMajor < 3 && got.Header.Get("Alt-Svc") == "" {
			t.Errorf("then: %v", got.Header)
		}
	})
}

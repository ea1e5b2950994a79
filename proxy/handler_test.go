package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"berth/sites"
)

func TestHostname(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		field, name string
		ok          bool
	}{
		{"hello.berth.test", "hello.berth.test", true},
		{"Hello.BERTH.test", "hello.berth.test", true},
		{"hello.berth.test:8443", "hello.berth.test", true},
		{"hello.berth.test.", "hello.berth.test", true},
		{"hello.berth.test.:443", "hello.berth.test", true},
		{"hello.berth.test:", "hello.berth.test", true},
		{"_x.berth.test", "_x.berth.test", true},
		{long + ".test", long + ".test", true},
		{"192.0.2.1:80", "192.0.2.1", true},
		{"[2001:DB8::1]:443", "2001:db8::1", true},
		{"[::1]", "::1", true},
		{"", "", false},
		{".", "", false},
		{":443", "", false},
		{"a..test", "", false},
		{".test", "", false},
		{"a.test..", "", false},
		{"a.test:http", "", false},
		{"a.test:70000", "", false},
		{"a.test:+1", "", false},
		{"a:b:c", "", false},
		{"::1", "", false},
		{"[::1", "", false},
		{"[::1]x", "", false},
		{"[192.0.2.1]", "", false},
		{"[fe80::1%eth0]", "", false},
		{"a b.test", "", false},
		{"user@a.test", "", false},
		{"a/b", "", false},
		{"bücher.test", "", false},
		{"a" + long + ".test", "", false},
		{strings.Repeat("a.", 127) + "a", "", false},
	}
	for _, test := range tests {
		name, ok := hostname(test.field)
		if ok != test.ok || (ok && name != test.name) {
			t.Errorf("hostname(%q) = %q, %v; want %q, %v", test.field, name, ok, test.name, test.ok)
		}
	}
	if n := testing.AllocsPerRun(100, func() { hostname("hello.berth.test:443") }); n != 0 {
		t.Errorf("the common host costs %v allocations", n)
	}
}

func TestRouting(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr), site("other", startInstance(t, says("other")).addr))
	tests := []struct {
		host   string
		status int
		body   string // a part of it
	}{
		{"hello.berth.test", 200, "hello"},
		{"HELLO.Berth.Test:8443", 200, "hello"},
		{"hello.berth.test.", 200, "hello"},
		{"other.berth.test", 200, "other"},
		{"panel.berth.test", 200, "panel"},
		{"Panel.berth.test.:8443", 200, "panel"},
		{"nobody.berth.test", 404, "no site"},
		{"a.hello.berth.test", 421, "Misdirected"},
		{"127.0.0.1", 421, "Misdirected"},
		{"[::1]:443", 421, "Misdirected"},
		{"", 400, "Bad Request"},
		{"a..test", 400, "Bad Request"},
	}
	for _, test := range tests {
		t.Run(test.host, func(t *testing.T) {
			got := raw(t, e.dialTLS(t), "GET /path HTTP/1.1", "Host: "+test.host, "Connection: close")
			if got.StatusCode != test.status || !strings.Contains(got.body, test.body) {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, got.body, test.status, test.body)
			}
		})
	}
}

func TestHTTP2(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, says("hello")).addr))
	got := get(t, e.client(2), "https://hello.berth.test/")
	if got.ProtoMajor != 2 || got.body != "hello" {
		t.Errorf("got %s %q", got.Proto, got.body)
	}
}

func TestTargets(t *testing.T) {
	e := startEdge(t)
	e.publish(site("hello", startInstance(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s authorization=%q", r.RequestURI, r.Header.Get("Authorization"))
	}).addr))
	tests := []struct {
		line   string
		status int
		body   string
	}{
		{"GET /a%2Fb//c?x=1;y&%zz HTTP/1.1", 200, `/a%2Fb//c?x=1;y&%zz authorization=""`},
		{"GET http://hello.berth.test HTTP/1.1", 200, `/ authorization=""`},
		{"GET http://me:secret@hello.berth.test/a HTTP/1.1", 200, `/a authorization=""`},
		{"GET http://nobody.berth.test/ HTTP/1.1", 404, "no site"}, // the target outranks the Host field
		{"GET http:@evil.test/ HTTP/1.1", 400, "Bad Request"},
		{"GET * HTTP/1.1", 400, "Bad Request"},
		{"CONNECT hello.berth.test:443 HTTP/1.1", 501, "Not Implemented"},
		{"TRACE / HTTP/1.1", 501, "Not Implemented"},
	}
	for _, test := range tests {
		t.Run(test.line, func(t *testing.T) {
			got := raw(t, e.dialTLS(t), test.line, "Host: hello.berth.test", "Connection: close")
			if got.StatusCode != test.status || !strings.Contains(got.body, test.body) {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, got.body, test.status, test.body)
			}
		})
	}
}

func TestRedirects(t *testing.T) {
	e := startEdge(t)
	custom := site("custom", startInstance(t, says("custom")).addr)
	custom.Hosts = append(custom.Hosts, "custom.example")
	e.publish(custom)
	tests := []struct{ method, url, location string }{
		{"GET", "http://hello.berth.test/a%20b?c=d", "https://hello.berth.test:8443/a%20b?c=d"},
		{"POST", "http://Hello.berth.test./form", "https://hello.berth.test:8443/form"},
		{"DELETE", "http://nobody.berth.test/", "https://nobody.berth.test:8443/"}, // the wildcard covers it
		{"GET", "http://panel.berth.test/", "https://panel.berth.test:8443/"},
		{"GET", "http://berth.test/", "https://berth.test:8443/"},
		{"GET", "http://custom.example/", "https://custom.example:8443/"},
		{"GET", "http://hello.berth.test/.well-known/other", "https://hello.berth.test:8443/.well-known/other"},
		{"GET", "https://berth.test/sites?x", "https://panel.berth.test:8443/sites?x"},
		{"POST", "https://www.berth.test/", "https://panel.berth.test:8443/"},
	}
	for _, test := range tests {
		got := do(t, e.client(1), request(t, test.method, test.url, "body"))
		if got.StatusCode != http.StatusPermanentRedirect || got.Header.Get("Location") != test.location {
			t.Errorf("%s %s: got %d to %q, want %q", test.method, test.url, got.StatusCode, got.Header.Get("Location"), test.location)
		}
	}
	for _, host := range []string{"", "a b", "a..b", "evil.test/x"} {
		conn := dial(t, e.plain)
		if got := raw(t, conn, "GET / HTTP/1.1", "Host: "+host, "Connection: close"); got.StatusCode != 400 {
			t.Errorf("host %q: got %d", host, got.StatusCode)
		}
	}
	// For these there is no certificate to go to.
	for _, host := range []string{"127.0.0.1", "[::1]:80", "nobody.example", "a.hello.berth.test", "evilberth.test"} {
		got := raw(t, dial(t, e.plain), "GET / HTTP/1.1", "Host: "+host, "Accept: text/html", "Connection: close")
		if got.StatusCode != 404 || !strings.Contains(got.body, fmt.Sprintf("page %d<", PageUnknownHost)) {
			t.Errorf("host %s: got %d %q", host, got.StatusCode, got.body)
		}
	}
}

func TestDefaultPortIsLeftOut(t *testing.T) {
	e := startEdge(t, func(c *Config, _ *limits) { c.HTTPSPort = 443 })
	if got := get(t, e.client(1), "http://hello.berth.test/").Header.Get("Location"); got != "https://hello.berth.test/" {
		t.Errorf("got %q", got)
	}
}

func TestPanelAtApex(t *testing.T) {
	e := startEdge(t, func(c *Config, _ *limits) { c.PanelHost = testZone })
	if got := get(t, e.client(2), "https://berth.test/"); got.body != "panel" {
		t.Errorf("got %q", got.body)
	}
	if got := get(t, e.client(2), "https://www.berth.test/x").Header.Get("Location"); got != "https://berth.test:8443/x" {
		t.Errorf("got %q", got)
	}
}

func TestPages(t *testing.T) {
	e := startEdge(t)
	state := func(name string, s sites.State) sites.Published {
		p := site(name)
		p.State = s
		return p
	}
	stopped := site("stopped", startInstance(t, says("leak")).addr)
	stopped.State = sites.StateStopped
	e.publish(state("empty", sites.StateEmpty), stopped, state("starting", sites.StateStarting),
		state("failed", sites.StateFailed), state("running", sites.StateRunning), site("down", deadAddress(t)))
	tests := []struct {
		name   string
		kind   PageKind
		status int
		retry  bool
	}{
		{"unknown", PageUnknownHost, 404, false},
		{"empty", PagePlaceholder, 200, false},
		{"stopped", PageStopped, 503, true},
		{"starting", PageStarting, 503, true},
		{"failed", PageInstanceDown, 502, false},
		{"running", PageInstanceDown, 502, false},
		{"down", PageInstanceDown, 502, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			url := "https://" + test.name + ".berth.test/"
			html := get(t, e.client(2), url, "Accept", "application/xhtml+xml, Text/HTML;q=0.9, */*;q=0.1")
			if want := fmt.Sprintf("page %d</title><p>%s.berth.test", test.kind, test.name); !strings.Contains(html.body, want) {
				t.Errorf("got %q, want %q", html.body, want)
			}
			checkPage(t, html, test.status, test.retry, "text/html; charset=utf-8", testPolicy)

			for _, accept := range []string{"", "*/*", "text/html;q=0", "image/png"} {
				line := get(t, e.client(1), url, "Accept", accept)
				if strings.Count(line.body, "\n") != 1 || strings.Contains(line.body, "<") {
					t.Errorf("Accept %q: got %q", accept, line.body)
				}
				checkPage(t, line, test.status, test.retry, "text/plain; charset=utf-8", "default-src 'none'")
			}

			head := do(t, e.client(1), request(t, http.MethodHead, url, "", "Accept", "text/html"))
			if head.StatusCode != test.status || head.body != "" || head.ContentLength != int64(len(html.body)) {
				t.Errorf("HEAD: got %d %q of length %d", head.StatusCode, head.body, head.ContentLength)
			}
		})
	}
	if got := do(t, e.client(1), request(t, http.MethodPost, "https://empty.berth.test/", "x")); got.StatusCode != 405 {
		t.Errorf("POST to a placeholder: got %d", got.StatusCode)
	}
}

func checkPage(t *testing.T, got reply, status int, retry bool, contentType, policy string) {
	t.Helper()
	if got.StatusCode != status {
		t.Errorf("status %d, want %d", got.StatusCode, status)
	}
	if has := got.Header.Get("Retry-After") != ""; has != retry {
		t.Errorf("Retry-After: %v, want %v", has, retry)
	}
	for name, want := range map[string]string{
		"Content-Type": contentType, "Content-Security-Policy": policy, "Cache-Control": "no-store",
		"X-Content-Type-Options": "nosniff", "X-Robots-Tag": "noindex", "Vary": "Accept",
	} {
		if value := got.Header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
}

func TestPanelPanicIsLogged(t *testing.T) {
	e := startEdge(t, withPanel(func(http.ResponseWriter, *http.Request) { panic("a bug") }))
	if _, err := e.client(1).Get("https://panel.berth.test/"); err == nil {
		t.Error("a panic was answered")
	}
	eventually(t, "the panic in the log", func() bool {
		return strings.Contains(e.logged.String(), "level=ERROR") && strings.Contains(e.logged.String(), "a bug")
	})
}

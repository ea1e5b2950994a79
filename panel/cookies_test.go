package panel

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"berth/panel/auth"

	"github.com/labstack/echo/v4"
)

// bomb is what a hosted site can have browsers send to the apex: n cookies of 1 KiB.
func bomb(n int) string {
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprintf("junk%d=%s", i, strings.Repeat("x", 1<<10)))
	}
	return strings.Join(pairs, "; ")
}

func TestForeignCookiesAreDroppedAndExpired(t *testing.T) {
	w := newWorld(t)
	var got []string
	w.panel.echo.GET("/seen", func(c echo.Context) error {
		for _, cookie := range c.Cookies() {
			got = append(got, cookie.Name)
		}
		return nil
	})
	b := w.browser()
	own := auth.CookieName + "=session; " + auth.DeviceCookie + "=device"
	b.header.Set("Cookie", "first=1; "+own+"; "+bomb(60)+"; nameless")
	expired := b.once(http.MethodGet, "/seen", "", nil).header["Set-Cookie"]
	if !slices.Equal(got, []string{auth.CookieName, auth.DeviceCookie}) {
		t.Errorf("the panel sees the cookies %v", got)
	}
	for _, name := range []string{"first", "junk0", "junk59", ""} {
		for _, path := range []string{"/", "/seen"} {
			if want := name + "=; Domain=" + testZone + "; Path=" + path + "; Max-Age=0; Secure"; !slices.Contains(expired, want) {
				t.Errorf("no %q among %d lines", want, len(expired))
			}
		}
	}
	if all := strings.Join(expired, "\n"); strings.Contains(all, "__Host-") {
		t.Errorf("an own cookie is expired: %s", all)
	}

	b.header.Set("Cookie", "few=1; "+own)
	if expired := b.once(http.MethodGet, "/seen", "", nil).header["Set-Cookie"]; len(expired) != 0 {
		t.Errorf("a few cookies of others are expired: %v", expired)
	}
}

func TestACookieBombLogsNobodyOut(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	b.header.Set("Cookie", b.session().String()+"; "+bomb(60))
	b.client.Jar = nil
	if p := b.open("/account"); p.path != "/account" || p.status != 200 {
		t.Errorf("with many cookies of others: %d at %s", p.status, p.path)
	}
}

func TestExpiriesAreBounded(t *testing.T) {
	var foreign []string
	for i := range 180 {
		foreign = append(foreign, fmt.Sprintf("%04d%s", i, strings.Repeat("n", 4000)))
	}
	size := 0
	lines := expiries(foreign, testZone, "/admin/accounts/ann")
	for _, line := range lines {
		size += len(line)
	}
	if len(lines) == 0 || size > maxExpiries {
		t.Errorf("%d lines of %d bytes", len(lines), size)
	}
	for path, want := range map[string][]string{
		"/": {"/"}, "/login": {"/", "/login"}, "/admin/sites": {"/", "/admin", "/admin/", "/admin/sites"},
		"/a;b": {"/"}, strings.Repeat("/a", 100): {"/"},
	} {
		if got := cookiePaths(path); !slices.Equal(got, want) {
			t.Errorf("cookiePaths(%.20q) = %q, want %q", path, got, want)
		}
	}
}

package panel

import (
	"maps"
	"slices"
	"strings"

	"berth/panel/auth"

	"github.com/labstack/echo/v4"
)

const (
	muchForeign = 4 << 10  // bytes of foreign cookies that are let be
	maxExpiries = 32 << 10 // bytes of a response's header that expiring them may take
)

// cookies drops what the panel has not set before anything reads it. The panel may stand at the zone's apex, where
// browsers send it every cookie that a hosted site sets for the whole zone. Where these are so many that they could
// keep the browser's requests from getting through, they are expired.
func (p *Panel) cookies(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		own, foreign := sortCookies(r.Header["Cookie"])
		if len(foreign) == 0 {
			return next(c)
		}
		r = r.WithContext(r.Context()) // a copy, whose header is copied below: the caller's stays as it came
		r.Header = maps.Clone(r.Header)
		r.Header.Del("Cookie")
		if len(own) > 0 {
			r.Header.Set("Cookie", strings.Join(own, "; "))
		}
		c.SetRequest(r)
		for _, line := range expiries(foreign, p.cfg.Zone, r.URL.Path) {
			c.Response().Header().Add("Set-Cookie", line)
		}
		return next(c)
	}
}

// sortCookies tells the panel's own cookies, which browsers let no other host set, from the others. Both are as they were
// sent, because not every name that browsers send is one that net/http takes.
func sortCookies(headers []string) (own, foreign []string) {
	for _, header := range headers {
		for pair := range strings.SplitSeq(header, ";") {
			pair = strings.TrimSpace(pair)
			switch name, _, _ := strings.Cut(pair, "="); {
			case pair == "":
			case name == auth.CookieName, name == auth.DeviceCookie:
				own = append(own, pair)
			default:
				foreign = append(foreign, pair)
			}
		}
	}
	return own, foreign
}

// expiries returns the Set-Cookie lines that end much of what is foreign, the longest first; what does not fit into one
// response is left to the next. Cookies of a domain above the zone stay: they belong to somebody else.
func expiries(foreign []string, zone, path string) (lines []string) {
	total := 0
	for _, pair := range foreign {
		total += len(pair)
	}
	if total <= muchForeign {
		return nil
	}
	slices.SortStableFunc(foreign, func(a, b string) int { return len(b) - len(a) })
	room := maxExpiries
	for _, pair := range foreign {
		name, _, named := strings.Cut(pair, "=")
		if !named {
			name = "" // as browsers send a cookie without a name
		}
		for _, at := range cookiePaths(path) {
			line := name + "=; Domain=" + zone + "; Path=" + at + "; Max-Age=0; Secure"
			if room -= len(line); room < 0 {
				return lines
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// cookiePaths are the paths that a cookie sent with a request for path can have been set for. More than a few are left
// out: the panel has no deep ones.
func cookiePaths(path string) []string {
	paths := []string{"/"}
	for i, char := range path {
		if i > 0 && char == '/' {
			paths = append(paths, path[:i], path[:i+1])
		}
	}
	if len(path) > 1 && !strings.ContainsFunc(path, unfitForCookie) && len(paths) < 12 {
		return append(paths, path)
	}
	return paths[:1]
}

func unfitForCookie(r rune) bool { return r == ';' || r <= ' ' || r >= 0x7f }

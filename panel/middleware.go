package panel

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"berth/templates"

	"github.com/labstack/echo/v4"
)

// keyRequestID is where a request's number is kept in its echo.Context.
const keyRequestID = "request-id"

// identify gives the request a number by which its line in the log can be found.
func (p *Panel) identify(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := rand.Text()[:12]
		c.Set(keyRequestID, id)
		c.Response().Header().Set("X-Request-Id", id)
		return next(c)
	}
}

func requestID(c echo.Context) string {
	id, _ := c.Get(keyRequestID).(string)
	return id
}

// harden sets the headers that every response has. Nothing is cached unless a handler says so.
func (p *Panel) harden(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", templates.PanelPolicy())
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		// Without includeSubDomains: the panel may stand at the zone's apex. Browsers would turn http on any port of the
		// host into https on that port, so an installation on other ports than the usual does not ask for it.
		if p.usualPort() {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		h.Set("Cache-Control", "no-store")
		return next(c)
	}
}

// recoverPanic turns a panic into an internal error. http.ErrAbortHandler goes on: it is how a response is cut off.
func (p *Panel) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch v := recover(); {
			case v == nil:
			case v == http.ErrAbortHandler:
				panic(v)
			default:
				err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
			}
		}()
		return next(c)
	}
}

// errForeign refuses a request that another origin had the browser send.
var errForeign = errors.New("cross-origin request")

// browser protects what browsers call with a cookie from other origins, and makes the session available. Errors are
// answered inside it, so that the session is saved once. The API and the open routes take no cookie.
func (p *Panel) browser(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if stateless(c.Request().URL.Path) {
			return next(c)
		}
		if err := p.origin.Check(c.Request()); err != nil {
			return fmt.Errorf("%w: %w", errForeign, err)
		}
		if foreign(c.Request()) && !followedLink(c.Request()) {
			return errForeign
		}
		if err := readForm(c); err != nil {
			return err
		}
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.SetRequest(r)
			c.SetResponse(echo.NewResponse(w, c.Echo()))
			c.Set(keySession, true)
			err := p.meet(c)
			if err == nil {
				err = p.recoverPanic(next)(c)
			}
			if err != nil {
				p.fail(err, c)
			}
		})
		p.sessions.Handler(handler).ServeHTTP(c.Response().Writer, c.Request())
		return nil
	}
}

// foreign reports whether a page of another origin had the browser send the request. Such pages cannot read the answer,
// but could use up what belongs to the account: its streams, and notices and secrets that are shown once.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "same-site" || site == "cross-site"
}

// followedLink reports whether the request loads a page for a person to see, not an image, a frame or a prefetch.
func followedLink(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" &&
		r.Header.Get("Sec-Purpose") == ""
}

// stateless reports whether a path is served without a session.
func stateless(path string) bool {
	return isAPI(path) || strings.HasPrefix(path, templates.PathAssets) ||
		path == pathHealth || path == pathReady || path == pathRoot
}

func isAPI(path string) bool { return path == "/api" || strings.HasPrefix(path, "/api/") }

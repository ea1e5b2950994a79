package panel

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"

	"berth/panel/auth"
	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// visitor is who asks, read from the store for this request.
type visitor struct {
	account sites.Account
	actor   sites.Actor
}

// keyVisitor is where a logged-in visitor is kept in the echo.Context, for the frame around pages.
const keyVisitor = "visitor"

func visitorOf(c echo.Context) (visitor, bool) {
	v, ok := c.Get(keyVisitor).(visitor)
	return v, ok
}

// pageHandler serves a logged-in account.
type pageHandler func(c echo.Context, who visitor) error

// meet finds out whose session it is. A session whose account has gone or has other credentials now ends.
func (p *Panel) meet(c echo.Context) error {
	ctx := c.Request().Context()
	account, ok, err := p.sessionAccount(ctx)
	if err != nil {
		return err
	}
	if ok {
		c.Set(keyVisitor, visitor{account: account, actor: actorOf(account, c.Request())})
	}
	return nil
}

func (p *Panel) sessionAccount(ctx context.Context) (sites.Account, bool, error) {
	id, ok := p.sessions.Account(ctx)
	if !ok {
		return sites.Account{}, false, nil
	}
	account, err := p.service.AccountByID(ctx, sites.AccountID(id))
	if err != nil && !errors.Is(err, sites.ErrNotFound) {
		return sites.Account{}, false, err
	}
	if err != nil || !p.sessions.Matches(ctx, fingerprint(account)) {
		return sites.Account{}, false, p.sessions.Logout(ctx)
	}
	return account, true, nil
}

func fingerprint(a sites.Account) string {
	return auth.Fingerprint(string(a.Role), a.PasswordHash, strconv.FormatInt(a.TwoStepSince.UnixMilli(), 10))
}

func actorOf(a sites.Account, r *http.Request) sites.Actor {
	return sites.Actor{ID: a.ID, Name: a.Name, Role: a.Role, Origin: clientAddr(r).String()}
}

// clientAddr is the address at the other end of the connection. Headers that claim another are not believed: the
// panel runs in the process that accepts the connection.
func clientAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv4Unspecified()
	}
	return ap.Addr().Unmap()
}

// page lets logged-in accounts in and sends others to the login page, to come back afterwards.
func (p *Panel) page(h pageHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		if who, ok := visitorOf(c); ok {
			return h(c, who)
		}
		return c.Redirect(http.StatusSeeOther, loginPath(c.Request()))
	}
}

// queryEnded has the login page say that an action was not carried out. It stands in the address and not in a notice,
// so that strangers make no sessions.
const queryEnded = "ended"

// loginPath is the login page that leads back to what was asked for, or from an action back to the page it was on.
func loginPath(r *http.Request) string {
	query, next := url.Values{}, ""
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		next = r.URL.RequestURI()
	} else {
		query.Set(queryEnded, "1")
		next = referringPage(r)
	}
	if next != "" && next != templates.PathSites {
		query.Set("next", next)
	}
	if len(query) == 0 {
		return templates.PathLogin
	}
	return templates.PathLogin + "?" + query.Encode()
}

// referringPage is the page of this panel that the request came from; empty if it came from none.
func referringPage(r *http.Request) string {
	from, err := url.Parse(r.Referer())
	if err != nil || from.Scheme != "https" || from.Host != r.Host {
		return ""
	}
	return localPath(from.RequestURI(), "")
}

// adminPage is page for admins; to others it is as if it did not exist.
func (p *Panel) adminPage(h pageHandler) echo.HandlerFunc {
	return p.page(func(c echo.Context, who visitor) error {
		if !who.actor.Admin() {
			return echo.ErrNotFound
		}
		return h(c, who)
	})
}

// errNotLoggedIn is a 403, which unlike a 401 promises no way to log in by HTTP itself. The script reloads the page.
var errNotLoggedIn = &outcome{status: http.StatusForbidden, sentence: "Log in first."}

// part lets logged-in accounts in and refuses others: it serves the scripts of the panel's own pages, which have no
// use for a login page.
func (p *Panel) part(h pageHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(keyPart, true)
		if foreign(c.Request()) {
			return errForeign
		}
		if who, ok := visitorOf(c); ok {
			return h(c, who)
		}
		return errNotLoggedIn
	}
}

// adminPart is part for admins.
func (p *Panel) adminPart(h pageHandler) echo.HandlerFunc {
	return p.part(func(c echo.Context, who visitor) error {
		if !who.actor.Admin() {
			return echo.ErrNotFound
		}
		return h(c, who)
	})
}

// toParent leads from an address that takes a form to the page that has the form. A browser shows that address after a
// faulty input, and asks for it when the page is opened again.
func toParent(c echo.Context, _ visitor) error {
	return c.Redirect(http.StatusSeeOther, path.Dir(c.Request().URL.EscapedPath()))
}

// toSite is toParent for sites: one of another owner is not found.
func (p *Panel) toSite(c echo.Context, who visitor) error {
	if _, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c)); err != nil {
		return err
	}
	return toParent(c, who)
}

// localPath returns next if it is a path of this panel, and fallback for everything else, such as another host.
func localPath(next, fallback string) string {
	if !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.ContainsFunc(next, unfitForPath) {
		return fallback
	}
	u, err := url.Parse(next)
	if err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, templates.PathLogin) || u.Path == templates.PathLogout {
		return fallback
	}
	return u.RequestURI()
}

// unfitForPath names what browsers drop from or rewrite in an address, so that it could end up as another one.
func unfitForPath(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }

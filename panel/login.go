package panel

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"berth/panel/auth"
	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) loginPage(c echo.Context) error {
	next := localPath(c.QueryParam("next"), "")
	if _, ok := visitorOf(c); ok {
		return c.Redirect(http.StatusSeeOther, localPath(next, templates.PathSites))
	}
	return p.renderLogin(c, http.StatusOK, templates.LoginView{Next: next})
}

// ended is told to whoever sent a form after the session had ended.
const ended = "You were logged out, so nothing was changed."

func (p *Panel) renderLogin(c echo.Context, status int, v templates.LoginView) error {
	v.Shell = p.shell(c, "Log in", templates.SectionNone)
	if c.Request().Method != http.MethodPost && c.QueryParam(queryEnded) != "" {
		v.Notices = append(v.Notices, templates.Notice{Kind: templates.NoticeError, Text: ended})
	}
	return p.render(c, status, templates.Login(v))
}

// login answers alike, and takes as long, whether the account or the password is wrong.
func (p *Panel) login(c echo.Context) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	view := templates.LoginView{AccountName: strings.TrimSpace(field("account")), Next: localPath(field("next"), "")}
	account, err := p.service.Account(c.Request().Context(), view.AccountName)
	if err != nil && !errors.Is(err, sites.ErrNotFound) {
		return err
	}
	from := clientOf(c.Request(), account)
	if view.Fault = p.tooMany(c, view.AccountName, from); view.Fault != "" {
		return p.renderLogin(c, http.StatusTooManyRequests, view)
	}
	account, ok, err := p.checkLogin(c, account, field("password"))
	if err != nil {
		return err
	}
	if !ok {
		view.Fault = "The account or the password is wrong."
		return p.renderLogin(c, http.StatusForbidden, view)
	}
	if !account.TwoStepSince.IsZero() {
		return p.challenge(c, account, view.Next)
	}
	if err := p.service.Record(c.Request().Context(), actorOf(account, c.Request()), "account.login", account.Name, ""); err != nil {
		return err
	}
	return p.loggedIn(c, account, from, view.Next)
}

// loggedIn begins the session of an account whose login is recorded.
func (p *Panel) loggedIn(c echo.Context, account sites.Account, from auth.Client, next string) error {
	p.throttle.Succeeded(account.Name, from)
	if err := p.sessions.Login(c.Request().Context(), int64(account.ID), fingerprint(account)); err != nil {
		return err
	}
	http.SetCookie(c.Response(), newDevice(account))
	p.notify(c, templates.NoticeSuccess, "You are logged in as "+account.Name+".")
	return c.Redirect(http.StatusSeeOther, localPath(next, templates.PathSites))
}

// tooMany counts an attempt to log in, or says how long to wait before the next.
func (p *Panel) tooMany(c echo.Context, account string, from auth.Client) (fault string) {
	wait := p.throttle.Attempt(account, from)
	if wait == 0 {
		return ""
	}
	c.Response().Header().Set("Retry-After", strconv.Itoa(seconds(wait)))
	return "Too many attempts. Try again in " + waitWords(seconds(wait)) + "."
}

// clientOf is who tries to log in to the account.
func clientOf(r *http.Request, account sites.Account) auth.Client {
	client := auth.Client{Addr: clientAddr(r)}
	if account.ID != 0 {
		client.Device = auth.Device(r, int64(account.ID), fingerprint(account))
	}
	return client
}

// newDevice is the cookie for a browser that has just shown all that the account asks for.
func newDevice(account sites.Account) *http.Cookie {
	return auth.NewDevice(int64(account.ID), fingerprint(account))
}

// checkLogin checks the password; that of no account is never right. A wrong one is told in the audit log.
func (p *Panel) checkLogin(c echo.Context, account sites.Account, password string) (sites.Account, bool, error) {
	ctx := c.Request().Context()
	ok, rehash, err := p.hasher.Verify(ctx, clientAddr(c.Request()), account.PasswordHash, password)
	if err != nil {
		return sites.Account{}, false, err
	}
	if !ok {
		return sites.Account{}, false, p.recordFailedLogin(c, account)
	}
	if rehash {
		account, err = p.replaceHash(c, account, password)
	}
	return account, true, err
}

// recordFailedLogin does not repeat what was typed as the name of an unknown account: it may be a password.
func (p *Panel) recordFailedLogin(c echo.Context, account sites.Account) error {
	subject := account.Name
	if subject == "" {
		subject = "unknown account"
	}
	line, write := p.refusals.note(refusal{account: subject, origin: clientAddr(c.Request()).String()})
	if !write {
		return nil
	}
	nobody := sites.Actor{Name: "unknown", Origin: line.origin}
	return p.service.Record(c.Request().Context(), nobody, "account.login-refused", line.account, line.detail)
}

// replaceHash brings the kept hash up to today's costs.
func (p *Panel) replaceHash(c echo.Context, account sites.Account, password string) (sites.Account, error) {
	ctx := c.Request().Context()
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return account, err
	}
	if err := p.service.ReplacePassword(ctx, sites.System, account.Name, account.PasswordHash, hash); err != nil {
		return account, err
	}
	account.PasswordHash = hash
	return account, nil
}

// seconds rounds up.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// waitWords is a number of seconds for people.
func waitWords(seconds int) string {
	switch {
	case seconds == 1:
		return "a second"
	case seconds < 60:
		return fmt.Sprintf("%d seconds", seconds)
	case seconds <= 90:
		return "a minute"
	}
	return fmt.Sprintf("%d minutes", (seconds+59)/60)
}

func (p *Panel) logout(c echo.Context) error {
	ctx := c.Request().Context()
	who, ok := visitorOf(c)
	if !ok {
		return c.Redirect(http.StatusSeeOther, templates.PathLogin)
	}
	p.streams.endSession(p.sessions.ID(ctx))
	if err := p.sessions.Logout(ctx); err != nil {
		return err
	}
	// Afterwards: nobody stays logged in because the audit log cannot be written.
	if err := p.service.Record(ctx, who.actor, "account.logout", who.account.Name, ""); err != nil {
		return err
	}
	p.notify(c, templates.NoticeInfo, "You are logged out.")
	return c.Redirect(http.StatusSeeOther, templates.PathLogin)
}

package panel

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"berth/panel/auth"
	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// queryShown names the secret to show once on the page that an action leads to.
const queryShown = "shown"

func (p *Panel) accountPage(c echo.Context, who visitor) error {
	return p.renderAccount(c, who, http.StatusOK, templates.AccountView{NewToken: p.takeSecret(c, who).Value})
}

func (p *Panel) renderAccount(c echo.Context, who visitor, status int, v templates.AccountView) (err error) {
	ctx := c.Request().Context()
	if v.Quota, err = p.quotaOf(ctx, who.account); err != nil {
		return err
	}
	tokens, err := p.service.Tokens(ctx, who.actor)
	if err != nil {
		return err
	}
	v.Tokens = tokenRows(tokens)
	v.Role = string(who.account.Role)
	v.TwoStepSince = who.account.TwoStepSince
	v.Shell = p.shell(c, "Account", templates.SectionAccount)
	return p.render(c, status, templates.Account(v))
}

// changePassword asks for the current password again, under the throttle: a session left open is not enough to
// take an account over.
func (p *Panel) changePassword(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	wrong, err := p.checkNewPassword(c, who, field)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return p.renderAccount(c, who, http.StatusUnprocessableEntity, templates.AccountView{Faults: wrong, EndTokens: field("end_tokens") != ""})
	}
	hash, err := p.hasher.Hash(ctx, field("password"))
	if err != nil {
		return err
	}
	if err := p.service.ReplacePassword(ctx, who.actor, who.account.Name, who.account.PasswordHash, hash); err != nil {
		return err
	}
	p.streams.endAccount(who.account.ID)
	who.account.PasswordHash = hash
	if err := p.sessions.Login(ctx, int64(who.account.ID), fingerprint(who.account)); err != nil {
		return err
	}
	http.SetCookie(c.Response(), newDevice(who.account))
	text := "Your password is changed. Wherever else you were logged in, you are logged out."
	if field("end_tokens") != "" {
		if err := p.endTokens(ctx, who.actor, who.account); err != nil {
			return err
		}
		text += " All your API tokens are revoked."
	}
	return p.done(c, templates.PathAccount, text)
}

func (p *Panel) checkNewPassword(c echo.Context, who visitor, field func(string) string) (templates.Faults, error) {
	if err := auth.CheckPassword(who.account.Name, field("password")); err != nil {
		return templates.Faults{"password": err.Error()}, nil
	}
	if field("repeat") != field("password") {
		return templates.Faults{"repeat": "The two new passwords differ."}, nil
	}
	return p.checkCurrent(c, who, field("current"))
}

// checkCurrent asks for the password again before what would let somebody at an open session take the account over.
func (p *Panel) checkCurrent(c echo.Context, who visitor, password string) (templates.Faults, error) {
	from := clientOf(c.Request(), who.account)
	if fault := p.tooMany(c, who.account.Name, from); fault != "" {
		return templates.Faults{"current": fault}, nil
	}
	ok, _, err := p.hasher.Verify(c.Request().Context(), from.Addr, who.account.PasswordHash, password)
	if err != nil {
		return nil, err
	}
	if !ok {
		return templates.Faults{"current": "This is not your current password."}, nil
	}
	p.throttle.Succeeded(who.account.Name, from)
	return nil, nil
}

func (p *Panel) createToken(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	token, value, err := p.newToken(c.Request().Context(), who, field("label"))
	if err != nil {
		wrong, err := faults(err, "label")
		if err != nil {
			return err
		}
		return p.renderAccount(c, who, http.StatusUnprocessableEntity, templates.AccountView{TokenLabel: field("label"), Faults: wrong})
	}
	key := p.secrets.keep(who.account.ID, token.Label, value)
	return p.done(c, templates.PathAccount+"?"+queryShown+"="+url.QueryEscape(key), "The token "+token.Label+" is made.")
}

// maxTokens bounds the tokens of an account.
const maxTokens = 50

// newToken makes one token at a time, so that none slips by the bound.
func (p *Panel) newToken(ctx context.Context, who visitor, label string) (token sites.Token, value string, err error) {
	p.making.Lock()
	defer p.making.Unlock()
	existing, err := p.service.Tokens(ctx, who.actor)
	if err != nil {
		return token, "", err
	}
	if len(existing) >= maxTokens {
		return token, "", sites.RefuseField(sites.ErrQuota, "label", "An account can have %d tokens. Revoke one that is no longer used.", maxTokens)
	}
	value, hash := auth.NewToken()
	token, err = p.service.CreateToken(ctx, who.actor, who.account.ID, label, hash)
	return token, value, err
}

func (p *Panel) revokeToken(c echo.Context, who visitor) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return echo.ErrNotFound
	}
	err = p.service.DeleteToken(c.Request().Context(), who.actor, id)
	if errors.Is(err, sites.ErrNotFound) {
		p.notify(c, templates.NoticeError, "The token was revoked already.")
		return c.Redirect(http.StatusSeeOther, templates.PathAccount)
	}
	if err != nil {
		return err
	}
	return p.done(c, templates.PathAccount, "The token is revoked. Programs that use it are locked out.")
}

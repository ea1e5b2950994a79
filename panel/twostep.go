package panel

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"berth/panel/auth"
	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// challenge leads from the right password to the question for a code.
func (p *Panel) challenge(c echo.Context, account sites.Account, next string) error {
	if err := p.sessions.Challenge(c.Request().Context(), int64(account.ID), fingerprint(account)); err != nil {
		return err
	}
	to := templates.PathLoginCode
	if next != "" {
		to += "?next=" + url.QueryEscape(next)
	}
	return c.Redirect(http.StatusSeeOther, to)
}

// challenged is the account whose password was right in this browser a moment ago.
func (p *Panel) challenged(c echo.Context) (sites.Account, bool, error) {
	ctx := c.Request().Context()
	id, ok := p.sessions.Challenged(ctx)
	if !ok {
		return sites.Account{}, false, nil
	}
	account, err := p.service.AccountByID(ctx, sites.AccountID(id))
	if errors.Is(err, sites.ErrNotFound) {
		return sites.Account{}, false, nil
	}
	return account, err == nil && p.sessions.Matches(ctx, fingerprint(account)), err
}

func (p *Panel) loginCodePage(c echo.Context) error {
	_, ok, err := p.challenged(c)
	if err != nil {
		return err
	}
	if !ok {
		return c.Redirect(http.StatusSeeOther, templates.PathLogin)
	}
	return p.renderLoginCode(c, http.StatusOK, templates.LoginCodeView{Next: localPath(c.QueryParam("next"), "")})
}

func (p *Panel) renderLoginCode(c echo.Context, status int, v templates.LoginCodeView) error {
	v.Shell = p.shell(c, "Log in", templates.SectionNone)
	return p.render(c, status, templates.LoginCode(v))
}

func (p *Panel) loginCode(c echo.Context) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	account, ok, err := p.challenged(c)
	if err != nil {
		return err
	}
	if !ok {
		return p.renderLogin(c, http.StatusForbidden, templates.LoginView{Next: localPath(field("next"), ""), Fault: "That took too long. Log in again."})
	}
	view := templates.LoginCodeView{Next: localPath(field("next"), "")}
	from := clientOf(c.Request(), account)
	if view.Fault = p.tooMany(c, account.Name, from); view.Fault != "" {
		return p.renderLoginCode(c, http.StatusTooManyRequests, view)
	}
	err = p.service.LogInWithCode(c.Request().Context(), actorOf(account, c.Request()), spendCode(field("code")))
	if errors.Is(err, sites.ErrWrongCode) {
		view.Fault = "This code is wrong, or was used before. Wait for the app's next one."
		if err := p.recordFailedLogin(c, account); err != nil {
			return err
		}
		return p.renderLoginCode(c, http.StatusForbidden, view)
	}
	if err != nil {
		return err
	}
	return p.loggedIn(c, account, from, view.Next)
}

// spendCode uses up what was typed: the app's code, or a recovery code.
func spendCode(typed string) func(sites.TwoStep) (sites.TwoStep, bool) {
	return func(t sites.TwoStep) (sites.TwoStep, bool) {
		step, ok := auth.CheckTOTP(t.Secret, typed, t.Used, time.Now())
		if ok {
			t.Used = step
			return t, true
		}
		t.Recovery, ok = auth.SpendRecoveryCode(t.Recovery, typed)
		return t, ok
	}
}

func (p *Panel) twoStepPage(c echo.Context, who visitor) error {
	return p.renderTwoStep(c, who, http.StatusOK, templates.TwoStepView{Codes: p.takeSecret(c, who).Value})
}

func (p *Panel) renderTwoStep(c echo.Context, who visitor, status int, v templates.TwoStepView) error {
	ctx := c.Request().Context()
	t, err := p.service.TwoStep(ctx, who.actor)
	switch {
	case errors.Is(err, sites.ErrNotFound):
		secret := p.sessions.Authenticator(ctx)
		v.Key = auth.TOTPText(secret)
		uri := auth.TOTPURI(secret, p.cfg.PanelHost, who.account.Name)
		v.URI = strings.TrimPrefix(uri, "otpauth:")
		if v.QR, err = drawQR(uri); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		v.Since, v.Left = t.Since, len(t.Recovery)
	}
	v.Shell = p.shell(c, "Two-step login", templates.SectionAccount)
	return p.render(c, status, templates.TwoStep(v))
}

func (p *Panel) turnOnTwoStep(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	secret := p.sessions.Authenticator(ctx)
	step, ok := auth.CheckTOTP(secret, field("code"), 0, time.Now())
	wrong := templates.Faults{"code": "This is not the code that the app shows now. Is the clock of the phone right?"}
	if ok {
		if wrong, err = p.checkCurrent(c, who, field("current")); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return p.renderTwoStep(c, who, http.StatusUnprocessableEntity, templates.TwoStepView{Faults: wrong})
	}
	codes, hashes := auth.NewRecoveryCodes()
	since, err := p.service.TurnOnTwoStep(ctx, who.actor, who.account.PasswordHash, sites.TwoStep{Secret: secret, Used: step, Recovery: hashes})
	if err != nil {
		return err
	}
	if err := p.renewSession(c, who, since); err != nil {
		return err
	}
	return p.showCodes(c, who, codes, "Two-step login is on. Wherever else you were logged in, you are logged out.")
}

// renewSession keeps this browser logged in after two-step login was turned on or off, which ends the account's sessions. The other
// credentials are those that it has shown: what has changed beside ends this session, too.
func (p *Panel) renewSession(c echo.Context, who visitor, twoStepSince time.Time) error {
	p.streams.endAccount(who.account.ID)
	who.account.TwoStepSince = twoStepSince
	http.SetCookie(c.Response(), newDevice(who.account))
	return p.sessions.Login(c.Request().Context(), int64(who.account.ID), fingerprint(who.account))
}

func (p *Panel) showCodes(c echo.Context, who visitor, codes []string, notice string) error {
	key := p.secrets.keep(who.account.ID, "recovery codes", strings.Join(codes, "\n"))
	return p.done(c, templates.PathTwoStep+"?"+queryShown+"="+url.QueryEscape(key), notice)
}

// confirmed lets forms of the page act that ask for the password alone; off tells the one that turns two-step login off from the other.
func (p *Panel) confirmed(off bool, act pageHandler) pageHandler {
	return func(c echo.Context, who visitor) error {
		field, err := form(c)
		if err != nil {
			return err
		}
		wrong, err := p.checkCurrent(c, who, field("current"))
		if err != nil {
			return err
		}
		if len(wrong) > 0 {
			return p.renderTwoStep(c, who, http.StatusUnprocessableEntity, templates.TwoStepView{Faults: wrong, FaultyOff: off})
		}
		return act(c, who)
	}
}

func (p *Panel) replaceRecoveryCodes(c echo.Context, who visitor) error {
	codes, hashes := auth.NewRecoveryCodes()
	if err := p.service.ReplaceRecoveryCodes(c.Request().Context(), who.actor, who.account.PasswordHash, hashes); err != nil {
		return err
	}
	return p.showCodes(c, who, codes, "Your recovery codes are new; those before open nothing any more.")
}

func (p *Panel) turnOffTwoStep(c echo.Context, who visitor) error {
	if err := p.service.GiveUpTwoStep(c.Request().Context(), who.actor, who.account.PasswordHash); err != nil {
		return err
	}
	if err := p.renewSession(c, who, time.Time{}); err != nil {
		return err
	}
	return p.done(c, templates.PathAccount, "Two-step login is off: your password is enough.")
}

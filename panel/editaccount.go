package panel

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) editAccountPage(c echo.Context, who visitor) error {
	account, err := p.service.Account(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return p.renderEditAccount(c, who, http.StatusOK, account, formOf(account))
}

// formOf fills the form with what the account has.
func formOf(a sites.Account) templates.AccountForm {
	return templates.AccountForm{
		Name: a.Name, Role: string(a.Role),
		Sites: strconv.Itoa(a.Quota.Sites), StorageMB: strconv.FormatInt(a.Quota.Bytes>>20, 10),
	}
}

func (p *Panel) renderEditAccount(c echo.Context, who visitor, status int, a sites.Account, form templates.AccountForm) error {
	ctx := c.Request().Context()
	list, err := p.service.Sites(ctx, who.actor, a.ID)
	if err != nil {
		return err
	}
	quota, err := p.quotaOf(ctx, a)
	if err != nil {
		return err
	}
	tokens, err := p.service.TokensOf(ctx, who.actor, a.Name)
	if err != nil {
		return err
	}
	return p.render(c, status, templates.EditAccount(templates.EditAccountView{
		Secret:       p.takeSecret(c, who),
		Tokens:       tokenRows(tokens),
		Shell:        p.shell(c, a.Name, templates.SectionAccounts),
		Name:         a.Name,
		Self:         a.ID == who.account.ID,
		Quota:        quota,
		CreatedAt:    a.CreatedAt,
		TwoStepSince: a.TwoStepSince,
		Form:         form,
		Sites:        p.siteRows(list[:min(len(list), sitesPerPage)]),
	}))
}

// accountAction reads the form and the account that a change of an account is about.
func (p *Panel) accountAction(c echo.Context) (field func(string) string, account sites.Account, err error) {
	if field, err = form(c); err != nil {
		return nil, account, err
	}
	account, err = p.service.Account(c.Request().Context(), c.Param("name"))
	return field, account, err
}

// wrongAccount shows the form again with what is wrong.
func (p *Panel) wrongAccount(c echo.Context, who visitor, a sites.Account, typed templates.AccountForm, err error, fields ...string) error {
	if typed.Faults, err = faults(err, fields...); err != nil {
		return err
	}
	return p.renderEditAccount(c, who, http.StatusUnprocessableEntity, a, typed)
}

func (p *Panel) editAccount(c echo.Context, who visitor) error {
	field, account, err := p.accountAction(c)
	if err != nil {
		return err
	}
	typed := accountForm(field)
	quota, err := readQuota(field)
	if err == nil {
		role := sites.Role(typed.Role)
		err = p.updateAccount(c.Request().Context(), who.actor, account, sites.AccountUpdate{Role: &role, Quota: sites.QuotaUpdate{Sites: &quota.Sites, Bytes: &quota.Bytes}})
	}
	if err != nil {
		return p.wrongAccount(c, who, account, typed, err, "role", "sites", "storage_mb")
	}
	if account.ID == who.account.ID && typed.Role != string(account.Role) {
		return p.steppedDown(c, who.account, sites.Role(typed.Role))
	}
	return p.done(c, templates.EditAccountPath(account.Name), "The account "+account.Name+" is changed.")
}

// steppedDown keeps an admin who gave the role up logged in, with what is left to them.
func (p *Panel) steppedDown(c echo.Context, account sites.Account, role sites.Role) error {
	account.Role = role
	if err := p.sessions.Login(c.Request().Context(), int64(account.ID), fingerprint(account)); err != nil {
		return err
	}
	return p.done(c, templates.PathSites, "You are no admin any more.")
}

// updateAccount also ends the event streams of an account whose role changes; its sessions end by themselves.
func (p *Panel) updateAccount(ctx context.Context, actor sites.Actor, before sites.Account, u sites.AccountUpdate) error {
	after, err := p.service.UpdateAccount(ctx, actor, before.Name, u)
	if err == nil && after.Role != before.Role {
		p.streams.endAccount(before.ID)
	}
	return err
}

func (p *Panel) resetPassword(c echo.Context, who visitor) error {
	field, account, err := p.accountAction(c)
	if err != nil {
		return err
	}
	password, made, err := p.newPassword(account.Name, field("password"))
	if account.ID == who.account.ID {
		err = sites.RefuseField(sites.ErrConflict, "password", "This is your own account. Change its password on the page Account.")
	}
	if err == nil {
		err = p.takeOver(c.Request().Context(), who.actor, account, password)
	}
	if err != nil {
		return p.wrongAccount(c, who, account, formOf(account), err, "password")
	}
	to := templates.EditAccountPath(account.Name)
	if made {
		to += "?" + queryShown + "=" + url.QueryEscape(p.secrets.keep(who.account.ID, account.Name, password))
	}
	return p.done(c, to, "The password of "+account.Name+" is set. Wherever "+account.Name+
		" was logged in, that is over, and all API tokens of "+account.Name+" are revoked.")
}

// takeOver shuts out whoever has got into an account: a new password ends the sessions, and the tokens go, too. In
// this order, because a session could make another token.
func (p *Panel) takeOver(ctx context.Context, actor sites.Actor, account sites.Account, password string) error {
	if err := p.setPassword(ctx, actor, account, password); err != nil {
		return err
	}
	return p.endTokens(ctx, actor, account)
}

// setPassword ends the account's streams; its sessions end by themselves.
func (p *Panel) setPassword(ctx context.Context, actor sites.Actor, account sites.Account, password string) error {
	hash, err := p.hasher.Hash(ctx, password)
	if err != nil {
		return err
	}
	if err := p.service.SetPassword(ctx, actor, account.Name, hash); err != nil {
		return err
	}
	p.streams.endAccount(account.ID)
	return nil
}

// endTokens also ends what programs stream with the tokens; a browser opens its streams again by itself.
func (p *Panel) endTokens(ctx context.Context, actor sites.Actor, account sites.Account) error {
	if err := p.service.EndTokens(ctx, actor, account.Name); err != nil {
		return err
	}
	p.streams.endAccount(account.ID)
	return nil
}

func (p *Panel) endTwoStep(c echo.Context, who visitor) error {
	account, err := p.service.Account(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	if err := p.dropTwoStep(c.Request().Context(), who.actor, account); err != nil {
		return err
	}
	return p.done(c, templates.EditAccountPath(account.Name), "The two-step login of "+account.Name+" is off: the password is enough.")
}

// dropTwoStep also ends the account's streams; its sessions end by themselves.
func (p *Panel) dropTwoStep(ctx context.Context, actor sites.Actor, account sites.Account) error {
	err := p.service.TurnOffTwoStep(ctx, actor, account.Name)
	if err == nil {
		p.streams.endAccount(account.ID)
	}
	return err
}

func (p *Panel) revokeTokens(c echo.Context, who visitor) error {
	account, err := p.service.Account(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	if err := p.endTokens(c.Request().Context(), who.actor, account); err != nil {
		return err
	}
	return p.done(c, templates.EditAccountPath(account.Name), "All API tokens of "+account.Name+" are revoked. Programs that use them are locked out.")
}

func (p *Panel) deleteAccount(c echo.Context, who visitor) error {
	field, account, err := p.accountAction(c)
	if err != nil {
		return err
	}
	if !typed(field("confirm"), account.Name) {
		err = sites.RefuseField(sites.ErrInvalid, "confirm", "Type %s to confirm. Nothing was deleted.", account.Name)
	} else if account.ID == who.account.ID {
		err = sites.RefuseField(sites.ErrConflict, "confirm", "This is your own account. Another admin can delete it.")
	} else {
		err = p.service.DeleteAccount(c.Request().Context(), who.actor, account.Name)
	}
	if err != nil {
		return p.wrongAccount(c, who, account, formOf(account), err, "confirm")
	}
	p.streams.endAccount(account.ID)
	return p.done(c, templates.PathAccounts, "The account "+account.Name+" is deleted.")
}

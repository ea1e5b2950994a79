package panel

import (
	"context"
	"net/http"
	"net/url"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

func (p *Panel) apiAccounts(c echo.Context, actor sites.Actor, _ sites.Account) error {
	list, err := p.service.Accounts(c.Request().Context(), actor)
	if err != nil {
		return err
	}
	out := make([]accountJSON, len(list))
	for i, a := range list {
		out[i] = accountOut(a.Account, a.Usage)
	}
	return c.JSON(http.StatusOK, out)
}

func (p *Panel) apiAccount(c echo.Context, _ sites.Actor, _ sites.Account) error {
	account, err := p.service.Account(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	return p.answerAccount(c, http.StatusOK, account, "")
}

func (p *Panel) answerAccount(c echo.Context, status int, a sites.Account, password string) error {
	usage, err := p.service.Usage(c.Request().Context(), a.ID)
	if err != nil {
		return err
	}
	out := accountOut(a, usage)
	out.Password = password
	return c.JSON(status, out)
}

// quotaChange is a quota of which parts may be left out.
type quotaChange struct {
	Sites *int   `json:"sites"`
	Bytes *int64 `json:"bytes"`
}

func (q *quotaChange) update() sites.QuotaUpdate {
	if q == nil {
		return sites.QuotaUpdate{}
	}
	return sites.QuotaUpdate(*q)
}

// apiCreateAccount makes up a password where none is sent, and answers with it this once.
func (p *Panel) apiCreateAccount(c echo.Context, actor sites.Actor, _ sites.Account) error {
	in := struct {
		Name     string       `json:"name"`
		Role     string       `json:"role"`
		Password string       `json:"password"`
		Quota    *quotaChange `json:"quota"`
	}{Role: string(sites.RoleOwner)}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	password, made, err := p.newPassword(in.Name, in.Password)
	if err != nil {
		return err
	}
	account, err := p.addAccount(c, actor, sites.NewAccount{
		Name: in.Name, Role: sites.Role(in.Role), Quota: in.Quota.update().Applied(sites.DefaultQuota),
	}, password)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", pathAPI+"/accounts/"+url.PathEscape(account.Name))
	if !made {
		password = ""
	}
	return p.answerAccount(c, http.StatusCreated, account, password)
}

// apiUpdateAccount changes role, quota or password, or turns two-step login off; what is left out stays as it is.
func (p *Panel) apiUpdateAccount(c echo.Context, actor sites.Actor, _ sites.Account) error {
	ctx := c.Request().Context()
	account, err := p.service.Account(ctx, c.Param("name"))
	if err != nil {
		return err
	}
	var in struct {
		Role     *sites.Role  `json:"role"`
		Password *string      `json:"password"`
		Quota    *quotaChange `json:"quota"`
		TwoStep  *bool        `json:"two_step"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.TwoStep != nil && *in.TwoStep && account.TwoStepSince.IsZero() {
		return sites.RefuseField(sites.ErrInvalid, "two_step", "Two-step login is turned on by the person, on the page Account. Here it can be turned off.")
	}
	if in.Password != nil {
		if _, _, err := p.newPassword(account.Name, *in.Password); err != nil || *in.Password == "" {
			return orElse(err, sites.RefuseField(sites.ErrInvalid, "password", "The password cannot be empty."))
		}
	}
	if in.Role != nil || in.Quota != nil {
		if err := p.updateAccount(ctx, actor, account, sites.AccountUpdate{Role: in.Role, Quota: in.Quota.update()}); err != nil {
			return err
		}
	}
	if in.Password != nil {
		if err := p.apiSetPassword(ctx, actor, account, *in.Password); err != nil {
			return err
		}
	}
	if in.TwoStep != nil && !*in.TwoStep && !account.TwoStepSince.IsZero() {
		if err := p.dropTwoStep(ctx, actor, account); err != nil {
			return err
		}
	}
	if account, err = p.service.AccountByID(ctx, account.ID); err != nil {
		return err
	}
	return p.answerAccount(c, http.StatusOK, account, "")
}

// apiSetPassword ends the tokens of another's account, as the page does; those of the own one are likely at work here.
func (p *Panel) apiSetPassword(ctx context.Context, actor sites.Actor, account sites.Account, password string) error {
	if account.ID != actor.ID {
		return p.takeOver(ctx, actor, account, password)
	}
	return p.setPassword(ctx, actor, account, password)
}

func orElse(err, fallback error) error {
	if err != nil {
		return err
	}
	return fallback
}

func (p *Panel) apiDeleteAccount(c echo.Context, actor sites.Actor, own sites.Account) error {
	account, err := p.service.Account(c.Request().Context(), c.Param("name"))
	if err != nil {
		return err
	}
	if account.ID == own.ID {
		return sites.Refuse(sites.ErrConflict, "This is your own account. Another admin can delete it.")
	}
	if err := p.service.DeleteAccount(c.Request().Context(), actor, account.Name); err != nil {
		return err
	}
	p.streams.endAccount(account.ID)
	return c.NoContent(http.StatusNoContent)
}

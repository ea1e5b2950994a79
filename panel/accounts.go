package panel

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"berth/panel/auth"
	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) accountsPage(c echo.Context, who visitor) error {
	form := templates.AccountForm{
		Sites:     strconv.Itoa(sites.DefaultQuota.Sites),
		StorageMB: strconv.FormatInt(sites.DefaultQuota.Bytes>>20, 10),
	}
	return p.renderAccounts(c, who, http.StatusOK, form)
}

func (p *Panel) renderAccounts(c echo.Context, who visitor, status int, form templates.AccountForm) error {
	accounts, err := p.service.Accounts(c.Request().Context(), who.actor)
	if err != nil {
		return err
	}
	view := templates.AccountsView{Form: form, Secret: p.takeSecret(c, who)}
	for _, a := range accounts {
		view.Accounts = append(view.Accounts, templates.AccountRow{
			Name: a.Name, Role: string(a.Role), Quota: quotaUse(a.Account, a.Usage), CreatedAt: a.CreatedAt,
		})
	}
	view.Shell = p.shell(c, "Accounts", templates.SectionAccounts)
	return p.render(c, status, templates.Accounts(view))
}

func (p *Panel) takeSecret(c echo.Context, who visitor) templates.Secret {
	if !willBeSeen(c) {
		return templates.Secret{}
	}
	kept, _ := p.secrets.take(who.account.ID, c.QueryParam(queryShown))
	return templates.Secret{Account: kept.about, Value: kept.value}
}

func (p *Panel) createAccount(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	typed := accountForm(field)
	typed.Name = strings.TrimSpace(field("name"))
	password, made, err := p.newPassword(typed.Name, field("password"))
	quota, quotaErr := readQuota(field)
	if err == nil {
		err = quotaErr
	}
	var account sites.Account
	if err == nil {
		account, err = p.addAccount(c, who.actor, sites.NewAccount{Name: typed.Name, Role: sites.Role(typed.Role), Quota: quota}, password)
	}
	if err != nil {
		if typed.Faults, err = faults(err, "name", "role", "password", "sites", "storage_mb"); err != nil {
			return err
		}
		return p.renderAccounts(c, who, http.StatusUnprocessableEntity, typed)
	}
	to := templates.PathAccounts
	if made {
		to += "?" + queryShown + "=" + url.QueryEscape(p.secrets.keep(who.account.ID, account.Name, password))
	}
	return p.done(c, to, "The account "+account.Name+" is created.")
}

// newPassword checks the password that was typed, or makes one up where none was.
func (p *Panel) newPassword(account, typed string) (password string, made bool, err error) {
	if typed == "" {
		return auth.NewPassword(), true, nil
	}
	if err := auth.CheckPassword(account, typed); err != nil {
		return "", false, sites.RefuseField(sites.ErrInvalid, "password", "%s", err)
	}
	return typed, false, nil
}

func (p *Panel) addAccount(c echo.Context, actor sites.Actor, in sites.NewAccount, password string) (account sites.Account, err error) {
	ctx := c.Request().Context()
	if in.PasswordHash, err = p.hasher.Hash(ctx, password); err != nil {
		return account, err
	}
	return p.service.CreateAccount(ctx, actor, in)
}

// accountForm is what was typed, to be shown again.
func accountForm(field func(string) string) templates.AccountForm {
	return templates.AccountForm{Role: field("role"), Sites: field("sites"), StorageMB: field("storage_mb")}
}

const maxQuotaMB = 1 << 40 // an exbibyte; more would not fit in bytes

func readQuota(field func(string) string) (sites.Quota, error) {
	n, err := wholeNumber(field("sites"), 1_000_000)
	if err != nil {
		return sites.Quota{}, sites.RefuseField(sites.ErrInvalid, "sites", "Give a whole number of sites; 0 means no limit.")
	}
	mb, err := wholeNumber(field("storage_mb"), maxQuotaMB)
	if err != nil {
		return sites.Quota{}, sites.RefuseField(sites.ErrInvalid, "storage_mb", "Give a whole number of MB; 0 means no limit.")
	}
	return sites.Quota{Sites: int(n), Bytes: mb << 20}, nil
}

func wholeNumber(text string, most int64) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err == nil && (n < 0 || n > most) {
		err = strconv.ErrRange
	}
	return n, err
}

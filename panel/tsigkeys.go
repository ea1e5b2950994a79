package panel

import (
	"encoding/base64"
	"net/http"
	"net/url"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) tsigKeysPage(c echo.Context, who visitor) error {
	return p.renderTSIGKeys(c, who, http.StatusOK, templates.TSIGKeysView{})
}

func (p *Panel) renderTSIGKeys(c echo.Context, who visitor, status int, v templates.TSIGKeysView) error {
	keys, err := p.service.TSIGKeys(c.Request().Context(), who.actor)
	if err != nil {
		return err
	}
	for _, k := range keys {
		v.Keys = append(v.Keys, templates.TSIGKeyRow{Name: k.Name, Algorithm: k.Algorithm, CreatedAt: k.CreatedAt})
	}
	v.Secret = p.takeSecret(c, who)
	v.Shell = p.shell(c, "TSIG keys", templates.SectionZones)
	return p.render(c, status, templates.TSIGKeys(v))
}

func (p *Panel) createTSIGKey(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	in := sites.NewTSIGKey{Name: field("name"), Algorithm: field("algorithm"), Secret: field("secret")}
	key, err := p.service.AddTSIGKey(c.Request().Context(), who.actor, in)
	if err != nil {
		wrong, err := faults(err, "name", "algorithm", "secret")
		if err != nil {
			return err
		}
		typed := templates.TSIGKeyForm{Name: in.Name, Algorithm: in.Algorithm, Secret: in.Secret, Faults: wrong}
		return p.renderTSIGKeys(c, who, http.StatusUnprocessableEntity, templates.TSIGKeysView{Form: typed})
	}
	to := templates.PathTSIGKeys
	if in.Secret == "" {
		shown := p.secrets.keep(who.account.ID, key.Name, base64.StdEncoding.EncodeToString(key.Secret))
		to += "?" + queryShown + "=" + url.QueryEscape(shown)
	}
	return p.done(c, to, "The TSIG key "+key.Name+" is added.")
}

func (p *Panel) deleteTSIGKey(c echo.Context, who visitor) error {
	name := c.Param("key")
	if err := p.service.DeleteTSIGKey(c.Request().Context(), who.actor, name); err != nil {
		return p.declined(c, templates.PathTSIGKeys, err)
	}
	return p.done(c, templates.PathTSIGKeys, "The TSIG key "+name+" is removed.")
}

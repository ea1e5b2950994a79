package panel

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"time"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

type tsigKeyJSON struct {
	Name      string    `json:"name"`
	Algorithm string    `json:"algorithm"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	Secret    string    `json:"secret,omitempty"` // one that berth made up, this once
}

func (p *Panel) apiTSIGKeys(c echo.Context, actor sites.Actor, _ sites.Account) error {
	keys, err := p.service.TSIGKeys(c.Request().Context(), actor)
	if err != nil {
		return err
	}
	out := make([]tsigKeyJSON, len(keys))
	for i, k := range keys {
		out[i] = tsigKeyJSON{Name: k.Name, Algorithm: k.Algorithm, CreatedAt: utc(k.CreatedAt)}
	}
	return c.JSON(http.StatusOK, out)
}

// apiCreateTSIGKey makes up a secret where none is sent, and answers with it this once.
func (p *Panel) apiCreateTSIGKey(c echo.Context, actor sites.Actor, _ sites.Account) error {
	var in struct {
		Name      string `json:"name"`
		Algorithm string `json:"algorithm"`
		Secret    string `json:"secret"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	key, err := p.service.AddTSIGKey(c.Request().Context(), actor, sites.NewTSIGKey{Name: in.Name, Algorithm: in.Algorithm, Secret: in.Secret})
	if err != nil {
		return err
	}
	out := tsigKeyJSON{Name: key.Name, Algorithm: key.Algorithm, CreatedAt: utc(key.CreatedAt)}
	if in.Secret == "" {
		out.Secret = base64.StdEncoding.EncodeToString(key.Secret)
	}
	c.Response().Header().Set("Location", pathAPI+"/tsig-keys/"+url.PathEscape(key.Name))
	return c.JSON(http.StatusCreated, out)
}

func (p *Panel) apiDeleteTSIGKey(c echo.Context, actor sites.Actor, _ sites.Account) error {
	if err := p.service.DeleteTSIGKey(c.Request().Context(), actor, c.Param("key")); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

package panel

import (
	"net/http"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

type certificatesJSON struct {
	Certificates []certificateJSON `json:"certificates"`
	Budgets      []budgetJSON      `json:"budgets,omitempty"` // for admins
}

type budgetJSON struct {
	Authority string `json:"authority"`
	Domain    string `json:"domain"`
	Issued    int    `json:"issued"`          // first certificates in the last seven days
	Limit     int    `json:"limit,omitempty"` // left out where none is known
}

// apiCertificates lists all certificates to an admin, and those of its own sites' hosts to an owner.
func (p *Panel) apiCertificates(c echo.Context, actor sites.Actor, account sites.Account) error {
	out := certificatesJSON{Certificates: []certificateJSON{}}
	list := p.cfg.Certificates.Certificates()
	if actor.Admin() {
		for _, b := range p.cfg.Certificates.Budget() {
			out.Budgets = append(out.Budgets, budgetJSON(b))
		}
	} else {
		own, err := p.service.Sites(c.Request().Context(), actor, account.ID)
		if err != nil {
			return err
		}
		list = nil
		for _, site := range own {
			for _, h := range site.Hosts {
				list = append(list, p.cfg.Certificates.Certificate(h.Name))
			}
		}
	}
	for _, cert := range list {
		out.Certificates = append(out.Certificates, certificateOut(cert))
	}
	return c.JSON(http.StatusOK, out)
}

// apiRenewCertificate answers once the order is queued; the state of the certificate says how it goes.
func (p *Panel) apiRenewCertificate(c echo.Context, actor sites.Actor, account sites.Account) error {
	ctx, host := c.Request().Context(), hostParam(c)
	if !actor.Admin() {
		own, err := p.service.Sites(ctx, actor, account.ID)
		if err != nil {
			return err
		}
		if !routesTo(own, host) {
			return sites.Refuse(sites.ErrNotFound, "No site of yours has the host %s.", host)
		}
	}
	if err := p.renew(ctx, actor, host); err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, certificateOut(p.cfg.Certificates.Certificate(host)))
}

// routesTo reports whether a host is one of the sites'.
func routesTo(list []sites.SiteStatus, host string) bool {
	for _, site := range list {
		for _, h := range site.Hosts {
			if h.Name == host {
				return true
			}
		}
	}
	return false
}

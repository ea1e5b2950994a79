package panel

import (
	"net/http"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

// health says that the process is alive.
func (p *Panel) health(c echo.Context) error { return c.String(http.StatusOK, "alive\n") }

// readiness says whether names and routes are being served.
func (p *Panel) readiness(c echo.Context) error {
	if !p.service.Ready() {
		return c.String(http.StatusServiceUnavailable, "starting\n")
	}
	return c.String(http.StatusOK, "ready\n")
}

// rootCertificate hands out the internal authority's root, for people to trust.
func (p *Panel) rootCertificate(c echo.Context) error {
	pem := p.cfg.Certificates.RootPEM()
	if len(pem) == 0 {
		return sites.Refuse(sites.ErrNotFound, "This installation has no authority of its own: its certificates are trusted by browsers already.")
	}
	c.Response().Header().Set("Content-Disposition", `attachment; filename="berth-root.crt"`)
	return c.Blob(http.StatusOK, "application/x-x509-ca-cert", pem)
}

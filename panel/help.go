package panel

import (
	"net/http"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) helpPage(c echo.Context, _ visitor) error {
	return p.render(c, http.StatusOK, templates.Help(templates.HelpView{
		Shell:    p.shell(c, "Help", templates.SectionHelp),
		Example:  "my-site." + p.cfg.Zone,
		APIURL:   p.siteURL(p.cfg.PanelHost) + pathAPI,
		RootURL:  p.rootURL(),
		MaxBytes: p.cfg.MaxUpload, MaxUnpacked: p.cfg.MaxUnpacked, MaxFiles: p.cfg.MaxFiles,
		Certificates: certificateExamples(time.Now()),
	}))
}

// certificateExamples are the states that a certificate can be in.
func certificateExamples(now time.Time) []templates.Certificate {
	var list []templates.Certificate
	for _, state := range []sites.CertificateState{sites.CertificatePending, sites.CertificateWildcard, sites.CertificateValid, sites.CertificateFailed} {
		list = append(list, certificate(sites.Certificate{State: state, NotBefore: now, NotAfter: now.Add(24 * time.Hour), Renewal: now}))
	}
	return list
}

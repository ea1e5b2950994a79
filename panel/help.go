package panel

import (
	"net/http"

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
	}))
}

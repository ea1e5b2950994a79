package panel

import (
	"net/http"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// sitesPerPage bounds a page and its live part, however many sites there are.
const sitesPerPage = 100

func (p *Panel) sitesPage(c echo.Context, who visitor) error {
	view, err := p.sitesView(c, who)
	if err != nil {
		return err
	}
	view.Shell = p.shell(c, "My sites", templates.SectionSites)
	return p.render(c, http.StatusOK, templates.Sites(view))
}

func (p *Panel) sitesView(c echo.Context, who visitor) (view templates.SitesView, err error) {
	ctx := c.Request().Context()
	list, err := p.service.Sites(ctx, who.actor, who.account.ID)
	if err != nil {
		return view, err
	}
	list, view.Paging = narrow(list, c.QueryParam("q"), c.QueryParam("page"))
	view.Sites, view.Port = p.siteRows(list), p.port()
	view.Quota, err = p.quotaOf(ctx, who.account)
	return view, err
}

func (p *Panel) allSitesPage(c echo.Context, who visitor) error {
	view, err := p.allSitesView(c, who)
	if err != nil {
		return err
	}
	view.Shell = p.shell(c, "All sites", templates.SectionAllSites)
	return p.render(c, http.StatusOK, templates.AllSites(view))
}

func (p *Panel) allSitesView(c echo.Context, who visitor) (view templates.AllSitesView, err error) {
	list, err := p.service.Sites(c.Request().Context(), who.actor, 0)
	list, view.Paging = narrow(list, c.QueryParam("q"), c.QueryParam("page"))
	view.Sites = p.siteRows(list)
	return view, err
}

// narrow reduces the list to names that contain query, and to one page of those; a page that does not exist is the
// nearest one that does.
func narrow(list []sites.SiteStatus, query, number string) ([]sites.SiteStatus, templates.Paging) {
	query = strings.ToLower(strings.TrimSpace(query))
	at := templates.Paging{Query: query, All: len(list)}
	if query != "" {
		var found []sites.SiteStatus
		for _, site := range list {
			if strings.Contains(site.Name, query) {
				found = append(found, site)
			}
		}
		list = found
	}
	at.Found = len(list)
	at.Pages = max(1, (len(list)+sitesPerPage-1)/sitesPerPage)
	asked, err := strconv.Atoi(number)
	if err != nil {
		asked = 1
	}
	at.Page = min(max(1, asked), at.Pages)
	begin := (at.Page - 1) * sitesPerPage
	return list[begin:min(begin+sitesPerPage, len(list))], at
}

package panel

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// certificatesPerPage bounds the page, however many certificates there are.
const certificatesPerPage = 100

func (p *Panel) certificatesPage(c echo.Context, _ visitor) error {
	list, at := someCertificates(urgent(p.cfg.Certificates.Certificates()), c.QueryParam("q"), c.QueryParam("page"))
	view := templates.CertificatesView{
		Shell:        p.shell(c, "Certificates", templates.SectionStatus),
		Certificates: certificates(list),
		Paging:       at,
		RootURL:      p.rootURL(),
	}
	for _, b := range p.cfg.Certificates.Budget() {
		view.Budgets = append(view.Budgets, templates.CertificateBudget{
			Authority: b.Authority, Domain: b.Domain, Issued: b.Issued, Limit: b.Limit, Scarce: b.Scarce(),
		})
	}
	return p.render(c, http.StatusOK, templates.Certificates(view))
}

// rootURL is where the root of an internal authority can be downloaded; empty where there is none.
func (p *Panel) rootURL() string {
	if len(p.cfg.Certificates.RootPEM()) == 0 {
		return ""
	}
	return pathRoot
}

// someCertificates reduces the list to hosts that contain query, and to one page of those; a page that does not exist is
// the nearest one that does.
func someCertificates(list []sites.Certificate, query, number string) ([]sites.Certificate, templates.Paging) {
	query = strings.ToLower(strings.TrimSpace(query))
	at := templates.Paging{Query: query, All: len(list)}
	if query != "" {
		list = slices.DeleteFunc(list, func(c sites.Certificate) bool { return !strings.Contains(c.Host, query) })
	}
	at.Found = len(list)
	at.Pages = max(1, (len(list)+certificatesPerPage-1)/certificatesPerPage)
	asked, err := strconv.Atoi(number)
	if err != nil {
		asked = 1
	}
	at.Page = min(max(1, asked), at.Pages)
	begin := (at.Page - 1) * certificatesPerPage
	return list[begin:min(begin+certificatesPerPage, len(list))], at
}

func (p *Panel) renewCertificate(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	host, back := hostParam(c), localPath(field("next"), templates.PathCertificates)
	if err := p.renew(c.Request().Context(), who.actor, host); err != nil {
		return p.declined(c, back, err)
	}
	return p.done(c, back, "A new certificate for "+host+" is being ordered.")
}

// toCertificates leads whoever reloads after an action back to the list.
func (p *Panel) toCertificates(c echo.Context, _ visitor) error {
	return c.Redirect(http.StatusSeeOther, templates.PathCertificates)
}

// renew has the certificate of a host renewed, and says so in the audit log.
func (p *Panel) renew(ctx context.Context, actor sites.Actor, host string) error {
	if err := p.cfg.Certificates.Renew(host); err != nil {
		return err
	}
	return p.service.Record(ctx, actor, "certificate.renew", host, "")
}

// hostParam is the host in a path; a wildcard's begins with an asterisk.
func hostParam(c echo.Context) string { return sites.CanonicalHost(c.Param("host")) }

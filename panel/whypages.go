package panel

import (
	"errors"
	"net/http"
	"strings"

	"berth/sites"
	"berth/sites/diagnosis"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// siteWhyPage says what keeps visitors from a site.
func (p *Panel) siteWhyPage(c echo.Context, who visitor) error {
	liftDeadlines(c.Response())
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	report, err := p.diagnoseSite(c.Request().Context(), who.actor, site.Name, "", nil)
	if err != nil {
		return err
	}
	view := whyView(report)
	view.Shell, view.Site = p.shell(c, "Something wrong with "+site.Name+"?", siteSection(who, site)), site.Name
	return p.render(c, http.StatusOK, templates.SiteWhy(view))
}

// whyPage says what is wrong with the server, or with the site or host that an admin asks about.
func (p *Panel) whyPage(c echo.Context, who visitor) error {
	liftDeadlines(c.Response())
	asked, status := strings.TrimSpace(c.QueryParam("name")), http.StatusOK
	report, err := p.diagnose(c.Request().Context(), who.actor, asked)
	view := whyView(report)
	var refusal *sites.Refusal
	if errors.As(err, &refusal) {
		status, view.Fault, err = http.StatusUnprocessableEntity, refusal.Sentence, nil
	}
	if err != nil {
		return err
	}
	view.Shell, view.Asked = p.shell(c, "What is wrong?", templates.SectionStatus), asked
	return p.render(c, status, templates.Why(view))
}

func whyView(r diagnosis.Report) templates.WhyView {
	return templates.WhyView{Subject: r.Subject, Checks: checks(r.Findings)}
}

func checks(list []diagnosis.Finding) []templates.Check {
	out := make([]templates.Check, len(list))
	for i, f := range list {
		out[i] = templates.Check{Level: string(f.Level), Topic: string(f.Topic), Sentence: f.Sentence, Remedy: f.Remedy}
	}
	return out
}

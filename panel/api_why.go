package panel

import (
	"net/http"

	"berth/sites"
	"berth/sites/diagnosis"

	"github.com/labstack/echo/v4"
)

type reportJSON struct {
	Subject  string              `json:"subject"`
	Works    bool                `json:"works"`
	Summary  string              `json:"summary"`
	Findings []reportFindingJSON `json:"findings"`
}

type reportFindingJSON struct {
	Level    string `json:"level"` // ok, warning or fault
	Topic    string `json:"topic"`
	Sentence string `json:"sentence"`
	Remedy   string `json:"remedy,omitempty"`
}

// apiWhy judges the server, or the site or host that the parameter name names.
func (p *Panel) apiWhy(c echo.Context, actor sites.Actor, _ sites.Account) error {
	liftDeadlines(c.Response())
	report, err := p.diagnose(c.Request().Context(), actor, c.QueryParam("name"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, reportOut(report))
}

func (p *Panel) apiSiteWhy(c echo.Context, actor sites.Actor, _ sites.Account) error {
	liftDeadlines(c.Response())
	report, err := p.diagnoseSite(c.Request().Context(), actor, siteParam(c), "", nil)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, reportOut(report))
}

func reportOut(r diagnosis.Report) reportJSON {
	out := reportJSON{Subject: r.Subject, Works: r.Works(), Summary: r.Summary(), Findings: make([]reportFindingJSON, len(r.Findings))}
	for i, f := range r.Findings {
		out.Findings[i] = reportFindingJSON{Level: string(f.Level), Topic: string(f.Topic), Sentence: f.Sentence, Remedy: f.Remedy}
	}
	return out
}

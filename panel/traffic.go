package panel

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// shownRanks is how many paths and referrers the page lists; the API has more.
const shownRanks = 20

func (p *Panel) trafficPage(c echo.Context, who visitor) error {
	days, err := trafficDays(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	site, err := p.service.Site(ctx, who.actor, siteParam(c))
	if err != nil {
		return err
	}
	report, err := p.service.Traffic(ctx, who.actor, site.Name, lastDays(days, time.Now()))
	if err != nil {
		return err
	}
	return p.render(c, http.StatusOK, templates.Traffic(templates.TrafficView{
		Shell: p.shell(c, "Traffic of "+site.Name, siteSection(who, site)),
		Name:  site.Name, URL: p.siteURL(p.ownHost(site)), Days: days,
		Total: trafficStep(report.Total), Steps: trafficSteps(report.Steps),
		Paths: trafficRanks(report.Paths), Referrers: trafficRanks(report.Referrers),
	}))
}

func (p *Panel) allTrafficPage(c echo.Context, who visitor) error {
	days, err := trafficDays(c)
	if err != nil {
		return err
	}
	report, busiest, err := p.service.TrafficOfAll(c.Request().Context(), who.actor, lastDays(days, time.Now()))
	if err != nil {
		return err
	}
	view := templates.AllTrafficView{
		Shell: p.shell(c, "Traffic of all sites", templates.SectionStatus), Days: days,
		Total: trafficStep(report.Total), Steps: trafficSteps(report.Steps),
	}
	for _, s := range busiest {
		view.Sites = append(view.Sites, templates.TrafficSite{Name: s.Name, Owner: s.Owner, Total: trafficStep(s.Traffic)})
	}
	return p.render(c, http.StatusOK, templates.AllTraffic(view))
}

// trafficDays reads how many days are asked for.
func trafficDays(c echo.Context) (int, error) {
	text := c.QueryParam("days")
	if text == "" {
		return 7, nil
	}
	days, err := strconv.Atoi(text)
	if err != nil || !slices.Contains(templates.TrafficDays(), days) {
		return 0, sites.RefuseField(sites.ErrInvalid, "days", "Traffic is shown for 1, 7, 30 or 90 days.")
	}
	return days, nil
}

// lastDays are so many days of UTC, today among them; today alone is told by the hour.
func lastDays(days int, now time.Time) sites.TrafficQuery {
	today := now.UTC().Truncate(sites.StepDay.Length())
	q := sites.TrafficQuery{From: today.AddDate(0, 0, 1-days), To: today.AddDate(0, 0, 1), Step: sites.StepDay}
	if days == 1 {
		q.Step = sites.StepHour
	}
	return q
}

func trafficStep(t sites.Traffic) templates.TrafficStep {
	return templates.TrafficStep{
		At: t.At, Requests: t.Requests, Visitors: t.Visitors, Bytes: t.Bytes, Missing: t.Classes[3], Failed: t.Classes[4],
	}
}

func trafficSteps(list []sites.Traffic) []templates.TrafficStep {
	steps := make([]templates.TrafficStep, len(list))
	for i, t := range list {
		steps[i] = trafficStep(t)
	}
	return steps
}

func trafficRanks(list []sites.Rank) []templates.TrafficRank {
	ranks := make([]templates.TrafficRank, 0, shownRanks)
	for _, r := range list[:min(len(list), shownRanks)] {
		ranks = append(ranks, templates.TrafficRank{Key: r.Key, Count: r.Sure()})
	}
	return ranks
}

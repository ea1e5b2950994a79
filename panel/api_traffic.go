package panel

import (
	"net/http"
	"time"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

type trafficJSON struct {
	From      time.Time         `json:"from"`
	To        time.Time         `json:"to"`
	Step      string            `json:"step"`
	Total     trafficStepJSON   `json:"total"`
	Steps     []trafficStepJSON `json:"steps"`
	Paths     []rankJSON        `json:"paths,omitempty"`
	Referrers []rankJSON        `json:"referrers,omitempty"`
	Sites     []siteTrafficJSON `json:"sites,omitempty"` // the busiest
}

type trafficStepJSON struct {
	At       time.Time        `json:"at"`
	Requests int64            `json:"requests"`
	Visitors int64            `json:"visitors"` // about; of several days: those of each, added up
	Bytes    int64            `json:"bytes"`
	Statuses map[string]int64 `json:"statuses"` // by class, such as 2xx
}

type rankJSON struct {
	Name     string `json:"name"`
	Requests int64  `json:"requests"`
}

type siteTrafficJSON struct {
	Name  string `json:"name"`
	Owner string `json:"owner"`
	trafficStepJSON
}

// apiTraffic tells the traffic of a site; see trafficQuery for what can be asked.
func (p *Panel) apiTraffic(c echo.Context, actor sites.Actor, _ sites.Account) error {
	q, err := trafficQuery(c, time.Now())
	if err != nil {
		return err
	}
	report, err := p.service.Traffic(c.Request().Context(), actor, siteParam(c), q)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, trafficOut(q, report))
}

func (p *Panel) apiAllTraffic(c echo.Context, actor sites.Actor, _ sites.Account) error {
	q, err := trafficQuery(c, time.Now())
	if err != nil {
		return err
	}
	report, busiest, err := p.service.TrafficOfAll(c.Request().Context(), actor, q)
	if err != nil {
		return err
	}
	out := trafficOut(q, report)
	for _, s := range busiest {
		step := stepOut(s.Traffic)
		step.At = q.From
		out.Sites = append(out.Sites, siteTrafficJSON{s.Name, s.Owner, step})
	}
	return c.JSON(http.StatusOK, out)
}

// trafficQuery reads from, to and step: times as of RFC 3339 or days such as 2026-03-14, rounded to whole steps of UTC. Left out, they
// are the last seven days by the day.
func trafficQuery(c echo.Context, now time.Time) (q sites.TrafficQuery, err error) {
	q.Step = sites.TrafficStep(c.QueryParam("step"))
	if q.Step == "" {
		q.Step = sites.StepDay
	}
	if q.Step != sites.StepHour && q.Step != sites.StepDay {
		return q, sites.RefuseField(sites.ErrInvalid, "step", "The parameter step can be hour or day.")
	}
	if q.To, err = timeParam(c, "to", now); err != nil {
		return q, err
	}
	length := q.Step.Length()
	q.To = q.To.Add(length - time.Nanosecond).Truncate(length)
	if q.From, err = timeParam(c, "from", q.To.AddDate(0, 0, -7)); err != nil {
		return q, err
	}
	q.From = q.From.Truncate(length)
	kept := sites.KeepDays
	if q.Step == sites.StepHour {
		kept = sites.KeepHours
	}
	switch {
	case !q.From.Before(q.To):
		return q, sites.RefuseField(sites.ErrInvalid, "from", "The parameter from must be before to.")
	case q.To.Sub(q.From) > kept+2*sites.StepDay.Length():
		return q, sites.RefuseField(sites.ErrInvalid, "from", "Between from and to there may be %d days, as long as each %s is kept.", int(kept/sites.StepDay.Length()), q.Step)
	}
	return q, nil
}

func timeParam(c echo.Context, name string, otherwise time.Time) (time.Time, error) {
	text := c.QueryParam(name)
	if text == "" {
		return otherwise.UTC(), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, sites.RefuseField(sites.ErrInvalid, name, "The parameter %s must be a day such as 2026-03-14 or a time such as 2026-03-14T12:00:00Z.", name)
}

func trafficOut(q sites.TrafficQuery, report sites.TrafficReport) trafficJSON {
	out := trafficJSON{
		From: q.From, To: q.To, Step: string(q.Step), Total: stepOut(report.Total), Steps: make([]trafficStepJSON, len(report.Steps)),
		Paths: ranksOut(report.Paths), Referrers: ranksOut(report.Referrers),
	}
	for i, t := range report.Steps {
		out.Steps[i] = stepOut(t)
	}
	return out
}

func stepOut(t sites.Traffic) trafficStepJSON {
	return trafficStepJSON{
		At: t.At, Requests: t.Requests, Visitors: t.Visitors, Bytes: t.Bytes,
		Statuses: map[string]int64{"1xx": t.Classes[0], "2xx": t.Classes[1], "3xx": t.Classes[2], "4xx": t.Classes[3], "5xx": t.Classes[4]},
	}
}

func ranksOut(list []sites.Rank) []rankJSON {
	out := make([]rankJSON, len(list))
	for i, r := range list {
		out[i] = rankJSON{r.Key, r.Sure()}
	}
	return out
}

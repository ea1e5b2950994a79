package panel

import (
	"net/http"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

const (
	defaultEvents = 100
	maxEvents     = 5000
)

func (p *Panel) activityPage(c echo.Context, who visitor) error {
	limit, err := strconv.Atoi(c.QueryParam("limit"))
	if err != nil || limit < 1 || limit > maxEvents {
		limit = defaultEvents
	}
	subject := strings.TrimSpace(c.QueryParam("subject"))
	// One more than is shown tells whether there are older ones.
	events, err := p.service.Events(c.Request().Context(), who.actor, sites.EventFilter{Subject: subject, Limit: limit + 1})
	if err != nil {
		return err
	}
	more := len(events) > limit
	return p.render(c, http.StatusOK, templates.Activity(templates.ActivityView{
		Shell:   p.shell(c, "Activity", templates.SectionActivity),
		Events:  activityRows(events[:min(limit, len(events))]),
		Subject: subject,
		Limit:   limit,
		More:    more && limit < maxEvents,
	}))
}

package panel

import (
	"net/http"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) instanceRows(s sites.SiteStatus) []templates.InstanceRow {
	rows := make([]templates.InstanceRow, len(s.Serving))
	for i, instance := range s.Serving {
		rows[i] = templates.InstanceRow{Address: "in this process", Answers: p.answers(instance), StartedAt: instance.StartedAt}
		if instance.Addr.IsValid() {
			rows[i].Address = instance.Addr.String()
		}
	}
	return rows
}

// answers reports whether requests to an instance are answered, as far as is known.
func (p *Panel) answers(i sites.Instance) bool {
	return p.trouble(i).None()
}

// trouble is why requests to an instance are not answered, as far as is known.
func (p *Panel) trouble(i sites.Instance) sites.InstanceTrouble {
	if !i.Addr.IsValid() {
		return sites.InstanceTrouble{}
	}
	return p.cfg.Edge.Trouble(i.Addr)
}

// answering counts a site's instances that answer.
func (p *Panel) answering(s sites.SiteStatus) (n int) {
	for _, i := range s.Serving {
		if p.answers(i) {
			n++
		}
	}
	return n
}

// wanted is how many instances the site is to have while it runs.
func (p *Panel) wanted(s sites.Site) int {
	if p.service.InProcess() {
		return 1
	}
	return s.Instances
}

func (p *Panel) instancesOffer(who visitor, site sites.SiteStatus) templates.InstancesOffer {
	return templates.InstancesOffer{
		Most:     max(p.service.MostInstances(who.actor), site.Instances),
		MemoryMB: site.Limits.MemoryMB, CPUs: site.Limits.CPUs, InProcess: p.service.InProcess(),
	}
}

// saveInstances is the section of a site's settings about how it runs.
func (p *Panel) saveInstances(c echo.Context, who visitor) error {
	typed, err := form(c)
	if err != nil {
		return err
	}
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	shown := settingsForm(site.Site)
	shown.Instances, shown.HealthPath = typed("instances"), strings.TrimSpace(typed("health_path"))
	n, err := strconv.Atoi(shown.Instances)
	if err != nil {
		err = sites.RefuseField(sites.ErrInvalid, "instances", "Choose how many instances the site is to have.")
	} else {
		update := sites.SiteUpdate{Instances: &n, HealthPath: &shown.HealthPath}
		_, err = p.service.UpdateSite(c.Request().Context(), who.actor, site.Name, update)
	}
	if err == nil {
		return p.done(c, templates.SiteSettingsPath(site.Name), "The instances are saved.")
	}
	if shown.Faults, err = faults(err, "instances", "health_path"); err != nil {
		return err
	}
	return p.renderSettings(c, who, http.StatusUnprocessableEntity, site, shown)
}

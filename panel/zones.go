package panel

import (
	"net/http"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// zoneParam is the zone named in the path.
func zoneParam(c echo.Context) string { return sites.CanonicalHost(c.Param("zone")) }

func (p *Panel) zonesPage(c echo.Context, who visitor) error {
	return p.renderZones(c, who, http.StatusOK, templates.ZoneForm{})
}

func (p *Panel) renderZones(c echo.Context, who visitor, status int, form templates.ZoneForm) error {
	ctx := c.Request().Context()
	zones, err := p.service.Zones(ctx, who.actor)
	if err != nil {
		return err
	}
	view := templates.ZonesView{Form: form}
	for _, z := range zones {
		detail, err := p.service.Zone(ctx, who.actor, z.Name)
		if err != nil {
			return err
		}
		view.Zones = append(view.Zones, p.zoneRow(detail))
	}
	view.Shell = p.shell(c, "Zones", templates.SectionZones)
	return p.render(c, status, templates.Zones(view))
}

func (p *Panel) zoneRow(z sites.ZoneDetail) templates.ZoneRow {
	status := p.cfg.DNS.ZoneStatus(z.Name)
	row := templates.ZoneRow{
		Name: z.Name, Kind: string(z.Kind), Signed: z.Signed || status.Signed, Serial: int64(status.Serial), Records: z.Records,
		Names: status.Names, Delegation: delegationView(z.Name, p.delegations.last(z.Name)),
	}
	if status.Secondary != nil {
		row.Problem = status.Secondary.Err
	}
	return row
}

func delegationView(zone string, d checked) templates.Delegation {
	view := templates.Delegation{State: string(d.State), Sentence: d.Sentence(zone), Parent: d.Parent, CheckedAt: d.at}
	for _, f := range d.Findings {
		view.Findings = append(view.Findings, templates.Finding{Kind: string(f.Kind), Server: f.Server, Sentence: f.Sentence, Harmless: f.Harmless()})
	}
	return view
}

func (p *Panel) createZone(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	typed := templates.ZoneForm{Name: strings.TrimSpace(field("name")), Kind: field("kind"), Primaries: field("primaries")}
	in := sites.NewZone{Name: typed.Name, Kind: sites.ZoneKind(typed.Kind)}
	if in.Kind == sites.ZoneSecondary {
		in.Primaries, err = readPrimaries(typed.Primaries)
	}
	var zone sites.ZoneDetail
	if err == nil {
		zone, err = p.service.AddZone(c.Request().Context(), who.actor, in)
	}
	if err != nil {
		if typed.Faults, err = faults(err, "name", "kind", "primaries"); err != nil {
			return err
		}
		return p.renderZones(c, who, http.StatusUnprocessableEntity, typed)
	}
	text := "The zone " + zone.Name + " is added. Enter its records, then the lines below at the registrar."
	if zone.Kind == sites.ZoneSecondary {
		text = "The zone " + zone.Name + " is added and being transferred."
	}
	return p.done(c, templates.ZonePath(zone.Name), text)
}

func (p *Panel) deleteZone(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	zone, err := p.service.Zone(c.Request().Context(), who.actor, zoneParam(c))
	if err != nil {
		return err
	}
	if typed(field("confirm"), zone.Name) {
		err = p.service.DeleteZone(c.Request().Context(), who.actor, zone.Name)
	} else {
		err = sites.RefuseField(sites.ErrInvalid, "confirm", "Type %s to confirm. Nothing was deleted.", zone.Name)
	}
	if err != nil {
		wrong, err := faults(err, "confirm")
		if err != nil {
			return err
		}
		return p.renderZone(c, who, http.StatusUnprocessableEntity, zone, func(v *templates.ZoneView) { v.DeleteFault = wrong["confirm"] })
	}
	p.delegations.forget(zone.Name)
	return p.done(c, templates.PathZones, "The zone "+zone.Name+" is deleted.")
}

package panel

import (
	"net/http"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

func (p *Panel) apiZones(c echo.Context, actor sites.Actor, _ sites.Account) error {
	ctx := c.Request().Context()
	zones, err := p.service.Zones(ctx, actor)
	if err != nil {
		return err
	}
	out := make([]zoneJSON, len(zones))
	for i, z := range zones {
		detail, err := p.service.Zone(ctx, actor, z.Name)
		if err != nil {
			return err
		}
		out[i] = zoneOut(detail)
	}
	return c.JSON(http.StatusOK, out)
}

func (p *Panel) apiZone(c echo.Context, actor sites.Actor, _ sites.Account) error {
	zone, err := p.service.Zone(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, zoneOut(zone))
}

func (p *Panel) apiCreateZone(c echo.Context, actor sites.Actor, _ sites.Account) error {
	in := struct {
		Name      string        `json:"name"`
		Kind      string        `json:"kind"`
		Primaries []primaryJSON `json:"primaries"`
	}{Kind: string(sites.ZonePrimary)}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	primaries, err := primariesIn(in.Primaries)
	if err != nil {
		return err
	}
	zone, err := p.service.AddZone(c.Request().Context(), actor, sites.NewZone{Name: in.Name, Kind: sites.ZoneKind(in.Kind), Primaries: primaries})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", apiZonePath(zone.Name))
	return c.JSON(http.StatusCreated, zoneOut(zone))
}

// apiUpdateZone changes signing, peers or primaries; what is left out stays as it is, and lists are replaced whole.
func (p *Panel) apiUpdateZone(c echo.Context, actor sites.Actor, _ sites.Account) error {
	zone, err := p.service.Zone(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	var in struct {
		Signed    *bool          `json:"signed"`
		DSRemoved bool           `json:"ds_removed"` // with signed false: the parent's DS records are gone, and their TTL has passed
		Peers     *[]peerJSON    `json:"peers"`
		Primaries *[]primaryJSON `json:"primaries"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.Signed == nil && in.Peers == nil && in.Primaries == nil {
		return sites.Refuse(sites.ErrInvalid, "Name what to change: signed, peers or primaries.")
	}
	update := sites.ZoneUpdate{Signed: in.Signed, DSRemoved: in.DSRemoved}
	if in.Peers != nil {
		peers, err := peersIn(*in.Peers)
		if err != nil {
			return err
		}
		update.Peers = &peers
	}
	if in.Primaries != nil {
		primaries, err := primariesIn(*in.Primaries)
		if err != nil {
			return err
		}
		update.Primaries = &primaries
	}
	if update.Peers != nil {
		p.peering.Lock()
		defer p.peering.Unlock()
	}
	liftDeadlines(c.Response()) // the parent is asked before signing ends
	if zone, err = p.service.UpdateZone(c.Request().Context(), actor, zone.Name, update); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, zoneOut(zone))
}

func (p *Panel) apiDeleteZone(c echo.Context, actor sites.Actor, _ sites.Account) error {
	if err := p.service.DeleteZone(c.Request().Context(), actor, zoneParam(c)); err != nil {
		return err
	}
	p.delegations.forget(zoneParam(c))
	return c.NoContent(http.StatusNoContent)
}

func (p *Panel) apiZoneStatus(c echo.Context, actor sites.Actor, _ sites.Account) error {
	zone, err := p.service.Zone(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	out := zoneStatusOut(p.cfg.DNS.ZoneStatus(zone.Name))
	ns, glue, ds := p.cfg.DNS.RegistrarLines(zone.Name)
	out.Registrar = registrarJSON{NS: orEmpty(ns), Glue: orEmpty(glue), DS: orEmpty(ds)}
	return c.JSON(http.StatusOK, out)
}

// apiDelegation asks the world at every call.
func (p *Panel) apiDelegation(c echo.Context, actor sites.Actor, _ sites.Account) error {
	zone, err := p.service.Zone(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	liftDeadlines(c.Response())
	found, err := p.delegations.check(c.Request().Context(), p.cfg.DNS, zone.Name)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, delegationOut(found))
}

func (p *Panel) apiZoneKeys(c echo.Context, actor sites.Actor, _ sites.Account) error {
	zone, err := p.service.Zone(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, zoneKeysOut(zone.Keys))
}

// apiRollKey begins to replace a key and answers with all keys as they are planned now.
func (p *Panel) apiRollKey(c echo.Context, actor sites.Actor, _ sites.Account) error {
	var in struct {
		Role string `json:"role"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	zone, err := p.service.RollKey(c.Request().Context(), actor, zoneParam(c), sites.KeyRole(in.Role))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusAccepted, zoneKeysOut(zone.Keys))
}

func (p *Panel) apiConfirmDS(c echo.Context, actor sites.Actor, _ sites.Account) error {
	liftDeadlines(c.Response()) // the parent is asked first
	zone, err := p.service.ConfirmDS(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, zoneKeysOut(zone.Keys))
}

package panel

import (
	"net/http"
	"net/netip"
	"slices"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) zonePage(c echo.Context, who visitor) error {
	zone, err := p.service.Zone(c.Request().Context(), who.actor, zoneParam(c))
	if err != nil {
		return err
	}
	return p.renderZone(c, who, http.StatusOK, zone, nil)
}

// renderZone shows the zone; more, which may be nil, adds what was typed into one of its forms.
func (p *Panel) renderZone(c echo.Context, who visitor, status int, zone sites.ZoneDetail, more func(*templates.ZoneView)) error {
	view := p.zoneView(zone)
	keys, err := p.service.TSIGKeys(c.Request().Context(), who.actor)
	if err != nil {
		return err
	}
	for _, k := range keys {
		view.TSIGKeys = append(view.TSIGKeys, k.Name)
	}
	if more != nil {
		more(&view)
	}
	view.Shell = p.shell(c, zone.Name, templates.SectionZones)
	return p.render(c, status, templates.Zone(view))
}

func (p *Panel) zoneView(z sites.ZoneDetail) templates.ZoneView {
	status := p.cfg.DNS.ZoneStatus(z.Name)
	view := templates.ZoneView{
		Name: z.Name, Kind: string(z.Kind), Signed: z.Signed || status.Signed, Serial: int64(status.Serial), Records: z.Records,
		Names: status.Names, Delegation: delegationView(z.Name, p.delegations.last(z.Name)), RenewalAt: status.RenewalAt,
		Keys: keyRows(z.Keys), DSFrom: dsFrom(z, time.Now()), Peers: peerRows(z.Peers, status.Peers),
		PrimariesForm: templates.PrimariesForm{Text: writePrimaries(z.Primaries)},
	}
	view.NS, view.Glue, view.DS = p.cfg.DNS.RegistrarLines(z.Name)
	if s := status.Secondary; s != nil {
		view.Secondary = templates.SecondaryState{RefreshedAt: s.RefreshedAt, ExpiresAt: s.ExpiresAt, Problem: s.Err}
	}
	return view
}

// peerRows puts what the DNS server knows of an address beside the peer that it belongs to. A server that asks from an
// address of From without being notified is shown, too.
func peerRows(peers []sites.Peer, seen []sites.PeerStatus) []templates.PeerRow {
	rows := make([]templates.PeerRow, len(peers))
	for i, peer := range peers {
		rows[i] = templates.PeerRow{Name: peer.Name, Key: peer.Key}
		for _, prefix := range peer.From {
			rows[i].From = append(rows[i].From, prefixText(prefix))
		}
		for _, addr := range peer.Notify {
			rows[i].Notify = append(rows[i].Notify, addr.String())
		}
		for _, s := range seen {
			if belongs(s.Addr, peer) {
				rows[i].Servers = append(rows[i].Servers, peerServer(s))
			}
		}
	}
	return rows
}

func belongs(addr netip.AddrPort, peer sites.Peer) bool {
	return slices.ContainsFunc(peer.Notify, func(told netip.AddrPort) bool { return told.Addr() == addr.Addr().Unmap() }) ||
		slices.ContainsFunc(peer.From, func(p netip.Prefix) bool { return p.Contains(addr.Addr().Unmap()) })
}

// prefixText is a network, or the address where it is one.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func peerServer(s sites.PeerStatus) templates.PeerServer {
	addr := s.Addr.String()
	if s.Addr.Port() == 0 {
		addr = s.Addr.Addr().String() // it has asked, from any port, and is not notified
	}
	return templates.PeerServer{
		Addr: addr, Notified: int64(s.Notified), Answered: s.Answered, Served: int64(s.Served), Requested: s.Requested, Problem: s.Err,
	}
}

func (p *Panel) checkDelegation(c echo.Context, who visitor) error {
	zone, err := p.service.Zone(c.Request().Context(), who.actor, zoneParam(c))
	if err != nil {
		return err
	}
	liftDeadlines(c.Response())
	to := templates.ZonePath(zone.Name)
	if _, err := p.delegations.check(c.Request().Context(), p.cfg.DNS, zone.Name); err != nil {
		return p.declined(c, to, err)
	}
	return p.done(c, to, "The delegation of "+zone.Name+" is checked.")
}

// signZone turns DNSSEC on or off.
func (p *Panel) signZone(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	signed := field("signed") != ""
	liftDeadlines(c.Response()) // the parent is asked before signing ends
	zone, err := p.service.UpdateZone(c.Request().Context(), who.actor, zoneParam(c), sites.ZoneUpdate{
		Signed: &signed, DSRemoved: field("ds_removed") != "",
	})
	if err != nil {
		return p.declined(c, templates.ZonePath(zoneParam(c)), err)
	}
	text := "The zone " + zone.Name + " is signed. Enter its DS line at the registrar."
	if !signed {
		text = "The zone " + zone.Name + " is no longer signed."
	}
	return p.done(c, templates.ZonePath(zone.Name), text)
}

func keyRows(keys []sites.KeyDetail) []templates.KeyRow {
	rows := make([]templates.KeyRow, len(keys))
	for i, k := range keys {
		rows[i] = templates.KeyRow{
			Role: string(k.Role), Tag: int(k.DS.KeyTag), PublishedAt: k.PublishedAt, ActiveAt: k.ActiveAt, RetiredAt: k.RetiredAt, RemovedAt: k.RemovedAt,
			ParentAt: k.ParentAt,
		}
	}
	return rows
}

// rollKey begins to replace a key; the page has asked whether it should.
func (p *Panel) rollKey(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	role := sites.KeyRole(field("role"))
	zone, err := p.service.RollKey(c.Request().Context(), who.actor, zoneParam(c), role)
	if err != nil {
		return p.declined(c, templates.ZonePath(zoneParam(c)), err)
	}
	text := "A new zone-signing key is published. It takes over by itself."
	if role == sites.KeySigning {
		text = "A new key-signing key is published. The new DS line appears here on " + templates.Moment(dsFrom(zone, time.Now())) + ". Enter it at the registrar then, and not before."
	}
	return p.done(c, templates.ZonePath(zoneParam(c)), text)
}

func (p *Panel) confirmDS(c echo.Context, who visitor) error {
	liftDeadlines(c.Response()) // the parent is asked first
	if _, err := p.service.ConfirmDS(c.Request().Context(), who.actor, zoneParam(c)); err != nil {
		return p.declined(c, templates.ZonePath(zoneParam(c)), err)
	}
	return p.done(c, templates.ZonePath(zoneParam(c)), "Noted. The old key leaves when no resolver can need it any more.")
}

// dsFrom is when the DS record of a key-signing key that waits for the parent may be entered there: a newer one that stands
// beside the one that the parent's DS record names. It is zero where none waits.
func dsFrom(z sites.ZoneDetail, now time.Time) time.Time {
	var waiting []sites.KeyDetail
	for _, k := range z.Keys {
		if z.Signed && k.Role == sites.KeySigning && k.RetiredAt.IsZero() && !k.PublishedAt.After(now) {
			waiting = append(waiting, k)
		}
	}
	if len(waiting) < 2 {
		return time.Time{}
	}
	return waiting[len(waiting)-1].ParentAt
}

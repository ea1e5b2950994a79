package panel

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

const portDNS = 53

// readServer reads an address of a nameserver; without a port it is 53.
func readServer(text string) (netip.AddrPort, bool) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(addr, portDNS), true
	}
	addr, err := netip.ParseAddrPort(text)
	return addr, err == nil
}

// readNetwork reads a network; an address is the network of that one.
func readNetwork(text string) (netip.Prefix, bool) {
	text = strings.TrimSpace(text)
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix, err == nil
}

// listed splits what people separate by commas, spaces or lines.
func listed(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",; \t\r\n", r) })
}

// readPrimaries reads lines of an address and, after a space, the name of a TSIG key.
func readPrimaries(text string) ([]sites.Primary, error) {
	var list []sites.Primary
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		addr, ok := readServer(words[0])
		if !ok {
			return nil, sites.RefuseField(sites.ErrInvalid, "primaries", "“%s” is no address. Write one such as 192.0.2.53 or [2001:db8::53]:5353.", words[0])
		}
		if len(words) > 2 {
			return nil, sites.RefuseField(sites.ErrInvalid, "primaries", "A line has an address and at most the name of one TSIG key; “%s” is too much.", words[2])
		}
		primary := sites.Primary{Addr: addr}
		if len(words) == 2 {
			primary.Key = words[1]
		}
		list = append(list, primary)
	}
	return list, nil
}

// writePrimaries is what readPrimaries reads.
func writePrimaries(list []sites.Primary) string {
	lines := make([]string, len(list))
	for i, primary := range list {
		lines[i] = strings.TrimSpace(primary.Addr.String() + " " + primary.Key)
	}
	return strings.Join(lines, "\n")
}

func readPeer(f templates.PeerForm) (sites.Peer, error) {
	peer := sites.Peer{Name: f.Name, Key: f.Key}
	for _, text := range listed(f.From) {
		prefix, ok := readNetwork(text)
		if !ok {
			return peer, sites.RefuseField(sites.ErrInvalid, "from", "“%s” is no address and no network. Write one such as 192.0.2.9 or 2001:db8::/64.", text)
		}
		peer.From = append(peer.From, prefix)
	}
	for _, text := range listed(f.Notify) {
		addr, ok := readServer(text)
		if !ok {
			return peer, sites.RefuseField(sites.ErrInvalid, "notify", "“%s” is no address. Write one such as 192.0.2.9 or [2001:db8::9]:5353.", text)
		}
		peer.Notify = append(peer.Notify, addr)
	}
	return peer, nil
}

// changePeers gives the zone other peers. One change at a time reads and writes the list, so that none is lost.
func (p *Panel) changePeers(ctx context.Context, actor sites.Actor, zone string, change func([]sites.Peer) ([]sites.Peer, error)) error {
	p.peering.Lock()
	defer p.peering.Unlock()
	before, err := p.service.Zone(ctx, actor, zone)
	if err != nil {
		return err
	}
	peers, err := change(slices.Clone(before.Peers))
	if err != nil {
		return err
	}
	_, err = p.service.UpdateZone(ctx, actor, zone, sites.ZoneUpdate{Peers: &peers})
	return err
}

func (p *Panel) addPeer(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	zone, err := p.service.Zone(ctx, who.actor, zoneParam(c))
	if err != nil {
		return err
	}
	typed := templates.PeerForm{Name: strings.TrimSpace(field("peer_name")), From: field("from"), Notify: field("notify"), Key: field("key")}
	peer, err := readPeer(typed)
	if err == nil {
		err = p.changePeers(ctx, who.actor, zone.Name, func(peers []sites.Peer) ([]sites.Peer, error) { return append(peers, peer), nil })
	}
	if err != nil {
		if typed.Faults, err = faults(err, "peer_name", "from", "notify", "key"); err != nil {
			return err
		}
		return p.renderZone(c, who, http.StatusUnprocessableEntity, zone, func(v *templates.ZoneView) { v.PeerForm = typed })
	}
	return p.done(c, templates.ZonePath(zone.Name), peer.Name+" may transfer the zone now.")
}

func (p *Panel) removePeer(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	name := field("peer_name")
	err = p.changePeers(c.Request().Context(), who.actor, zoneParam(c), func(peers []sites.Peer) ([]sites.Peer, error) {
		at := slices.IndexFunc(peers, func(peer sites.Peer) bool { return peer.Name == name })
		if at < 0 {
			return nil, sites.Refuse(sites.ErrNotFound, "The zone has no secondary named %q.", name)
		}
		return slices.Delete(peers, at, at+1), nil
	})
	if err != nil {
		return p.declined(c, templates.ZonePath(zoneParam(c)), err)
	}
	return p.done(c, templates.ZonePath(zoneParam(c)), name+" may not transfer the zone any more.")
}

func (p *Panel) setPrimaries(c echo.Context, who visitor) error {
	field, err := form(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	zone, err := p.service.Zone(ctx, who.actor, zoneParam(c))
	if err != nil {
		return err
	}
	primaries, err := readPrimaries(field("primaries"))
	if err == nil {
		_, err = p.service.UpdateZone(ctx, who.actor, zone.Name, sites.ZoneUpdate{Primaries: &primaries})
	}
	if err != nil {
		wrong, err := faults(err, "primaries")
		if err != nil {
			return err
		}
		return p.renderZone(c, who, http.StatusUnprocessableEntity, zone, func(v *templates.ZoneView) {
			v.PrimariesForm = templates.PrimariesForm{Text: field("primaries"), Fault: wrong["primaries"]}
		})
	}
	return p.done(c, templates.ZonePath(zone.Name), "The primaries are changed.")
}

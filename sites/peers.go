package sites

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Bounds of what a zone can name: more would be a mistake, and each is asked or told of every change.
const (
	maxPeers     = 24
	maxNotify    = 16 // addresses of a peer
	maxFrom      = 32 // prefixes of a peer
	maxPrimaries = 16
	maxPeerName  = 64 // bytes
)

// validate checks what the zone says of other nameservers, and brings it into its canonical form.
func (z *Zone) validate(ctx context.Context, r ZoneReader) error {
	keys, err := r.TSIGKeys(ctx)
	if err != nil {
		return err
	}
	known := func(name string) bool {
		return name == "" || slices.ContainsFunc(keys, func(k TSIGKey) bool { return k.Name == name })
	}
	if z.Signed && z.Kind == ZoneSecondary {
		return RefuseField(ErrInvalid, "signed", "A secondary zone is served as its primary has signed it.")
	}
	if err := z.validatePrimaries(known); err != nil {
		return err
	}
	if len(z.Peers) > maxPeers {
		return RefuseField(ErrInvalid, "peers", "A zone can have at most %d peers.", maxPeers)
	}
	z.Peers = slices.Clone(z.Peers)
	for i := range z.Peers {
		if err := z.Peers[i].canonical(); err != nil {
			return err
		}
		name := z.Peers[i].Name
		if slices.ContainsFunc(z.Peers[:i], func(p Peer) bool { return p.Name == name }) {
			return RefuseField(ErrInvalid, "peers", "There are two peers named %q. Give each its own name.", name)
		}
		if !known(z.Peers[i].Key) {
			return RefuseField(ErrInvalid, "peers", "The peer %s names the TSIG key %q, which does not exist.", name, z.Peers[i].Key)
		}
	}
	return nil
}

func (z *Zone) validatePrimaries(known func(string) bool) error {
	switch {
	case z.Kind != ZoneSecondary && len(z.Primaries) > 0:
		return RefuseField(ErrInvalid, "primaries", "Only a secondary zone has primaries.")
	case z.Kind == ZoneSecondary && len(z.Primaries) == 0:
		return RefuseField(ErrInvalid, "primaries", "Give the address of at least one primary that the zone is transferred from.")
	case len(z.Primaries) > maxPrimaries:
		return RefuseField(ErrInvalid, "primaries", "A zone can have at most %d primaries.", maxPrimaries)
	}
	z.Primaries = slices.Clone(z.Primaries)
	for i, p := range z.Primaries {
		p.Addr, p.Key = unmapped(p.Addr), CanonicalHost(p.Key)
		if sentence := unusable(p.Addr); sentence != "" {
			return RefuseField(ErrInvalid, "primaries", "%s", sentence)
		}
		if !known(p.Key) {
			return RefuseField(ErrInvalid, "primaries", "The primary %s names the TSIG key %q, which does not exist.", p.Addr, p.Key)
		}
		z.Primaries[i] = p
	}
	return nil
}

// canonical checks a peer apart from the others.
func (p *Peer) canonical() error {
	p.Name, p.Key = strings.TrimSpace(p.Name), CanonicalHost(strings.TrimSpace(p.Key))
	p.Notify, p.From = slices.Clone(p.Notify), slices.Clone(p.From)
	refuse := func(format string, args ...any) error {
		return RefuseField(ErrInvalid, "peers", "The peer %q: %s", p.Name, fmt.Sprintf(format, args...))
	}
	switch {
	case p.Name == "" || len(p.Name) > maxPeerName:
		return RefuseField(ErrInvalid, "peers", "Give each peer a name of at most %d bytes.", maxPeerName)
	case len(p.From) == 0 && p.Key == "":
		return refuse("give the addresses that it transfers from, a TSIG key, or both. Otherwise everybody could.")
	case len(p.Notify) > maxNotify:
		return refuse("at most %d addresses can be notified.", maxNotify)
	case len(p.From) > maxFrom:
		return refuse("it can have at most %d address ranges.", maxFrom)
	}
	for i, addr := range p.Notify {
		p.Notify[i] = unmapped(addr)
		if sentence := unusable(p.Notify[i]); sentence != "" {
			return refuse("%s", sentence)
		}
	}
	for i, prefix := range p.From {
		switch {
		case !prefix.IsValid() || prefix.Addr().Zone() != "":
			return refuse("an address range is written like 192.0.2.0/24 or 2001:db8::/32.")
		case prefix.Addr().Is4In6():
			return refuse("write %s as an IPv4 range.", prefix)
		case prefix.Bits() == 0 && p.Key == "":
			return refuse("%s is everybody; that needs a TSIG key.", prefix)
		}
		p.From[i] = prefix.Masked()
	}
	return nil
}

func unmapped(addr netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// unusable says why a nameserver cannot be reached at an address; empty: it can.
func unusable(addr netip.AddrPort) string {
	switch {
	case !addr.Addr().IsValid():
		return "An address is written like 192.0.2.1:53 or [2001:db8::1]:53."
	case addr.Port() == 0:
		return fmt.Sprintf("%s needs a port, usually 53.", addr.Addr())
	case addr.Addr().IsUnspecified() || addr.Addr().IsMulticast():
		return fmt.Sprintf("%s is not the address of one server.", addr.Addr())
	}
	return ""
}

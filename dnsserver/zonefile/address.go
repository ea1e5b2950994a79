package zonefile

import (
	"net/netip"
)

func readA(d *data) (value, error) {
	addr, text, err := d.address()
	switch {
	case err != nil:
		return value{}, err
	case addr.Is4():
		return value{data: addr.String()}, nil
	case addr.Is6():
		return value{}, invalid("data", "%s is an IPv6 address, and an A record holds an IPv4 address. Choose the type AAAA.", shown(text))
	}
	return value{}, invalid("data", "An A record holds an IPv4 address such as 192.0.2.10; %s is none.", shown(text))
}

func readAAAA(d *data) (value, error) {
	addr, text, err := d.address()
	switch {
	case err != nil:
		return value{}, err
	case addr.Is6() && addr.Zone() == "":
		return value{data: addr.String()}, nil
	case addr.Is4():
		return value{}, invalid("data", "%s is an IPv4 address, and an AAAA record holds an IPv6 address. Choose the type A.", shown(text))
	}
	return value{}, invalid("data", "An AAAA record holds an IPv6 address such as 2001:db8::10; %s is none.", shown(text))
}

// address reads the only field as an address; one that is none is not valid.
func (d *data) address() (netip.Addr, string, error) {
	if len(d.fields) > 1 {
		return netip.Addr{}, "", invalid("data", "%s holds one address. Enter a record for each further one.", d.kind.article())
	}
	texts, err := d.need(1)
	if err != nil {
		return netip.Addr{}, "", err
	}
	addr, _ := netip.ParseAddr(texts[0])
	return addr, texts[0], nil
}

package lookup

import (
	"net/netip"
	"testing"
)

func TestPublicAddresses(t *testing.T) {
	for addr, want := range map[string]bool{
		"9.9.9.9": true, "2620:fe::fe": true, "101.64.0.1": true,
		"127.0.0.1": false, "10.0.0.53": false, "192.168.1.1": false, "169.254.1.1": false, "100.64.0.1": false, "0.0.0.1": false, "198.19.0.1": false,
		"240.0.0.1": false, "255.255.255.255": false, "224.0.0.1": false,
		"::1": false, "::": false, "::10.0.0.1": false, "fe80::1": false, "fd00::1": false, "fec0::1": false, "ff02::1": false,
		"64:ff9b::10.0.0.1": false, "2002:a00:1::1": false,
	} {
		if public(netip.MustParseAddr(addr)) != want {
			t.Errorf("public(%s) is %t", addr, !want)
		}
	}
}

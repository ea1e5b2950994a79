package delegation

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"berth/dnsserver/dnsclient"
	"berth/sites"

	"github.com/miekg/dns"
)

// DSAtParent returns the DS records that the zone's parent publishes, none if it has none, and the time that caches keep
// them. An error says that the parent could not be asked, or does not delegate the zone.
func DSAtParent(ctx context.Context, cfg Config, zone string) ([]sites.DS, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, overall)
	defer cancel()
	zone = sites.CanonicalHost(zone)
	v, err := cfg.withDefaults().look(ctx, zone)
	if err != nil {
		return nil, 0, fmt.Errorf("ask the parent of %s for DS records: %w", zone, err)
	}
	if len(v.nameservers) == 0 {
		return nil, 0, fmt.Errorf("ask the parent of %s for DS records: %s does not delegate it", zone, v.parent)
	}
	return v.ds, v.dsTTL, nil
}

// dsOf asks a nameserver of the parent for the DS records, which are the parent's own (RFC 4035 section 3.1.4.1).
func (c Config) dsOf(ctx context.Context, server netip.AddrPort, zone string) ([]sites.DS, time.Duration, error) {
	answer, err := c.client().Ask(ctx, server, dnsclient.Question{Name: zone, Type: dns.TypeDS})
	if err != nil {
		return nil, 0, err
	}
	if answer.Rcode != dns.RcodeSuccess {
		return nil, 0, fmt.Errorf("ask %s for DS records: the answer is %s", server, dns.RcodeToString[answer.Rcode])
	}
	var found []sites.DS
	var ttl time.Duration
	for _, rr := range answer.Answer {
		if ds, ok := rr.(*dns.DS); ok && dnsclient.SameName(ds.Hdr.Name, zone) {
			found = append(found, asDS(ds))
			ttl = time.Duration(ds.Hdr.Ttl) * time.Second
		}
	}
	return found, ttl, nil
}

func asDS(ds *dns.DS) sites.DS {
	return sites.DS{KeyTag: ds.KeyTag, Algorithm: ds.Algorithm, DigestType: ds.DigestType, Digest: strings.ToUpper(ds.Digest)}
}

func dsText(ds sites.DS) string {
	return fmt.Sprintf("%d %d %d %s", ds.KeyTag, ds.Algorithm, ds.DigestType, strings.ToUpper(ds.Digest))
}

// keysOf returns the zone's keys, as one of its nameservers tells them.
func (c Config) keysOf(ctx context.Context, server netip.AddrPort, zone string) []*dns.DNSKEY {
	answer, err := c.client().Ask(ctx, server, dnsclient.Question{Name: zone, Type: dns.TypeDNSKEY})
	if err != nil {
		return nil
	}
	var keys []*dns.DNSKEY
	for _, rr := range answer.Answer {
		if key, ok := rr.(*dns.DNSKEY); ok && dnsclient.SameName(key.Hdr.Name, zone) {
			keys = append(keys, key)
		}
	}
	return keys
}

// names holds for a DS record of one of the keys, with whatever digest.
func names(ds sites.DS, keys []*dns.DNSKEY) bool {
	for _, key := range keys {
		if made := key.ToDS(ds.DigestType); made != nil && asDS(made) == ds {
			return true
		}
	}
	return false
}

package zone

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// policy is the SPF record (RFC 7208) of names that send no mail.
const policy = "v=spf1 -all"

// offers is what berth itself says, by role and for sites. The sets have no owner name: all sites share one value.
// Writers alone use it.
type offers struct {
	roles [roleApex + 1][]*Set
	site  []*Set
	main  bool // these are of the main zone

	issuers *Set   // CAA at the apex, nil for none
	keys    []*Set // DNSKEY, CDS and CDNSKEY at the apex of a signed zone
}

// makeOffers builds the records that follow from the configuration.
func (z *Zone) makeOffers(cfg Config) error {
	rrs := make([]dns.RR, len(cfg.Nameservers))
	for i, host := range cfg.Nameservers {
		rrs[i] = &dns.NS{Hdr: dns.RR_Header{Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: dns.Fqdn(host)}
	}
	nameservers, err := z.origin.newSet(nameserverTTL, rrs...)
	if err != nil {
		return fmt.Errorf("nameservers: %w", err)
	}
	service, err := z.serviceSet(cfg)
	if err != nil {
		return fmt.Errorf("HTTPS record: %w", err)
	}
	z.offers.site = append(addressSets(siteTTL, cfg), service)
	if cfg.Main {
		mute, err := z.muteSets()
		if err != nil {
			return fmt.Errorf("records of names without mail: %w", err)
		}
		z.offers.site = append(z.offers.site, mute...)
	}
	slices.SortFunc(z.offers.site, byType)
	z.offers.main = cfg.Main
	z.offers.roles[roleHost], z.offers.roles[roleWWW] = z.offers.site, z.offers.site
	z.offers.roles[roleNameserver] = addressSets(nameserverTTL, cfg)
	z.offers.roles[roleApex] = []*Set{nameservers}
	if cfg.Main {
		z.offers.roles[roleApex] = append(slices.Clone(z.offers.site), nameservers)
		if cfg.mailsApex() { // the SOA record says that somebody reads mail here
			z.offers.roles[roleApex] = slices.DeleteFunc(z.offers.roles[roleApex], func(s *Set) bool { return s.Type == dns.TypeMX })
		}
	}
	return nil
}

func addressSets(ttl uint32, cfg Config) (sets []*Set) {
	if len(cfg.IPv4) > 0 {
		sets = append(sets, addressSet(dns.TypeA, ttl, cfg.IPv4))
	}
	if len(cfg.IPv6) > 0 {
		sets = append(sets, addressSet(dns.TypeAAAA, ttl, cfg.IPv6))
	}
	return sets
}

// serviceSet is the HTTPS record of names that the proxy serves (RFC 9460 section 9).
func (z *Zone) serviceSet(cfg Config) (*Set, error) {
	rr := &dns.HTTPS{SVCB: dns.SVCB{
		Hdr: dns.RR_Header{Rrtype: dns.TypeHTTPS, Class: dns.ClassINET}, Priority: 1, Target: ".",
	}}
	if len(cfg.ALPN) > 0 {
		rr.Value = append(rr.Value, &dns.SVCBAlpn{Alpn: cfg.ALPN})
	}
	if len(cfg.IPv4) > 0 {
		rr.Value = append(rr.Value, &dns.SVCBIPv4Hint{Hint: ips(cfg.IPv4)})
	}
	if len(cfg.IPv6) > 0 {
		rr.Value = append(rr.Value, &dns.SVCBIPv6Hint{Hint: ips(cfg.IPv6)})
	}
	return z.origin.newSet(siteTTL, rr)
}

func ips(addrs []netip.Addr) (list []net.IP) {
	for _, addr := range addrs {
		list = append(list, addr.AsSlice())
	}
	return list
}

// muteSets say that a name neither receives (RFC 7505) nor sends mail.
func (z *Zone) muteSets() ([]*Set, error) {
	mx, err := z.origin.newSet(siteTTL, &dns.MX{Hdr: dns.RR_Header{Rrtype: dns.TypeMX, Class: dns.ClassINET}, Mx: "."})
	if err != nil {
		return nil, err
	}
	return []*Set{mx, {Type: dns.TypeTXT, TTL: siteTTL, Records: []Record{{Head: textData(policy)}}}}, nil
}

// of is what berth offers at a name of its own accord.
func (o *offers) of(e *entry) []*Set {
	switch {
	case e.role == roleApex:
		own := slices.Concat(o.roles[roleApex], o.keys)
		if e.site && indexOf(own, dns.TypeHTTPS) < 0 {
			own = append(own, o.site...)
		}
		if o.issuers != nil {
			own = append(own, o.issuers)
		}
		slices.SortFunc(own, byType)
		return own
	case e.role != roleNone:
		return o.roles[e.role]
	case e.site:
		return o.site
	}
	return nil
}

// sets is what there is at a name, but for NSEC: berth's own and what people have entered in its place. A CNAME that
// is not alone is left out (RFC 1034 section 3.6.2). Of delegated names and below them, there is no more than the delegation
// needs.
func (o *offers) sets(e *entry) []*Set {
	own, people := o.of(e), e.people.without(func(rrtype uint16) bool { return o.prevails(e.role, rrtype) })
	if people == nil {
		if e.covered {
			return glue(own)
		}
		return own
	}
	cut := e.role != roleApex && people.of(dns.TypeNS) != nil
	if cut {
		own = nil
	}
	sets := append(people.kept(own), people.shown(own)...)
	slices.SortFunc(sets, byType)
	switch {
	case e.covered:
		return glue(sets)
	case cut:
		return slices.DeleteFunc(sets, func(s *Set) bool { return s.Type != dns.TypeNS && s.Type != dns.TypeDS && !isAddress(s.Type) })
	case len(sets) > 1:
		return slices.DeleteFunc(sets, func(s *Set) bool { return s.Type == dns.TypeCNAME })
	}
	return sets
}

// prevails reports whether berth's own stands at a name of the main zone whatever people have entered there, before the name
// came to be berth's: such records would have the panel or a nameserver vanish.
func (o *offers) prevails(r role, rrtype uint16) bool {
	if !o.main || r == roleNone {
		return false
	}
	switch rrtype {
	case dns.TypeNS, dns.TypeDS, dns.TypeCNAME:
		return true
	case dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS:
		return r != roleWWW
	}
	return false
}

// kept is what remains of berth's own sets but TXT: those of no entered type, and the HTTPS record, which has hints, only with
// berth's own addresses.
func (p *people) kept(own []*Set) []*Set {
	return slices.DeleteFunc(slices.Clone(own), func(s *Set) bool {
		switch {
		case s.Type == dns.TypeTXT, p.of(s.Type) != nil:
			return true
		case s.Type == dns.TypeHTTPS:
			return p.of(dns.TypeA) != nil || p.of(dns.TypeAAAA) != nil
		}
		return false
	})
}

// shown is what people have put there, and all TXT records. Our SPF record is among them unless they have given one, or receive
// mail at the name: then they may send it, too.
func (p *people) shown(own []*Set) (sets []*Set) {
	text := &Set{Type: dns.TypeTXT}
	for _, in := range p.entered {
		if in.set.Type != dns.TypeTXT {
			sets = append(sets, in.set)
			continue
		}
		text = in.set
	}
	if i := indexOf(own, dns.TypeTXT); i >= 0 && !text.hasPolicy() && p.of(dns.TypeMX) == nil {
		ttl := own[i].TTL
		if len(text.Records) > 0 {
			ttl = text.TTL
		}
		text = &Set{Type: dns.TypeTXT, TTL: ttl, Records: slices.Concat(text.Records, own[i].Records)}
	}
	if len(p.challenges) > 0 {
		text = challengeSet(text, p.challenges)
	}
	if len(text.Records) > 0 {
		sets = append(sets, text)
	}
	return sets
}

// hasPolicy reports whether there is an SPF record among TXT records, whatever it says.
func (s *Set) hasPolicy() bool {
	return slices.ContainsFunc(s.Records, func(r Record) bool {
		var text strings.Builder
		for data := r.AppendData(nil); len(data) > 0; data = data[1+int(data[0]):] {
			text.Write(data[1 : 1+int(data[0])])
		}
		version, _, _ := strings.Cut(text.String(), " ")
		return strings.EqualFold(version, "v=spf1")
	})
}

// glue is what counts of names below a delegation.
func glue(sets []*Set) []*Set {
	return slices.DeleteFunc(slices.Clone(sets), func(s *Set) bool { return !isAddress(s.Type) })
}

func isAddress(rrtype uint16) bool { return rrtype == dns.TypeA || rrtype == dns.TypeAAAA }

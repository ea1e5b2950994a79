package lookup

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"berth/dnsserver/dnsclient"
	"berth/sites"

	"github.com/miekg/dns"
)

// Look returns what the world is told of a name. An error says that nobody gave an answer of use to the question where it leads;
// what proves and forbids is left out where that alone could not be had.
func Look(ctx context.Context, cfg Config, name string) (sites.DomainView, error) {
	ctx, cancel := context.WithTimeout(ctx, overall)
	defer cancel()
	c := cfg.withDefaults()
	name = sites.CanonicalHost(name)
	l := look{Config: c, direct: c.responsive(ctx, c.servers(ctx, name), name)}

	var view sites.DomainView
	var four, six path
	var failed [2]error
	var asking sync.WaitGroup
	asking.Go(func() { four, failed[0] = l.follow(ctx, name, dns.TypeA) })
	asking.Go(func() { six, failed[1] = l.follow(ctx, name, dns.TypeAAAA) })
	asking.Go(func() { view.Texts = l.texts(ctx, sites.TextName(name)) })
	asking.Go(func() { view.IssuersAt, view.Issuers = l.issuers(ctx, name) })
	asking.Wait()
	for _, err := range failed {
		if err != nil {
			return sites.DomainView{}, fmt.Errorf("look at %s: %w", name, err)
		}
	}
	view.Aliases = four.aliases
	if len(six.aliases) > len(four.aliases) {
		view.Aliases = six.aliases
	}
	view.Addresses = slices.Concat(four.addresses, six.addresses)
	return view, nil
}

// look is one look at a name.
type look struct {
	Config
	direct netip.AddrPort // a nameserver of the name's zone; not valid: none answers
}

// path is where a name leads.
type path struct {
	aliases   []string
	addresses []netip.Addr
}

// ask asks the nameserver of the zone, and the resolver where it does not answer.
func (l look) ask(ctx context.Context, name string, rrtype uint16) (*dns.Msg, error) {
	if l.direct.IsValid() {
		if answer, err := l.Config.ask(ctx, l.direct, dnsclient.Question{Name: name, Type: rrtype}); err == nil {
			return answer, nil
		}
	}
	return l.resolve(ctx, name, rrtype)
}

// follow follows a name's aliases to addresses, or to a name of the main zone. Beyond the name's own zone the resolver is asked.
func (l look) follow(ctx context.Context, name string, rrtype uint16) (p path, err error) {
	ask := l.ask
	for {
		answer, err := ask(ctx, name, rrtype)
		if err != nil {
			// The resolver may have failed further on. Where the name itself leads, it may know.
			if answer = l.alias(ctx, name); answer == nil {
				return p, err
			}
		}
		chain := aliases(answer, name)
		for _, alias := range chain {
			p.aliases = append(p.aliases, alias)
			if alias == l.Zone || strings.HasSuffix(alias, "."+l.Zone) {
				return p, nil
			}
		}
		p.addresses = addresses(answer)
		if len(chain) == 0 || len(p.addresses) > 0 || len(p.aliases) > maxAliases {
			return p, nil
		}
		name, ask = chain[len(chain)-1], l.resolve
	}
}

// alias asks the resolver for a name's CNAME record alone; nil: it has none, or nobody knows.
func (l look) alias(ctx context.Context, name string) *dns.Msg {
	answer, err := l.resolve(ctx, name, dns.TypeCNAME)
	if err != nil || len(aliases(answer, name)) == 0 {
		return nil
	}
	return answer
}

// aliases is the chain of CNAME records that leads on from a name, within one answer.
func aliases(m *dns.Msg, name string) (chain []string) {
	for range maxAliases {
		at := slices.IndexFunc(m.Answer, func(rr dns.RR) bool {
			_, ok := rr.(*dns.CNAME)
			return ok && dnsclient.SameName(rr.Header().Name, name)
		})
		if at < 0 {
			break
		}
		name = sites.CanonicalHost(m.Answer[at].(*dns.CNAME).Target)
		chain = append(chain, name)
	}
	return chain
}

// texts are the values of a name's TXT records.
func (l look) texts(ctx context.Context, name string) (values []string) {
	answer, err := l.ask(ctx, name, dns.TypeTXT)
	if err != nil {
		return nil
	}
	for _, rr := range answer.Answer {
		if text, ok := rr.(*dns.TXT); ok {
			values = append(values, strings.Join(text.Txt, ""))
		}
	}
	return values
}

// issuers are the authorities that the CAA records which count allow to issue, and where those stand: at the closest name upwards
// that has some (RFC 8659 section 3).
func (l look) issuers(ctx context.Context, name string) (at string, allowed []string) {
	for ; strings.Contains(name, "."); _, name, _ = strings.Cut(name, ".") { // top-level domains have none
		answer, err := l.resolve(ctx, name, dns.TypeCAA)
		if err != nil {
			return "", nil
		}
		restricted := false
		for _, rr := range answer.Answer {
			if caa, ok := rr.(*dns.CAA); ok && strings.EqualFold(caa.Tag, "issue") {
				issuer, _, _ := strings.Cut(caa.Value, ";")
				restricted, allowed = true, append(allowed, strings.ToLower(strings.TrimSpace(issuer)))
			}
		}
		if restricted {
			return name, allowed
		}
		if slices.ContainsFunc(answer.Answer, func(rr dns.RR) bool { return rr.Header().Rrtype == dns.TypeCAA }) {
			return "", nil // these say nothing about who may issue, and none above them counts
		}
	}
	return "", nil
}

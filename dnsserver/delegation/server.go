package delegation

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"

	"berth/dnsserver/dnsclient"
	"berth/sites"

	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
)

// visit is what a nameserver of the zone did when it was asked as the world would ask it.
type visit struct {
	host     string
	addr     netip.Addr
	answers  bool // with authority, over UDP
	unasked  bool // it could not be asked from here
	noRoute  bool // because nothing leads from here to its address
	kind     sites.FindingKind
	sentence string // what is wrong; empty: nothing
}

// visitAll asks the nameservers that the parent names, at the addresses that the world has of them.
func (c Config) visitAll(ctx context.Context, zone string, v view) []visit {
	hosts := v.nameservers[:min(len(v.nameservers), maxServers)]
	perHost := make([][]visit, len(hosts))
	inParallel(len(hosts), func(i int) { perHost[i] = c.visitsOf(ctx, zone, hosts[i], v) })
	visits := slices.Concat(perHost...)
	inParallel(len(visits), func(i int) {
		if visits[i].addr.IsValid() {
			visits[i] = c.visit(ctx, zone, visits[i].host, visits[i].addr)
		}
	})
	return slices.DeleteFunc(slices.Clone(visits), func(v visit) bool { return v.noRoute && answersElsewhere(v.host, visits) })
}

// answersElsewhere holds for a nameserver that answers at one of its addresses.
func answersElsewhere(host string, visits []visit) bool {
	return slices.ContainsFunc(visits, func(v visit) bool { return v.host == host && v.answers })
}

// inParallel calls f for 0 to n-1, some at a time, and waits for all.
func inParallel(n int, f func(i int)) {
	var group errgroup.Group
	group.SetLimit(maxAtOnce)
	for i := range n {
		group.Go(func() error {
			f(i)
			return nil
		})
	}
	_ = group.Wait()
}

// visitsOf returns the visits that are to be made to a nameserver, or one that says why none can be.
func (c Config) visitsOf(ctx context.Context, zone, host string, v view) []visit {
	addrs := v.glue[host]
	if !within(host, zone) || len(addrs) == 0 && v.both {
		addrs = c.addresses(ctx, host)
		if len(addrs) == 0 {
			return []visit{{host: host, kind: sites.FindingUnreachable, sentence: fmt.Sprintf(
				"The nameserver %s has no address that the resolver %s knows. Give it A or AAAA records, or replace it.", host, c.Resolver)}}
		}
	}
	visits := make([]visit, min(len(addrs), maxAddresses))
	for i := range visits {
		visits[i] = visit{host: host, addr: addrs[i]}
	}
	return visits
}

// visit asks one address for the SOA record, over both transports.
func (c Config) visit(ctx context.Context, zone, host string, addr netip.Addr) visit {
	q, server := dnsclient.Question{Name: zone, Type: dns.TypeSOA}, netip.AddrPortFrom(addr, port)
	tcp := make(chan error, 1)
	go func() {
		_, err := c.client().Once(ctx, "tcp", server, q)
		tcp <- err
	}()
	answer, err := c.client().Ask(ctx, server, q)
	tcpErr := <-tcp
	vis := visit{host: host, addr: addr, kind: sites.FindingUnreachable}
	switch {
	case ctx.Err() != nil:
		vis.unasked = true
		vis.sentence = fmt.Sprintf("The nameserver %s was not asked at %s for want of time. Check again.", host, addr)
	case errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL):
		vis.unasked, vis.noRoute = true, true
		vis.sentence = fmt.Sprintf("The nameserver %s could not be asked at %s: this server has no way there.", host, addr)
	case err != nil && tcpErr != nil:
		vis.sentence = fmt.Sprintf("The nameserver %s does not answer at %s. Let UDP and TCP port 53 through to it, or correct its address.", host, addr)
	case err != nil:
		vis.sentence = fmt.Sprintf("The nameserver %s answers at %s over TCP alone. Let UDP port 53 through to it, too.", host, addr)
	case !hasAuthority(answer, zone):
		vis.kind = sites.FindingLame
		vis.sentence = fmt.Sprintf("The nameserver %s (%s) %s. Add the zone there, or take the nameserver out of the delegation.", host, addr, lameness(answer, zone))
	default:
		vis.answers = true
		if tcpErr != nil {
			vis.sentence = fmt.Sprintf("The nameserver %s answers at %s over UDP alone. Let TCP port 53 through to it, too: long answers need it.", host, addr)
		}
	}
	return vis
}

func hasAuthority(m *dns.Msg, zone string) bool {
	return m.Rcode == dns.RcodeSuccess && m.Authoritative && slices.ContainsFunc(m.Answer, func(rr dns.RR) bool {
		return rr.Header().Rrtype == dns.TypeSOA && dnsclient.SameName(rr.Header().Name, zone)
	})
}

// lameness says how a nameserver shows that it does not have the zone.
func lameness(m *dns.Msg, zone string) string {
	if m.Rcode != dns.RcodeSuccess {
		return fmt.Sprintf("answers questions for %s with %s", zone, dns.RcodeToString[m.Rcode])
	}
	return fmt.Sprintf("answers questions for %s without authority", zone)
}

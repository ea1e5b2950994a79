package main

import (
	"cmp"
	"net"
	"slices"
	"strings"

	"berth/dnsserver/transfer"
	"berth/panel"
	"berth/sites"
)

// servers tells the status page what faces the network.
func (p *program) servers() []panel.ServerInfo {
	return []panel.ServerInfo{p.dnsInfo(), p.edgeInfo(), p.certificatesInfo()}
}

func (p *program) dnsInfo() panel.ServerInfo {
	stats := p.dns.Stats()
	trouble := ""
	if stats.Unrevised {
		trouble = "The last renewal of signatures could not be recorded: see the log. After a day, signatures are renewed all the same."
	}
	return panel.ServerInfo{
		Name:  "DNS",
		Err:   trouble,
		Addrs: p.bound.dnsAddrs(),
		Counters: []panel.Counter{
			{Label: "Names", Value: int64(stats.Names)},
			{Label: "Serial", Value: int64(stats.Serial)},
			{Label: "Failed", Value: int64(stats.Failed)},
		},
		Groups: []panel.CounterGroup{
			{Label: "Queries by transport", Counters: []panel.Counter{
				{Label: "UDP", Value: int64(stats.UDP)}, {Label: "TCP", Value: int64(stats.TCP)}, {Label: "TLS", Value: int64(stats.TLS)},
			}},
			{Label: "By type", Counters: mostOften(stats.Types)},
			{Label: "By answer", Counters: mostOften(stats.Rcodes)},
			{Label: "Rate-limited", Counters: []panel.Counter{
				{Label: "cut short", Value: int64(stats.Slipped)}, {Label: "not answered", Value: int64(stats.Limited)},
			}},
			{Label: "Transfers to others", Counters: transfers(stats.Transfers, "out")},
			{Label: "Transfers from others", Counters: transfers(stats.Transfers, "in")},
		},
	}
}

// transfers are the counters of one direction that have counted something.
func transfers(outcomes map[transfer.Outcome]uint64, direction string) []panel.Counter {
	results := map[string]string{"done": "", "whole": ", whole zone", "soa": ", SOA alone", "refused": ", refused", "failed": ", failed"}
	counts := make(map[string]uint64)
	for o, n := range outcomes {
		if o.Direction == direction && n > 0 {
			counts[strings.ToUpper(o.Kind)+results[o.Result]] = n
		}
	}
	return mostOften(counts)
}

// mostOften puts the greatest counts first.
func mostOften(counts map[string]uint64) []panel.Counter {
	list := make([]panel.Counter, 0, len(counts))
	for label, n := range counts {
		list = append(list, panel.Counter{Label: label, Value: int64(n)})
	}
	slices.SortFunc(list, func(a, b panel.Counter) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), cmp.Compare(a.Label, b.Label))
	})
	return list
}

func (p *program) edgeInfo() panel.ServerInfo {
	stats, visits := p.edge.Stats(), p.visits.Stats()
	return panel.ServerInfo{
		Name:  "HTTPS",
		Err:   visits.Err,
		Addrs: append(listenAddrs(p.bound.http), listenAddrs(p.bound.https)...),
		Counters: []panel.Counter{
			{Label: "Hosts", Value: int64(stats.Hosts)},
			{Label: "Requests", Value: int64(stats.Served)},
			{Label: "In flight", Value: int64(stats.InFlight)},
			{Label: "Without an answer", Value: int64(stats.Failures)},
			{Label: "Sent to another instance", Value: int64(stats.Retries)},
			{Label: "Instances left out", Value: int64(stats.LeftOut)},
			{Label: "From the cache", Value: int64(stats.Cache.Hits)},
			{Label: "Not in the cache", Value: int64(stats.Cache.Misses)},
			{Label: "Stale from the cache", Value: int64(stats.Cache.Stale)},
			{Label: "Responses kept", Value: int64(stats.Cache.Entries)},
			{Label: "KB kept", Value: int64(stats.Cache.Bytes >> 10)},
			{Label: "Missing in access logs", Value: int64(stats.Unlogged + visits.Lost)},
		},
	}
}

func (p *program) certificatesInfo() panel.ServerInfo {
	info := panel.ServerInfo{Name: "Certificates"}
	certificates := p.certs.Certificates()
	failed := 0
	for _, c := range certificates {
		if c.State == sites.CertificateFailed {
			failed++
		}
	}
	info.Err = missingCertificate(p.cfg.Zone, certificates)
	info.Counters = []panel.Counter{
		{Label: "Certificates", Value: int64(len(certificates))},
		{Label: "Last order failed", Value: int64(failed)},
	}
	return info
}

// missingCertificate says which of the zone's own names has no certificate of the CA, and why; empty when both have one. All
// sites hang on the wildcard, so it comes first.
func missingCertificate(zone string, certificates []sites.Certificate) string {
	for _, host := range []string{"*." + zone, zone} {
		at := slices.IndexFunc(certificates, func(c sites.Certificate) bool { return c.Host == host })
		switch {
		case at < 0:
			return "There is no certificate for " + host + " yet."
		case certificates[at].State != sites.CertificateValid:
			return strings.TrimSpace("There is no certificate for " + host + " yet. " + certificates[at].LastError)
		}
	}
	return ""
}

func (s *sockets) dnsAddrs() []string {
	return listenAddrs(s.dnsTCP)
}

func listenAddrs(listeners []net.Listener) []string {
	addrs := make([]string, len(listeners))
	for i, l := range listeners {
		addrs[i] = l.Addr().String()
	}
	return addrs
}

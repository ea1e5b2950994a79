package diagnosis

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"berth/sites"
)

// Server is what is known of the whole installation.
type Server struct {
	Now          time.Time
	Zone         string // the main one
	Ready        bool
	Parts        []Part
	Reached      []Reached // public addresses; nil: they were not asked
	Zones        []Zone
	Certificates []sites.Certificate
	Waits        []sites.CertificateWait
	Budgets      []sites.CertificateBudget
	Runtime      sites.RuntimeInfo
	DiskUsed     uint64 // bytes of the disk with the data directory
	DiskTotal    uint64 // 0: not known
	Sites        []sites.SiteStatus
	Silent       map[string]int // instances that do not answer, by site
}

// Part is one of the servers that run in the process.
type Part struct {
	Name      string
	Addresses []string
	Trouble   string // why it does not work; empty: it does
}

// Reached is who answers by HTTP at an address of this server.
type Reached struct {
	Addr netip.Addr
	Who  sites.Reach
}

// OfServer judges the installation.
func OfServer(s Server) Report {
	var l findings
	s.servers(&l)
	for _, z := range s.Zones {
		s.zone(&l, z)
	}
	s.certificates(&l)
	if s.Runtime.Err != "" {
		runtime(&l, Fault, TopicRuntime, s.Runtime)
	} else {
		l.ok(TopicRuntime, "%s answers.", strings.TrimSpace("The runtime "+s.Runtime.Name+" "+s.Runtime.Version))
	}
	s.disk(&l)
	s.sites(&l)
	s.queues(&l)
	return Report{Subject: s.Zone, Findings: l}
}

func (s Server) servers(l *findings) {
	if !s.Ready {
		l.add(Fault, TopicServers, "berth is still starting: not every site is served yet.", "Wait. If it takes minutes, look at its log.")
	}
	for _, p := range s.Parts {
		at := ""
		if len(p.Addresses) > 0 {
			at = " at " + and(p.Addresses)
		}
		if p.Trouble != "" {
			l.quote(Fault, TopicServers, p.Name+": "+p.Trouble, "Look at the log of berth.")
			continue
		}
		l.ok(TopicServers, "%s is up%s.", p.Name, at)
	}
	for _, r := range s.Reached {
		switch r.Who {
		case sites.ReachNothing:
			l.add(Warning, TopicServers, fmt.Sprintf("berth could not reach itself at %s, its port for HTTP.", r.Addr),
				"Have the firewall let port 80 in, and 443 and 53 with it. Behind a router this can be so all the same, and harmless.")
		case sites.ReachOther:
			l.add(Warning, TopicServers, fmt.Sprintf("Something else than berth answers at %s, its port for HTTP.", r.Addr),
				"See what has the port (ss -ltnp), or correct --public-ipv4 and --public-ipv6. Behind a router it can be the router, and harmless.")
		default:
			l.ok(TopicServers, "%s leads to this process.", r.Addr)
		}
	}
}

// zone judges how the world finds a zone, and how it is kept in step with others.
func (s Server) zone(l *findings, z Zone) {
	s.delegation(l, z)
	if !z.DSDue.IsZero() && !s.Now.Before(z.DSDue) {
		l.add(Warning, TopicZone, "The new key of "+z.Name+" waits for its DS record at the parent.", "Enter the DS line of the zone's page at the registrar.")
	}
	if sec := z.Status.Secondary; sec != nil {
		s.secondary(l, z, *sec)
	}
	for _, p := range z.Status.Peers {
		s.peer(l, z, p)
	}
}

func (s Server) delegation(l *findings, z Zone) {
	d := z.Delegation
	switch {
	case d.State == "":
	case len(d.Findings) == 0 && delegationLevel(d.State) == OK:
		l.ok(TopicZone, "%s", d.Sentence(z.Name))
	case len(d.Findings) == 0:
		l.quote(delegationLevel(d.State), TopicZone, d.Sentence(z.Name), "Look at the zone's page in the panel.")
	}
	for _, f := range d.Findings {
		level := Fault
		if f.Harmless() || d.State == sites.DelegationPartly || d.State == sites.DelegationUnknown {
			level = Warning
		}
		remedy := "The zone's page in the panel has the lines to enter, and looks again."
		if d.State == sites.DelegationUnknown {
			remedy = "See that the resolver answers (--resolver), then look again."
		}
		l.quote(level, TopicZone, f.Sentence, remedy)
	}
}

func (s Server) secondary(l *findings, z Zone, sec sites.SecondaryStatus) {
	switch {
	case sec.RefreshedAt.IsZero():
		l.add(Fault, TopicSecondaries, fmt.Sprintf("%s has not been transferred from its primary yet. %s", z.Name, sec.Err), "See that the primary allows the transfer.")
	case !s.Now.Before(sec.ExpiresAt):
		l.add(Fault, TopicSecondaries, fmt.Sprintf("%s has expired, so berth answers SERVFAIL for it. %s", z.Name, sec.Err), "See that the primary answers.")
	case sec.Err != "":
		l.add(Warning, TopicSecondaries, fmt.Sprintf("The last transfer of %s failed; it is answered until %s. %s", z.Name, moment(s.Now, sec.ExpiresAt), sec.Err), "See that the primary answers.")
	default:
		l.ok(TopicSecondaries, "%s is as its primary has it, since %s.", z.Name, moment(s.Now, sec.RefreshedAt))
	}
}

// peer judges a nameserver that fetches a zone from here.
func (s Server) peer(l *findings, z Zone, p sites.PeerStatus) {
	who, serial := p.Addr.Addr().String(), z.Status.Serial
	switch {
	case p.Served == serial:
		l.ok(TopicSecondaries, "The secondary %s has the newest %s.", who, z.Name)
	case p.Err != "":
		l.add(Warning, TopicSecondaries, fmt.Sprintf("The secondary %s is behind with %s: %s", who, z.Name, p.Err), "See that it runs, and that its configuration names this server as primary, with the same key.")
	case p.Served == 0:
		l.add(Warning, TopicSecondaries, fmt.Sprintf("The secondary %s has not fetched %s since berth started.", who, z.Name), "See that it runs, and that its configuration names this server as primary, with the same key.")
	default:
		l.add(Warning, TopicSecondaries, fmt.Sprintf("The secondary %s has version %d of %s, and %d is the newest.", who, p.Served, z.Name, serial), "Wait a minute. If it stays so, see that it allows NOTIFY from this server.")
	}
}

// most is how many of a kind a report names.
const most = 10

func (s Server) certificates(l *findings) {
	troubled := 0
	for _, c := range s.Certificates {
		own := c.Host == s.Zone || c.Host == "*."+s.Zone
		if certificateLevel(s.Now, c) == OK || c.State == sites.CertificatePending && !own {
			continue
		}
		if troubled++; troubled <= most {
			certificate(l, s.Now, TopicCertificates, c)
		}
	}
	switch {
	case troubled > most:
		l.add(Warning, TopicCertificates, fmt.Sprintf("%d more certificates have failed.", troubled-most), "Look at the list of certificates in the panel.")
	case troubled == 0:
		l.ok(TopicCertificates, "%s, none of which has failed.", sites.Plural(len(s.Certificates), "certificate"))
	}
	for _, w := range s.Waits {
		wait(l, s.Now, w)
	}
	budgets(l, TopicCertificates, s.Budgets)
}

func wait(l *findings, now time.Time, w sites.CertificateWait) {
	what, why := "nothing is asked of it", "it has not answered as it should"
	if w.Orders {
		what = "no first certificates in the zone are asked of it"
	}
	if w.Told {
		why = "it has refused, or wants to be left alone"
	}
	l.add(Warning, TopicCertificates, fmt.Sprintf("%s: %s before %s, since %s.", w.Authority, what, moment(now, w.Until), why),
		"Wait: berth goes on by itself then. The log of berth has what the authority said.")
}

// full is the share of the disk, in percent, from which on it is worth a word.
const full = 90

func (s Server) disk(l *findings) {
	if s.DiskTotal == 0 {
		return
	}
	free := s.DiskTotal - min(s.DiskTotal, s.DiskUsed)
	const remedy = "Make room: remove old files of others, or lower --access-log-mb. Sites go on meanwhile."
	switch {
	case free < sites.MinFree:
		l.add(Fault, TopicDisk, fmt.Sprintf("The disk is full: %s left, so uploads are refused.", sites.Size(int64(free))), remedy)
	case 100*float64(s.DiskUsed) >= full*float64(s.DiskTotal):
		l.add(Warning, TopicDisk, fmt.Sprintf("The disk is nearly full: %s left.", sites.Size(int64(free))), remedy)
	default:
		l.ok(TopicDisk, "The disk has room: %s left.", sites.Size(int64(free)))
	}
}

// sites tells of those that should run and do not, and of instances that are left out.
func (s Server) sites(l *findings) {
	failed, silent := 0, 0
	for _, site := range s.Sites {
		switch n := s.Silent[site.Name]; {
		case site.State == sites.StateFailed:
			if failed++; failed <= most {
				l.add(Fault, TopicSites, fmt.Sprintf("%s should run, and does not: %s", site.Name, lowerFirst(site.Reason)), "Run berth why "+site.Name+", or look at the site's page.")
			}
		case n > 0:
			if silent++; silent <= most {
				l.add(Warning, TopicSites, fmt.Sprintf("Of the %s of %s, %d gets no requests, as it fails.", sites.Plural(len(site.Serving), "instance"), site.Name, n), "Run berth why "+site.Name+", or look at the site's page.")
			}
		}
	}
	if more := max(failed-most, 0) + max(silent-most, 0); more > 0 {
		l.add(Fault, TopicSites, fmt.Sprintf("So it is with %s more.", sites.Plural(more, "site")), "Look at the list of all sites in the panel.")
	}
	if failed+silent == 0 {
		l.ok(TopicSites, "%s, none of which has failed.", sites.Plural(len(s.Sites), "site"))
	}
}

// queues tells what is under way.
func (s Server) queues(l *findings) {
	var said []string
	count := func(n int, noun, what string) {
		if n > 0 {
			said = append(said, sites.Plural(n, noun)+" "+what)
		}
	}
	var starting, unpacking, ordered int
	for _, site := range s.Sites {
		if site.State == sites.StateStarting {
			starting++
		}
		if site.Unpacking {
			unpacking++
		}
	}
	for _, c := range s.Certificates {
		if c.State == sites.CertificatePending {
			ordered++
		}
	}
	count(ordered, "certificate", "to come")
	count(starting, "site", "to start")
	count(unpacking, "upload", "to unpack")
	if len(said) == 0 {
		l.ok(TopicQueues, "Nothing is under way.")
		return
	}
	l.ok(TopicQueues, "Under way: %s.", strings.Join(said, ", "))
}

package panel

import (
	"context"
	"strings"
	"sync"
	"time"

	"berth/sites"
	"berth/sites/diagnosis"
)

// This file collects what the parts of berth know, for package diagnosis to judge.

// looking says whether the world is asked, too, which takes seconds.
type looking bool

const (
	lookNow  looking = true
	lookBack looking = false // only what was found last
)

// diagnose judges a site by name or host, any other name, or, where it is empty, the server. It is for admins.
func (p *Panel) diagnose(ctx context.Context, actor sites.Actor, name string) (diagnosis.Report, error) {
	if name == "" {
		state, err := p.installation(ctx, actor)
		if err != nil {
			return diagnosis.Report{}, err
		}
		return p.diagnoseServer(ctx, actor, state, lookNow)
	}
	use, err := p.service.NameUse(ctx, actor, name)
	switch {
	case err != nil:
		return diagnosis.Report{}, err
	case use.Site != "":
		return p.diagnoseSite(ctx, actor, use.Site, asked(name, use), nil)
	case len(use.Waiting) > 0:
		return p.diagnoseSite(ctx, actor, use.Waiting[0], use.Name, use.Waiting[1:])
	}
	return p.diagnoseName(ctx, actor, use)
}

// asked is the host that was asked about; empty where a site was.
func asked(typed string, use sites.NameUse) string {
	if !strings.Contains(typed, ".") {
		return ""
	}
	return use.Name
}

// diagnoseSite judges a site, or one host of it with it. Rivals are other sites that wait for that host.
func (p *Panel) diagnoseSite(ctx context.Context, actor sites.Actor, name, host string, rivals []string) (diagnosis.Report, error) {
	site, err := p.service.Site(ctx, actor, name)
	if err != nil {
		return diagnosis.Report{}, err
	}
	domains, err := p.service.Domains(ctx, actor, name)
	if err != nil {
		return diagnosis.Report{}, err
	}
	facts := diagnosis.Site{
		Now: time.Now(), Owner: !actor.Admin(), Asked: host, Status: site, Wanted: p.wanted(site.Site), InProcess: p.service.InProcess(),
		Warnings: p.service.OptionWarnings(site), Addresses: p.cfg.Addresses, Runtime: p.runtime(ctx),
	}
	for _, i := range site.Serving {
		facts.Troubles = append(facts.Troubles, p.trouble(i))
	}
	patience := lookPatience
	if facts.Owner {
		patience = ownerPatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if own := p.ownHost(site); host == "" || host == own {
		facts.Hosts = append(facts.Hosts, p.hostFacts(ctx, own))
	}
	for _, d := range domains {
		if host == "" || host == d.Name {
			h := p.hostFacts(ctx, d.Name)
			h.Domain, h.Rivals = &d, rivals
			facts.Hosts = append(facts.Hosts, h)
		}
	}
	return diagnosis.OfSite(facts), nil
}

const (
	lookPatience  = 10 * time.Second // for the world's DNS
	ownerPatience = 3 * time.Second  // where it is not what matters
)

func (p *Panel) hostFacts(ctx context.Context, host string) diagnosis.Host {
	h := diagnosis.Host{
		Name: host, Answer: p.cfg.DNS.NameAnswer(host), Route: p.cfg.Edge.Route(host), Certificate: p.cfg.Certificates.Certificate(host),
	}
	if h.Answer.Zone != "" {
		h.Zone = p.zoneFacts(ctx, sites.ZoneDetail{Zone: sites.Zone{Name: h.Answer.Zone}}, lookNow)
	}
	for _, b := range p.cfg.Certificates.Budget() {
		if host == b.Domain || strings.HasSuffix(host, "."+b.Domain) {
			h.Budgets = append(h.Budgets, b)
		}
	}
	return h
}

// outdated is how old the outcome of a check may be to be told of where nobody looks anew.
const outdated = time.Hour

func (p *Panel) zoneFacts(ctx context.Context, zone sites.ZoneDetail, look looking) diagnosis.Zone {
	found := p.delegations.last(zone.Name)
	switch {
	case bool(look):
		found = p.delegations.recently(ctx, p.cfg.DNS, zone.Name)
	case time.Since(found.at) > outdated:
		found = checked{}
	}
	return diagnosis.Zone{
		Zone: zone.Zone, Status: p.cfg.DNS.ZoneStatus(zone.Name), Delegation: found.Delegation, DSDue: dsFrom(zone, time.Now()),
	}
}

func (p *Panel) diagnoseName(ctx context.Context, actor sites.Actor, use sites.NameUse) (diagnosis.Report, error) {
	facts := diagnosis.Name{
		Now: time.Now(), Use: use, Answer: p.cfg.DNS.NameAnswer(use.Name), Certificate: p.cfg.Certificates.Certificate(use.Name),
		Panel: use.Name == p.cfg.PanelHost, Addresses: p.cfg.Addresses,
	}
	if zone := facts.Answer.Zone; zone != "" {
		detail, err := p.service.Zone(ctx, actor, zone)
		if err != nil {
			return diagnosis.Report{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, lookPatience)
		defer cancel()
		facts.Zone = p.zoneFacts(ctx, detail, lookNow)
	}
	return diagnosis.OfName(facts), nil
}

func (p *Panel) diagnoseServer(ctx context.Context, actor sites.Actor, in installation, look looking) (diagnosis.Report, error) {
	zones, err := p.service.Zones(ctx, actor)
	if err != nil {
		return diagnosis.Report{}, err
	}
	facts := diagnosis.Server{
		Now: time.Now(), Zone: p.cfg.Zone, Ready: in.ready, Certificates: urgent(in.certificates), Waits: p.cfg.Certificates.Waits(),
		Budgets: p.cfg.Certificates.Budget(), Runtime: in.runtime, DiskUsed: in.machine.DiskUsed, DiskTotal: in.machine.DiskTotal,
		Sites: in.sites, Silent: map[string]int{}, Zones: make([]diagnosis.Zone, len(zones)),
	}
	for _, s := range in.servers {
		if len(s.Addrs) > 0 { // what listens nowhere is judged by what it keeps
			facts.Parts = append(facts.Parts, diagnosis.Part{Name: s.Name, Addresses: s.Addrs, Trouble: s.Err})
		}
	}
	for _, site := range in.sites {
		if n := len(site.Serving) - p.answering(site); n > 0 {
			facts.Silent[site.Name] = n
		}
	}
	details := make([]sites.ZoneDetail, len(zones))
	for i, z := range zones {
		if details[i], err = p.service.Zone(ctx, actor, z.Name); err != nil {
			return diagnosis.Report{}, err
		}
	}
	p.lookAround(ctx, &facts, details, look)
	return diagnosis.OfServer(facts), nil
}

// lookAround fills in what the world is asked for, all at a time.
func (p *Panel) lookAround(ctx context.Context, facts *diagnosis.Server, zones []sites.ZoneDetail, look looking) {
	ctx, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	var asking sync.WaitGroup
	room := make(chan struct{}, maxChecks)
	for i, z := range zones {
		asking.Go(func() {
			room <- struct{}{} // each of those before takes no longer than ctx
			defer func() { <-room }()
			facts.Zones[i] = p.zoneFacts(ctx, z, look)
		})
	}
	if look {
		facts.Reached = make([]diagnosis.Reached, len(p.cfg.Addresses))
		for i, addr := range p.cfg.Addresses {
			asking.Go(func() {
				facts.Reached[i] = diagnosis.Reached{Addr: addr, Who: p.cfg.Edge.Reach(ctx, p.cfg.PanelHost, addr)}
			})
		}
	}
	asking.Wait()
}

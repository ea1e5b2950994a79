package diagnosis

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

var (
	noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)
	here = netip.MustParseAddr("203.0.113.10")
)

const (
	day  = 24 * time.Hour
	zone = "sites.example.org"
	host = "hello." + zone
	www  = "www.example.com"
)

// well is a site with two instances and a domain in use at which nothing is wrong.
func well() Site {
	instances := []sites.Instance{{ID: "a", Addr: netip.MustParseAddrPort("10.1.0.2:8080")}, {ID: "b", Addr: netip.MustParseAddrPort("10.1.0.3:8080")}}
	certificate := func(name string) sites.Certificate {
		return sites.Certificate{
			Host: name, State: sites.CertificateValid, Authority: "Let's Encrypt", Names: []string{name},
			NotBefore: noon.Add(-10 * day), NotAfter: noon.Add(80 * day), Renewal: noon.Add(50 * day),
		}
	}
	domain := &sites.DomainStatus{
		Domain: sites.Domain{Name: www, State: sites.DomainActive}, Unicode: www, Registered: "example.com", Last: sites.Sighting{At: noon.Add(-time.Minute)},
		Records: []sites.DomainRecord{{Name: www, Type: "CNAME", Data: host}},
	}
	return Site{
		Now: noon, Wanted: 2, Troubles: make([]sites.InstanceTrouble, 2), Addresses: []netip.Addr{here},
		Status: sites.SiteStatus{
			Site: sites.Site{Name: "hello", Active: 3}, State: sites.StateRunning, Serving: instances,
			Release: &sites.Release{Number: 3, State: sites.ReleaseReady, ActivatedAt: noon.Add(-day)},
		},
		Hosts: []Host{
			{Name: host, Answer: sites.NameAnswer{Zone: zone, Exists: true, Addresses: []netip.Addr{here}}, Zone: Zone{Zone: sites.Zone{Name: zone}, Delegation: sites.Delegation{State: sites.DelegationGood, Parent: "example.org"}}, Route: sites.Route{Site: "hello"}, Certificate: certificate(host)},
			{Name: www, Domain: domain, Route: sites.Route{Site: "hello"}, Certificate: certificate(www)},
		},
		Runtime: sites.RuntimeInfo{Name: "docker", Version: "28"},
	}
}

// wantWhole wants every finding that is not OK to have a remedy, and no other.
func wantWhole(t *testing.T, name string, r Report) {
	t.Helper()
	for _, f := range r.Findings {
		if f.Sentence == "" || (f.Level == OK) != (f.Remedy == "") || !strings.HasSuffix(f.Sentence, ".") || f.Remedy != "" && !strings.HasSuffix(f.Remedy, ".") {
			t.Errorf("%s: not whole: %+v", name, f)
		}
	}
}

// wantTrouble wants one finding that is not OK and contains a text in sentence or remedy.
func wantTrouble(t *testing.T, name string, r Report, level Level, topic Topic, want string) {
	t.Helper()
	wantWhole(t, name, r)
	ok := slices.ContainsFunc(r.Troubles(), func(f Finding) bool {
		return f.Level == level && f.Topic == topic && strings.Contains(f.Sentence+" "+f.Remedy, want)
	})
	if !ok {
		t.Errorf("%s: no %s of %s has %q: %+v", name, level, topic, want, r.Troubles())
	}
}

func TestASiteThatIsWell(t *testing.T) {
	for _, owner := range []bool{false, true} {
		s := well()
		s.Owner = owner
		r := OfSite(s)
		wantWhole(t, "well", r)
		if len(r.Troubles()) > 0 || !r.Works() || r.Summary() != host+" works: nothing found." {
			t.Errorf("%s: %+v", r.Summary(), r.Troubles())
		}
	}
}

func TestWhatIsWrongWithASite(t *testing.T) {
	for name, tc := range map[string]struct {
		spoil func(*Site)
		level Level
		topic Topic
		want  string
	}{
		"no address":        {func(s *Site) { s.Hosts[0].Answer.Addresses = nil }, Fault, TopicName, host + " has no address"},
		"another's address": {func(s *Site) { s.Hosts[0].Answer.Addresses[0] = netip.MustParseAddr("198.51.100.1") }, Fault, TopicName, "198.51.100.1"},
		"not delegated":     {func(s *Site) { s.Hosts[0].Zone.Delegation.State = sites.DelegationMissing }, Fault, TopicZone, zone},
		"no route":          {func(s *Site) { s.Hosts[0].Route = sites.Route{} }, Fault, TopicRoute, host},
		"another's route":   {func(s *Site) { s.Hosts[1].Route.Site = "other" }, Fault, TopicRoute, www},
		"certificate over":  {func(s *Site) { s.Hosts[0].Certificate.NotAfter = noon.Add(-time.Hour) }, Fault, TopicCertificate, "browsers warn"},
		"certificate near end": {func(s *Site) {
			s.Hosts[0].Certificate.NotBefore, s.Hosts[0].Certificate.NotAfter = noon.Add(-88*day), noon.Add(2*day)
		}, Warning, TopicCertificate, host},
		"no certificate": {func(s *Site) { s.Hosts[1].Certificate = sites.Certificate{Host: www, State: sites.CertificateNone} }, Fault, TopicCertificate, "browsers warn"},
		"order failed": {func(s *Site) {
			c := &s.Hosts[0].Certificate
			c.State, c.Names, c.LastError, c.Retry = sites.CertificateFailed, []string{"*." + zone}, "The CA says no.", noon.Add(time.Minute)
		}, Warning, TopicCertificate, "The CA says no. It is tried again at 12:01:00 UTC."},
		"domain waits": {func(s *Site) {
			s.Hosts[1].Domain.State, s.Hosts[1].Domain.Last.Sentence = sites.DomainWaiting, www+" has no record yet."
		}, Warning, TopicDomain, "set " + www + " CNAME " + host},
		"domain waits and is asked about": {func(s *Site) {
			s.Asked, s.Hosts[1].Domain.State, s.Hosts[1].Domain.Last.Sentence = www, sites.DomainWaiting, www+" has no record yet."
		}, Fault, TopicDomain, "not in use yet. " + www + " has no record yet."},
		"domain in a zone here": {func(s *Site) { s.Hosts[1].Domain.Hosted = true }, Fault, TopicName, www + " has no address"},
		"domain lapsed": {func(s *Site) {
			d := s.Hosts[1].Domain
			d.State, d.StrayedAt, d.Last.Sentence = sites.DomainLapsed, noon.Add(-2*day), www+" points at 198.51.100.1, which is not this server."
		}, Fault, TopicDomain, "since 12 March, 12:00 UTC. " + www + " points at"},
		"domain strays": {func(s *Site) { s.Hosts[1].Domain.StrayedAt = noon.Add(-time.Hour) }, Fault, TopicDomain, "CNAME " + host},
		"CAA":           {func(s *Site) { s.Hosts[1].Domain.Last.Warning = "A CAA record forbids it. Add one more." }, Warning, TopicDomain, "Add one more."},
		"stopped":       {func(s *Site) { s.Status.State = sites.StateStopped }, Fault, TopicSite, "Start it"},
		"empty":         {func(s *Site) { s.Status.State, s.Status.Release = sites.StateEmpty, nil }, Warning, TopicSite, "Upload a zip"},
		"starting":      {func(s *Site) { s.Status.State = sites.StateStarting }, Warning, TopicSite, "being started"},
		"failed": {func(s *Site) {
			s.Status.State, s.Status.Reason, s.Status.Retry = sites.StateFailed, "It ended.", noon.Add(5*time.Second)
		}, Fault, TopicSite, "it ended."},
		"maintenance": {func(s *Site) { s.Status.Options.Maintenance = true }, Fault, TopicSite, "Settings"},
		"allow list":  {func(s *Site) { s.Status.Options.Allow = make([]netip.Prefix, 2) }, Warning, TopicSite, "2 networks"},
		"login":       {func(s *Site) { s.Status.Options.Login = sites.Login{User: "guest", PasswordHash: "x"} }, Warning, TopicSite, "guest"},
		"lost option": {func(s *Site) {
			s.Warnings = []sites.OptionWarning{{Option: "pages.down", Sentence: "Release 3 has no file /x."}}
		}, Warning, TopicSite, "/x"},
		"instance hangs": {func(s *Site) {
			s.Troubles[1] = sites.InstanceTrouble{Kind: sites.TroubleCheck, Since: noon.Add(-time.Minute)}
		}, Warning, TopicInstances, "since 11:59:00 UTC"},
		"one is missing":  {func(s *Site) { s.Status.Serving, s.Troubles = s.Status.Serving[:1], s.Troubles[:1] }, Warning, TopicInstances, "1 of 2 instances"},
		"none is there":   {func(s *Site) { s.Status.Serving, s.Troubles = nil, nil }, Fault, TopicInstances, "No instance runs."},
		"berth stands in": {func(s *Site) { s.Status.Serving, s.Troubles, s.Hosts[0].Route.Itself = nil, nil, true }, Warning, TopicInstances, "meanwhile"},
		"engine away":     {func(s *Site) { s.Runtime.Err = "The engine is away." }, Warning, TopicInstances, "again by itself"},
		"release warns":   {func(s *Site) { s.Status.Release.Warning = "There is no index.html." }, Warning, TopicContent, "index.html"},
		"release remarks": {func(s *Site) {
			s.Status.Release.Remarks = []sites.Remark{{File: "_redirects", Line: 7, Sentence: "It is odd."}}
		}, Warning, TopicContent, "_redirects, line 7"},
		"upload lost": {func(s *Site) { s.Status.Lost = "The disk was full." }, Warning, TopicContent, "The disk was full."},
		"release failed": {func(s *Site) {
			s.Status.Latest = &sites.Release{Number: 4, State: sites.ReleaseFailed, Reason: "It is no zip."}
		}, Warning, TopicContent, "it is no zip. Release 3 goes on."},
		"only one failed": {func(s *Site) {
			s.Status.Active, s.Status.Release, s.Status.Latest = 0, nil, &sites.Release{Number: 1, Reason: "It is no zip."}
		}, Fault, TopicContent, "it is no zip."},
		"budget used up": {func(s *Site) {
			s.Hosts[0].Certificate.State = sites.CertificateFailed
			s.Hosts[0].Budgets = []sites.CertificateBudget{{Authority: "CA", Issued: 50, Limit: 50}}
		}, Warning, TopicCertificate, host},
		"rivals": {func(s *Site) { s.Hosts[1].Domain.State, s.Hosts[1].Rivals = sites.DomainWaiting, []string{"rival"} }, Warning, TopicDomain, www},
	} {
		s := well()
		tc.spoil(&s)
		r := OfSite(s)
		wantTrouble(t, name, r, tc.level, tc.topic, tc.want)
		if r.Works() != (tc.level != Fault) {
			t.Errorf("%s: %s", name, r.Summary())
		}
		s.Owner = true
		r = OfSite(s)
		wantWhole(t, name+", for its owner", r)
		if len(r.Troubles()) == 0 {
			t.Errorf("%s: its owner is told that nothing is", name)
		}
		for _, f := range r.Findings {
			for _, foreign := range []string{"10.1.0.", "/api/", "berth why", "systemctl", "rival", "log of berth", "docker"} {
				if strings.Contains(f.Sentence+f.Remedy, foreign) {
					t.Errorf("%s: its owner is told of %s: %+v", name, foreign, f)
				}
			}
		}
	}
}

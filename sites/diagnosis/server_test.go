package diagnosis

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

// sound is a server at which nothing is wrong.
func sound() Server {
	certificate := func(name string) sites.Certificate {
		return sites.Certificate{Host: name, State: sites.CertificateValid, Names: []string{name}, NotBefore: noon.Add(-10 * day), NotAfter: noon.Add(80 * day), Renewal: noon.Add(50 * day)}
	}
	return Server{
		Now: noon, Zone: zone, Ready: true, Parts: []Part{{Name: "DNS", Addresses: []string{"203.0.113.10:53"}}},
		Reached: []Reached{{Addr: here, Who: sites.ReachHere}},
		Zones: []Zone{{
			Zone: sites.Zone{Name: zone}, Delegation: sites.Delegation{State: sites.DelegationGood, Parent: "example.org"},
			Status: sites.ZoneStatus{Serial: 9, Peers: []sites.PeerStatus{{Addr: netip.MustParseAddrPort("198.51.100.7:53"), Served: 9}}},
		}},
		Certificates: []sites.Certificate{certificate(zone), certificate("*." + zone)},
		Budgets:      []sites.CertificateBudget{{Authority: "CA", Domain: "example.org", Issued: 3, Limit: 50}},
		Runtime:      sites.RuntimeInfo{Name: "docker", Version: "28"}, DiskUsed: 10 << 30, DiskTotal: 100 << 30,
		Sites: []sites.SiteStatus{{Site: sites.Site{Name: "hello"}, State: sites.StateRunning, Serving: make([]sites.Instance, 3)}, {Site: sites.Site{Name: "old"}, State: sites.StateStopped}},
	}
}

func TestAServerThatIsWell(t *testing.T) {
	r := OfServer(sound())
	wantWhole(t, "sound", r)
	if len(r.Troubles()) > 0 || r.Summary() != zone+" works: nothing found." {
		t.Errorf("%s: %+v", r.Summary(), r.Troubles())
	}
}

func TestWhatIsWrongWithAServer(t *testing.T) {
	peer := func(s *Server) *sites.PeerStatus { return &s.Zones[0].Status.Peers[0] }
	secondary := func(s *Server, st sites.SecondaryStatus) { s.Zones[0].Status.Secondary = &st }
	for name, tc := range map[string]struct {
		spoil func(*Server)
		level Level
		topic Topic
		want  string
	}{
		"starting":        {func(s *Server) { s.Ready = false }, Fault, TopicServers, "starting"},
		"no access log":   {func(s *Server) { s.Parts[0].Trouble = "It does not write." }, Fault, TopicServers, "DNS: It does not write."},
		"behind a router": {func(s *Server) { s.Reached[0].Who = sites.ReachNothing }, Warning, TopicServers, "203.0.113.10"},
		"another answers": {func(s *Server) { s.Reached[0].Who = sites.ReachOther }, Warning, TopicServers, "ss -ltnp"},
		"not delegated": {func(s *Server) {
			s.Zones[0].Delegation = sites.Delegation{State: sites.DelegationMissing, Parent: "org", Findings: []sites.Finding{{Kind: sites.FindingNotDelegated, Sentence: "There are no NS records. Enter these."}}}
		}, Fault, TopicZone, "There are no NS records. Enter these."},
		"glue is missing": {func(s *Server) {
			s.Zones[0].Delegation = sites.Delegation{State: sites.DelegationPartly, Findings: []sites.Finding{{Kind: sites.FindingMissingGlue, Sentence: "It lacks the address."}}}
		}, Warning, TopicZone, "It lacks the address. The zone's page"},
		"DS is missing":    {func(s *Server) { s.Zones[0].DSDue = noon.Add(-time.Hour) }, Warning, TopicZone, "DS line"},
		"peer is behind":   {func(s *Server) { peer(s).Served = 8 }, Warning, TopicSecondaries, "version 8"},
		"peer is refused":  {func(s *Server) { peer(s).Served, peer(s).Err = 8, "nothing listens there" }, Warning, TopicSecondaries, "nothing listens there."},
		"peer never came":  {func(s *Server) { peer(s).Served = 0 }, Warning, TopicSecondaries, "since berth started"},
		"not transferred":  {func(s *Server) { secondary(s, sites.SecondaryStatus{Err: "It refuses."}) }, Fault, TopicSecondaries, "It refuses."},
		"secondary is old": {func(s *Server) { secondary(s, sites.SecondaryStatus{RefreshedAt: noon.Add(-9 * day), ExpiresAt: noon}) }, Fault, TopicSecondaries, "SERVFAIL"},
		"transfer failed": {func(s *Server) {
			secondary(s, sites.SecondaryStatus{RefreshedAt: noon.Add(-day), ExpiresAt: noon.Add(day), Err: "It refuses."})
		}, Warning, TopicSecondaries, "15 March, 12:00 UTC"},
		"no wildcard": {func(s *Server) {
			s.Certificates[1] = sites.Certificate{Host: "*." + zone, State: sites.CertificatePending}
		}, Fault, TopicCertificates, "*." + zone},
		"CA waits": {func(s *Server) {
			s.Waits = []sites.CertificateWait{{Authority: "CA", Until: noon.Add(time.Hour), Told: true}}
		}, Warning, TopicCertificates, "before 13:00:00 UTC"},
		"budget":           {func(s *Server) { s.Budgets[0].Issued = 45 }, Warning, TopicCertificates, "45 of the 50"},
		"engine":           {func(s *Server) { s.Runtime.Err = "The engine is away." }, Fault, TopicRuntime, "systemctl start docker"},
		"disk nearly full": {func(s *Server) { s.DiskUsed = 91 << 30 }, Warning, TopicDisk, "9 GB"},
		"disk full":        {func(s *Server) { s.DiskUsed = 100<<30 - 255<<20 }, Fault, TopicDisk, "uploads are refused"},
		"a site failed":    {func(s *Server) { s.Sites[0].State, s.Sites[0].Reason = sites.StateFailed, "It ended." }, Fault, TopicSites, "Run berth why hello"},
		"left out":         {func(s *Server) { s.Silent = map[string]int{"hello": 1} }, Warning, TopicSites, "Of the 3 instances of hello"},
	} {
		s := sound()
		tc.spoil(&s)
		r := OfServer(s)
		wantTrouble(t, name, r, tc.level, tc.topic, tc.want)
		if len(r.Troubles()) != 1 || r.Works() != (tc.level != Fault) {
			t.Errorf("%s: %s %+v", name, r.Summary(), r.Troubles())
		}
	}
}

// A certificate that is on its way is no fault of the server, nor are a thousand that failed a thousand lines.
func TestManyCertificates(t *testing.T) {
	s := sound()
	for range 1000 {
		s.Certificates = append(s.Certificates, sites.Certificate{Host: www, State: sites.CertificateFailed, LastError: "The CA says no."})
	}
	s.Certificates = append(s.Certificates, sites.Certificate{Host: www, State: sites.CertificatePending})
	r := OfServer(s)
	wantTrouble(t, "many", r, Warning, TopicCertificates, "990 more")
	if n := len(r.Troubles()); n != most+1 {
		t.Errorf("%d troubles are told", n)
	}
	if last := r.Findings[len(r.Findings)-1]; !strings.Contains(last.Sentence, "1 certificate to come") {
		t.Errorf("%+v", last)
	}
}

func TestWhoseANameIs(t *testing.T) {
	known := Name{Now: noon, Use: sites.NameUse{Name: "x." + zone}, Answer: sites.NameAnswer{Zone: zone, Exists: true, Addresses: []netip.Addr{here}}, Addresses: []netip.Addr{here}}
	for name, tc := range map[string]struct {
		spoil func(*Name)
		level Level
		topic Topic
		want  string
	}{
		"nobody's":  {func(n *Name) { n.Use.Label, n.Answer.Exists, n.Answer.Addresses = "x", false, nil }, Fault, TopicRoute, "make the site x."},
		"elsewhere": {func(n *Name) { n.Answer = sites.NameAnswer{} }, Warning, TopicName, "REFUSED"},
		"held":      {func(n *Name) { n.Use.Held = sites.HeldName{Name: n.Use.Name, AccountName: "ann", Until: noon.Add(day)} }, Warning, TopicDomain, "ann"},
		"silent":    {func(n *Name) { n.Answer.Silent = true }, Fault, TopicName, "SERVFAIL"},
	} {
		n := known
		tc.spoil(&n)
		wantTrouble(t, name, OfName(n), tc.level, tc.topic, tc.want)
	}
	for name, role := range map[string]func(*Name){
		"the panel's":    func(n *Name) { n.Panel, n.Certificate = true, sound().Certificates[0] },
		"a nameserver's": func(n *Name) { n.Use.Nameserver = true },
	} {
		n := known
		role(&n)
		if r := OfName(n); len(r.Troubles()) > 0 {
			t.Errorf("%s: %+v", name, r.Troubles())
		}
	}
}

package sites_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"
)

func TestADomainRoutesOnceItLeadsHere(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	d := b.addDomain(b.ann, "blog", "https://WWW.Example.com./start?x")
	if d.Name != "www.example.com" || d.State != sites.DomainWaiting || lines(d.Records) != "www.example.com www CNAME blog."+zone {
		t.Errorf("added %+v", d)
	}
	if _, ok := b.edge.at(d.Name); ok {
		t.Error("it routes before it leads here")
	}
	if d = b.check(b.ann, "blog", d.Name); d.State != sites.DomainWaiting || d.Last.Sentence != "www.example.com has no record yet." {
		t.Errorf("without a record it is %+v", d)
	}
	w.tell(d.Name, alias("x.example.net", "blog."+zone))
	if d = b.check(b.ann, "blog", d.Name); d.State != sites.DomainActive || d.Last.Sentence != "" || d.Last.Warning != "" || d.Last.At.IsZero() {
		t.Errorf("with its record it is %+v", d)
	}
	if p, ok := b.edge.at(d.Name); !ok || p.Name != "blog" || !slices.Equal(p.Hosts, []string{"blog." + zone, d.Name}) || len(p.Lapsed) > 0 {
		t.Errorf("published %+v, %v", p, ok)
	}
	if got := b.lastEvent(b.ann, "blog"); got != "domain.activate www.example.com" {
		t.Errorf("event %q", got)
	}
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", d.Name); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.edge.at(d.Name); ok {
		t.Error("it routes after it was removed")
	}
	if p, _ := b.edge.at("blog." + zone); !slices.Equal(p.Hosts, []string{"blog." + zone}) {
		t.Errorf("published with %v", p.Hosts)
	}
}

// Who has just added a domain need not ask: it is looked at again and again.
func TestAWaitingDomainIsLookedAtByItself(t *testing.T) {
	b, w := bootDomains(t, func(cfg *sites.Config) { cfg.DomainInterval = 60 * time.Millisecond })
	b.create("blog")
	d := b.addDomain(b.ann, "blog", "www.example.com")
	eventually(t, "it was looked at", func() bool {
		d, err := b.Domain(t.Context(), b.ann, "blog", d.Name)
		return err == nil && d.Last.Sentence != ""
	})
	w.tell(d.Name, alias("blog."+zone))
	eventually(t, "it routes", func() bool {
		_, ok := b.edge.at(d.Name)
		return ok
	})
	w.tell(d.Name, points(foreign))
	eventually(t, "it has lapsed", func() bool {
		p, _ := b.edge.at(d.Name)
		return slices.Equal(p.Lapsed, []string{d.Name})
	})
}

// Many who ask for one domain, whose nameservers are slow, hold up no other.
func TestAskingForOneDomainHoldsUpNoOther(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	slow := make(chan struct{})
	w.set(func() { w.held = map[string]chan struct{}{"slow.example.com": slow} })
	b.addDomain(b.ann, "blog", "slow.example.com")
	b.addDomain(b.ann, "blog", "fast.example.com")
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if _, err := b.CheckDomain(t.Context(), b.ann, "blog", "slow.example.com"); err != nil {
				t.Errorf("check: %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for range 50 { // by then all of them wait
		if _, err := b.CheckDomain(ctx, b.ann, "blog", "fast.example.com"); err != nil {
			t.Errorf("another domain: %v", err)
			break
		}
	}
	close(slow)
	asking.Wait()
}

// What is seen is told in a sentence, and decides.
func TestWhatALookMeans(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.create("shop")
	www := b.addDomain(b.ann, "blog", "www.example.com")
	apex := b.addDomain(b.ann, "blog", "example.com")
	proof := []string{"v=spf1 -all", apex.Token}
	for _, tc := range []struct {
		domain   string
		view     sites.DomainView
		state    sites.DomainState
		sentence string
	}{
		{www.Name, points(foreign), "waiting", "www.example.com points at 203.0.113.9, which is not this server."},
		{www.Name, alias("other.example"), "waiting", "www.example.com is a CNAME to other.example, which leads nowhere."},
		{www.Name, sites.DomainView{Aliases: []string{"other.example"}, Addresses: []netip.Addr{foreign}}, "waiting", "www.example.com is a CNAME to other.example, which is not this server."},
		{www.Name, alias("shop." + zone), "waiting", "www.example.com is a CNAME to shop.sites.example.org, which is not this site's name. It should lead to blog.sites.example.org."},
		{www.Name, points(ours, foreign), "waiting", "www.example.com points here, but also at 203.0.113.9, which is not this server. Remove that record."},
		{apex.Name, points(ours, ours6), "waiting", "example.com points here. The TXT record at _berth.example.com is missing, which shows that the domain is yours."},
		{apex.Name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: []string{www.Token}}, "waiting", "example.com points here. The TXT record at _berth.example.com says something else than it should; check its value."},
		{apex.Name, sites.DomainView{Texts: proof}, "waiting", "example.com has no record yet."},
		{apex.Name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: proof, IssuersAt: "example.com", Issuers: []string{"other-ca.example"}}, "waiting", `A CAA record at example.com forbids the certificate that example.com needs. Add one more there: CAA 0 issue "ca.example".`},
		{apex.Name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: proof, IssuersAt: "example.com", Issuers: []string{"other-ca.example", "ca.example"}}, "active", ""},
		{www.Name, sites.DomainView{Addresses: []netip.Addr{ours6}, Texts: []string{www.Token}}, "active", ""},
	} {
		w.tell(tc.domain, tc.view)
		if d := b.check(b.ann, "blog", tc.domain); d.State != tc.state || d.Last.Sentence != tc.sentence {
			t.Errorf("%+v: %s, %q; want %s, %q", tc.view, d.State, d.Last.Sentence, tc.state, tc.sentence)
		}
	}
}

// Whom CAA records let issue is judged once it is known by which names they mean the authorities.
func TestCAAIsJudgedOnceTheAuthoritiesAreKnown(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	d := b.addDomain(b.ann, "blog", "example.com")
	w.tell(d.Name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: []string{d.Token}, IssuersAt: "example.com", Issuers: []string{"second.example"}})
	if d = b.check(b.ann, "blog", d.Name); d.State != sites.DomainWaiting {
		t.Errorf("another authority alone may issue, and the domain is %s", d.State)
	}
	for _, cas := range [][]string{{"ca.example", "second.example"}, nil} { // a second one that may, and nobody known
		w.set(func() { w.cas = cas })
		if d = b.check(b.ann, "blog", d.Name); d.State != sites.DomainActive || d.Last.Warning != "" {
			t.Errorf("with authorities %q the domain is %s: %s", cas, d.State, d.Last.Sentence)
		}
	}
	w.set(func() { w.cas = []string{"ca.example"} })
	if d = b.check(b.ann, "blog", d.Name); d.State != sites.DomainActive || d.Last.Warning == "" {
		t.Errorf("in use, the domain that must not have a certificate is %s, with %q", d.State, d.Last.Warning)
	}
}

func TestRecordsToEnter(t *testing.T) {
	b, _ := bootDomains(t)
	b.create("blog")
	apex, deep := b.addDomain(b.ann, "blog", "Bücher.example.co.uk"), b.addDomain(b.ann, "blog", "a.b.example.co.uk")
	if apex.Name != "xn--bcher-kva.example.co.uk" || apex.Unicode != "bücher.example.co.uk" {
		t.Errorf("named %q, %q", apex.Name, apex.Unicode)
	}
	if got := lines(deep.Records); got != "a.b.example.co.uk a.b CNAME blog."+zone {
		t.Errorf("below an apex: %s", got)
	}
	want := fmt.Sprintf("a.b.example.co.uk a.b A %s\na.b.example.co.uk a.b AAAA %s\n_berth.a.b.example.co.uk _berth.a.b TXT %s", ours, ours6, deep.Token)
	if got := lines(deep.Instead); got != want {
		t.Errorf("in its place: %s, want %s", got, want)
	}
	d := b.addDomain(b.ann, "blog", "example.co.uk")
	want = fmt.Sprintf("example.co.uk @ A %s\nexample.co.uk @ AAAA %s\n_berth.example.co.uk _berth TXT %s", ours, ours6, d.Token)
	if got := lines(d.Records); got != want || d.Instead != nil {
		t.Errorf("at an apex: %s, want %s", got, want)
	}
}

func TestDomainsThatCannotBeAdded(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.create("shop")
	if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "bobs"}); err != nil {
		t.Fatal(err)
	}
	b.addZone("hosted.example")
	b.proven(w, "blog", "www.example.com")
	for _, tc := range []struct {
		actor      sites.Actor
		site, name string
		want       error
		says       string
	}{
		{b.ann, "blog", "", sites.ErrInvalid, "Give the domain"},
		{b.ann, "blog", "example", sites.ErrInvalid, "two parts"},
		{b.ann, "blog", "203.0.113.9", sites.ErrInvalid, "IP address"},
		{b.ann, "blog", "*.example.com", sites.ErrInvalid, "star"},
		{b.ann, "blog", "a_b.example.com", sites.ErrInvalid, "a_b"},
		{b.ann, "blog", "-a.example.com", sites.ErrInvalid, "hyphen"},
		{b.ann, "blog", "a..example.com", sites.ErrInvalid, ""},
		{b.ann, "blog", strings.Repeat("a.", 126) + "example.com", sites.ErrInvalid, "253"},
		{b.ann, "blog", "xn--zzzzzz-.com", sites.ErrInvalid, ""},
		{b.ann, "blog", "co.uk", sites.ErrInvalid, "other people's names"},
		{b.ann, "blog", "github.io", sites.ErrInvalid, "other people's names"},
		{b.ann, "blog", "two words.example.com", sites.ErrInvalid, ""},
		{b.ann, "blog", "x." + zone, sites.ErrReserved, "Make a site"},
		{b.root, "blog", zone, sites.ErrReserved, ""},
		{b.ann, "blog", "control." + zone, sites.ErrReserved, "own"},
		{b.ann, "blog", "www.example.com", sites.ErrTaken, "in the list"},
		{b.ann, "shop", "www.example.com", sites.ErrTaken, "the site blog"},
		{b.bob, "bobs", "www.example.com", sites.ErrTaken, "another account"},
		{b.ann, "blog", "www.hosted.example", sites.ErrForbidden, "operator"},
	} {
		_, err := b.AddDomain(t.Context(), tc.actor, tc.site, tc.name)
		wantRefusal(t, "add "+tc.name, err, tc.want, "name")
		if err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("add %s: %q does not say %q", tc.name, err, tc.says)
		}
	}
	if _, err := b.AddDomain(t.Context(), b.bob, "blog", "www.example.net"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("to another's site: %v", err)
	}
	for i := range 19 {
		b.addDomain(b.ann, "blog", fmt.Sprintf("n%d.example.com", i))
	}
	_, err := b.AddDomain(t.Context(), b.ann, "blog", "more.example.com")
	wantRefusal(t, "one too many", err, sites.ErrQuota, "name")
}

// Two accounts may wait for one name; who proves it has it, and the other is told.
func TestTheFirstToProveGetsTheDomain(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "bobs"}); err != nil {
		t.Fatal(err)
	}
	const name = "example.com"
	anns, bobs := b.addDomain(b.ann, "blog", name), b.addDomain(b.bob, "bobs", name)
	if anns.Token == bobs.Token {
		t.Fatal("both are to prove it by the same value")
	}
	w.tell(name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: []string{bobs.Token}})
	if d := b.check(b.ann, "blog", name); d.State != sites.DomainWaiting {
		t.Errorf("ann has it by bob's proof: %+v", d)
	}
	if d := b.check(b.bob, "bobs", name); d.State != sites.DomainActive {
		t.Fatalf("bob has not got it: %+v", d)
	}
	w.tell(name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: []string{bobs.Token, anns.Token}})
	if d := b.check(b.ann, "blog", name); d.State != sites.DomainWaiting || !strings.Contains(d.Last.Sentence, "in use by another account") {
		t.Errorf("ann's is %s: %q", d.State, d.Last.Sentence)
	}
	if p, _ := b.edge.at(name); p.Name != "bobs" {
		t.Errorf("it routes to %q", p.Name)
	}
}

// A domain lapses after a day in which it led elsewhere, not by one look and not by silence, and comes back when it is proven again.
func TestADomainLapsesAndComesBack(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	const name = "www.example.com"
	b.proven(w, "blog", name)
	if _, err := b.UpdateOptions(t.Context(), b.ann, "blog", sites.OptionsUpdate{Canonical: new(name)}); err != nil {
		t.Fatal(err)
	}
	wantState := func(when string, want sites.DomainState) {
		t.Helper()
		d := b.check(b.ann, "blog", name)
		p, routes := b.edge.at(name)
		if d.State != want || !routes || slices.Contains(p.Lapsed, name) != (want == sites.DomainLapsed) || (p.Options.Canonical == name) == (want == sites.DomainLapsed) {
			t.Errorf("%s: %s (%q), published %+v, %v; want %s", when, d.State, d.Last.Sentence, p, routes, want)
		}
	}
	w.set(func() { w.silent = true })
	for range 6 {
		w.pass(12 * time.Hour)
		wantState("nobody answers", sites.DomainActive)
	}
	w.set(func() { w.silent = false })
	w.tell(name, points(foreign))
	wantState("elsewhere at first", sites.DomainActive)
	if got := b.lastEvent(b.ann, "blog"); got != "domain.stray www.example.com points at 203.0.113.9, which is not this server." {
		t.Errorf("event %q", got)
	}
	for range 6 {
		wantState("often, but within minutes", sites.DomainActive)
	}
	w.pass(23 * time.Hour)
	wantState("not a whole day", sites.DomainActive)
	w.tell(name, alias("blog."+zone))
	wantState("here for once", sites.DomainActive)
	w.tell(name, points(foreign))
	wantState("a day that begins anew", sites.DomainActive)
	w.pass(25 * time.Hour)
	wantState("a day, but two looks", sites.DomainActive)
	wantState("three looks", sites.DomainActive)
	wantState("four looks over a day", sites.DomainLapsed)
	if st, err := b.Site(t.Context(), b.ann, "blog"); err != nil || !st.Hosts[1].Lapsed {
		t.Errorf("the site does not tell: %+v, %v", st.Hosts, err)
	}
	w.tell(name, points(ours))
	wantState("here, but not proven", sites.DomainLapsed)
	w.tell(name, alias("blog."+zone))
	wantState("proven", sites.DomainActive)
}

// What is active need not show its proof for ever.
func TestTheProofMayGo(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	d := b.addDomain(b.ann, "blog", "example.com")
	w.tell(d.Name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: []string{d.Token}})
	b.check(b.ann, "blog", d.Name)
	w.tell(d.Name, points(ours))
	if d = b.check(b.ann, "blog", d.Name); d.State != sites.DomainActive || d.Last.Sentence != "" || !d.StrayedAt.IsZero() {
		t.Errorf("without its TXT record: %+v", d)
	}
}

// The process must be at the addresses. As it cannot always see itself there, that only warns.
func TestWhatOfTheSelfCheck(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	for reach, says := range map[sites.Reach]string{sites.ReachNothing: "could not reach itself at 192.0.2.80", sites.ReachOther: "Something else than berth answered at 192.0.2.80"} {
		w.set(func() { w.reach = reach })
		name := string(reach) + ".example.com"
		w.tell(name, alias("blog."+zone))
		b.addDomain(b.ann, "blog", name)
		if d := b.check(b.ann, "blog", name); d.State != sites.DomainActive || !strings.Contains(d.Last.Warning, says) {
			t.Errorf("%s: %+v", reach, d)
		}
	}
	w.tell("else.example.com", points(foreign, ours6))
	b.addDomain(b.ann, "blog", "else.example.com")
	b.check(b.ann, "blog", "else.example.com")
	w.set(func() {
		if slices.Contains(w.asked, foreign) {
			t.Errorf("it connected to %v", w.asked)
		}
	})
}

// In a zone that is kept here, an admin's word is enough, and berth answers for the name itself.
func TestADomainInAZoneOfOurs(t *testing.T) {
	b, _ := bootDomains(t)
	b.create("blog")
	b.addZone("hosted.example")
	b.mustEnter(b.root, "mail.hosted.example 60 A 192.0.2.1", "taken.hosted.example 60 TXT hi", "cut.hosted.example 60 NS ns.example.net", "hosted.example 60 MX 10 mail.hosted.example")
	for name, want := range map[string]error{"mail.hosted.example": sites.ErrConflict, "taken.hosted.example": sites.ErrConflict, "a.cut.hosted.example": sites.ErrConflict} {
		_, err := b.AddDomain(t.Context(), b.root, "blog", name)
		wantRefusal(t, name, err, want, "name")
	}
	for _, name := range []string{"www.hosted.example", "hosted.example"} {
		d := b.addDomain(b.root, "blog", name)
		if d.State != sites.DomainActive || !d.Hosted || len(d.Records) > 0 {
			t.Errorf("added %+v", d)
		}
		if p, ok := b.edge.at(name); !ok || p.Name != "blog" {
			t.Errorf("published %+v, %v", p, ok)
		}
		if d = b.check(b.ann, "blog", name); d.State != sites.DomainActive || d.Last.Sentence != "" {
			t.Errorf("after a look: %+v", d)
		}
		_, err := b.enter(b.root, name+" 60 A 192.0.2.1")
		wantRefusal(t, "an address there", err, sites.ErrReserved, "type")
	}
	_, err := b.enter(b.ann, "else.hosted.example 60 TXT mine")
	wantRefusal(t, "the site's owner in the rest of the zone", err, sites.ErrForbidden, "name")
	b.mustEnter(b.ann, "www.hosted.example 60 TXT mine")
	wantRefusal(t, "removed before its records", b.RemoveDomain(t.Context(), b.ann, "blog", "www.hosted.example"), sites.ErrConflict, "")
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", "hosted.example"); err != nil {
		t.Error(err)
	}
}

// What a crash or a failed write leaves is the state before.
func TestAFailedWriteChangesNothing(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	const name = "www.example.com"
	b.addDomain(b.ann, "blog", name)
	w.tell(name, alias("blog."+zone))
	b.fault.fail.Store(true)
	if _, err := b.CheckDomain(t.Context(), b.ann, "blog", name); err == nil {
		t.Error("no error of a write that fails")
	}
	if _, ok := b.edge.at(name); ok {
		t.Error("it routes although nothing was written")
	}
	b.fault.fail.Store(false)
	if d := b.check(b.ann, "blog", name); d.State != sites.DomainActive {
		t.Errorf("afterwards it is %+v", d)
	}
	b.fault.fail.Store(true)
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", name); err == nil {
		t.Error("no error of a write that fails")
	}
	if _, ok := b.edge.at(name); !ok {
		t.Error("its route is gone although nothing was written")
	}
	b.fault.fail.Store(false)
}

func TestRemovingTheMainAddress(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.proven(w, "blog", "www.example.com")
	if _, err := b.UpdateOptions(t.Context(), b.ann, "blog", sites.OptionsUpdate{Canonical: new("www.example.com")}); err != nil {
		t.Fatal(err)
	}
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", "www.example.com"); err != nil {
		t.Fatal(err)
	}
	if st, err := b.Site(t.Context(), b.ann, "blog"); err != nil || st.Options.Canonical != "" {
		t.Errorf("the main address is %q, %v", st.Options.Canonical, err)
	}
}

// A zone that comes to be kept here answers for the domains that lie in it from the beginning.
func TestAZoneComesWithItsDomains(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.proven(w, "blog", "www.example.com")
	b.addDomain(b.ann, "blog", "waits.example.com")
	b.edge.mu.Lock()
	before := len(b.edge.changes)
	b.edge.mu.Unlock()
	b.addZone("example.com")
	b.edge.mu.Lock()
	defer b.edge.mu.Unlock()
	for _, ch := range b.edge.changes[before:] {
		if !ch.Full && len(ch.Zones) == 1 && (len(ch.Sites) != 1 || !slices.Equal(ch.Sites[0].Hosts, []string{"blog." + zone, "www.example.com"})) {
			t.Errorf("with the zone comes %+v", ch.Sites)
		}
	}
	if len(b.edge.changes) == before {
		t.Error("nothing was published")
	}
}

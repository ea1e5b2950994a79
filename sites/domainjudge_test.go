package sites_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"berth/sites"
)

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

package sites_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"berth/sites"
)

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
		{b.ann, "blog", "www.hosted.example", sites.ErrForbidden, "Ask an admin"},
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

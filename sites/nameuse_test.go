package sites_test

import (
	"errors"
	"slices"
	"testing"

	"berth/sites"
)

func TestWhoseANameIs(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.create("shop")
	for _, site := range []string{"blog", "shop"} {
		b.addDomain(b.ann, site, "www.example.com")
	}
	used := b.addDomain(b.ann, "blog", "used.example.com")
	w.tell(used.Name, alias("blog."+zone))
	b.check(b.ann, "blog", used.Name)
	given := b.addDomain(b.ann, "blog", "given.example.com")
	w.tell(given.Name, alias("blog."+zone))
	b.check(b.ann, "blog", given.Name)
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", given.Name); err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]sites.NameUse{
		"blog":              {Name: "blog." + zone, Site: "blog", Label: "blog"},
		" BLOG." + zone:     {Name: "blog." + zone, Site: "blog", Label: "blog"},
		"none":              {Name: "none." + zone, Label: "none"},
		"ns1":               {Name: "ns1." + zone, Nameserver: true},
		"www":               {Name: "www." + zone},
		"used.example.com.": {Name: used.Name, Site: "blog"},
		"WWW.example.com":   {Name: "www.example.com", Waiting: []string{"blog", "shop"}},
		"else.example.com":  {Name: "else.example.com"},
	} {
		got, err := b.NameUse(t.Context(), b.root, input)
		slices.Sort(got.Waiting)
		if err != nil || got.Name != want.Name || got.Site != want.Site || got.Label != want.Label || got.Nameserver != want.Nameserver || !slices.Equal(got.Waiting, want.Waiting) || got.Held.Name != "" {
			t.Errorf("%q is %+v, %v, want %+v", input, got, err, want)
		}
	}
	if got, err := b.NameUse(t.Context(), b.root, given.Name); err != nil || got.Site != "" || got.Held.AccountName != "ann" {
		t.Errorf("what was given up is %+v, %v", got, err)
	}
	if _, err := b.NameUse(t.Context(), b.ann, "blog"); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("an owner is told: %v", err)
	}
}

// A site belongs to an account, which the operator is not.
func TestTheOperatorOwnsNothing(t *testing.T) {
	b, _ := bootDomains(t)
	if _, err := b.CreateSite(t.Context(), sites.Operator, sites.NewSite{Name: "mine"}); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("it makes a site: %v", err)
	}
}

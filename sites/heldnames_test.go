package sites_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

// A name that was given up is kept for its account for 30 days; the account itself and an admin are free to take it.
func TestANameThatWasGivenUpIsKept(t *testing.T) {
	for how, giveUp := range map[string]func(*berth) error{
		"removed":      func(b *berth) error { return b.RemoveDomain(t.Context(), b.ann, "blog", "www.example.com") },
		"site deleted": func(b *berth) error { return b.DeleteSite(t.Context(), b.ann, "blog") },
	} {
		t.Run(how, func(t *testing.T) {
			b, w := bootDomains(t)
			b.create("blog")
			b.create("shop")
			if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "bobs"}); err != nil {
				t.Fatal(err)
			}
			const name = "www.example.com"
			b.proven(w, "blog", name)
			if err := giveUp(b); err != nil {
				t.Fatal(err)
			}
			if _, ok := b.edge.at(name); ok {
				t.Error("it still routes")
			}
			_, err := b.AddDomain(t.Context(), b.bob, "bobs", name)
			wantRefusal(t, "another account", err, sites.ErrTaken, "name")
			b.addDomain(b.ann, "shop", name)
			if err := b.RemoveDomain(t.Context(), b.ann, "shop", name); err != nil {
				t.Fatal(err)
			}
			_, err = b.AddDomain(t.Context(), b.bob, "bobs", name)
			wantRefusal(t, "after the account waited for it again", err, sites.ErrTaken, "name")
			held, err := b.HeldNames(t.Context(), b.root)
			if err != nil || len(held) != 1 || held[0].Name != name || held[0].AccountName != "ann" {
				t.Errorf("kept: %+v, %v", held, err)
			}
			w.pass(30*24*time.Hour + time.Minute)
			b.addDomain(b.bob, "bobs", name)
		})
	}
}

func TestAnAdminReleasesAName(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "bobs"}); err != nil {
		t.Fatal(err)
	}
	b.proven(w, "blog", "www.example.com")
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", "www.example.com"); err != nil {
		t.Fatal(err)
	}
	if err := b.ReleaseName(t.Context(), b.bob, "www.example.com"); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("an owner releases it: %v", err)
	}
	if err := b.ReleaseName(t.Context(), b.root, "www.example.com"); err != nil {
		t.Fatal(err)
	}
	if err := b.ReleaseName(t.Context(), b.root, "www.example.com"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("released twice: %v", err)
	}
	b.addDomain(b.bob, "bobs", "www.example.com")
}

// Records that led to an account's site prove nothing for who has a site of that name later.
func TestADanglingAliasProvesNothing(t *testing.T) {
	b, w := bootDomains(t)
	const name = "old.example.com"
	b.create("blog")
	b.proven(w, "blog", name)
	if err := b.DeleteSite(t.Context(), b.ann, "blog"); err != nil {
		t.Fatal(err)
	}
	w.pass(60 * 24 * time.Hour)
	for range 2 { // a name that was bob's in between is not bob's alone
		if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "blog"}); err != nil {
			t.Fatal(err)
		}
		d := b.addDomain(b.bob, "blog", name)
		if got := lines(d.Records); !strings.Contains(got, "TXT "+d.Token) {
			t.Errorf("to enter: %s", got)
		}
		if d = b.check(b.bob, "blog", name); d.State != sites.DomainWaiting {
			t.Fatalf("bob has got ann's domain: %+v", d)
		}
		if err := b.DeleteSite(t.Context(), b.bob, "blog"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestADomainThatNobodyProvesIsGivenUp(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	d := b.addDomain(b.ann, "blog", "www.example.com")
	w.pass(7*24*time.Hour - time.Minute)
	b.check(b.ann, "blog", d.Name)
	w.pass(time.Minute)
	if _, err := b.CheckDomain(t.Context(), b.ann, "blog", d.Name); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("after a week: %v", err)
	}
	if got := b.lastEvent(b.ann, "blog"); got != "domain.expire www.example.com, which was not proven within a week" {
		t.Errorf("event %q", got)
	}
	if held, err := b.HeldNames(t.Context(), b.root); err != nil || len(held) > 0 {
		t.Errorf("what was never proven is kept: %+v, %v", held, err)
	}
}

// Records that led to an account's site prove nothing for who is given that site.
func TestASiteThatIsGivenAwayTakesNoAliasesAlong(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.proven(w, "blog", "www.example.com")
	w.tell("shop.example.com", alias("blog."+zone)) // which ann has never added
	to := "bob"
	if _, err := b.UpdateSite(t.Context(), b.root, "blog", sites.SiteUpdate{Owner: &to}); err != nil {
		t.Fatal(err)
	}
	b.addDomain(b.bob, "blog", "shop.example.com")
	if d := b.check(b.bob, "blog", "shop.example.com"); d.State != sites.DomainWaiting {
		t.Errorf("bob has got ann's domain: %+v", d)
	}
	if d := b.check(b.bob, "blog", "www.example.com"); d.State != sites.DomainActive {
		t.Errorf("a domain of the site is %s since it has another owner", d.State)
	}
}

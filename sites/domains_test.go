package sites_test

import (
	"context"
	"slices"
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

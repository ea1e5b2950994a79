package sites_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

// meanwhile has something happen behind the service's back between what a use case looks at first and its transaction.
func (b *berth) meanwhile(change func(ctx context.Context, tx sites.Tx) error) {
	happens := func() {
		_, err := b.store.Write(b.t.Context(), &sites.Event{}, func(tx sites.Tx) error { return change(b.t.Context(), tx) })
		if err != nil {
			b.t.Errorf("what happens meanwhile: %v", err)
		}
	}
	b.fault.writing.Store(&happens)
}

// TestActivatingWhatIsPrunedMeanwhile has a release go between the look at it and the transaction.
func TestActivatingWhatIsPrunedMeanwhile(t *testing.T) {
	b := boot(t)
	id := b.create("hello").ID
	for _, content := range []string{"v1", "v2"} {
		if _, err := b.upload("hello", content); err != nil {
			t.Fatal(err)
		}
	}
	b.meanwhile(func(ctx context.Context, tx sites.Tx) error { return tx.DeleteRelease(ctx, id, 1) })
	if r, err := b.Activate(t.Context(), b.ann, "hello", 1); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("activated %+v, %v, want that there is no release 1", r, err)
	}
	if st := b.await("hello"); st.Wanted != 0 || st.Active != 2 {
		t.Errorf("release %d is active and %d is wanted", st.Active, st.Wanted)
	}
}

// TestWhatAFormerOwnerAsksForAtTheHandOver has a site change hands between the look at its owner and the transaction.
func TestWhatAFormerOwnerAsksForAtTheHandOver(t *testing.T) {
	b, _ := bootDomains(t)
	b.create("hello")
	for _, content := range []string{"v1", "v2"} {
		if _, err := b.upload("hello", content); err != nil {
			t.Fatal(err)
		}
	}
	b.addDomain(b.ann, "hello", "www.example.com")
	for what, ask := range map[string]func() error{
		"activate":      func() error { _, err := b.Activate(t.Context(), b.ann, "hello", 1); return err },
		"stop":          func() error { _, err := b.StopSite(t.Context(), b.ann, "hello"); return err },
		"restart":       func() error { _, err := b.RestartSite(t.Context(), b.ann, "hello"); return err },
		"delete":        func() error { return b.DeleteSite(t.Context(), b.ann, "hello") },
		"add domain":    func() error { _, err := b.AddDomain(t.Context(), b.ann, "hello", "example.com"); return err },
		"remove domain": func() error { return b.RemoveDomain(t.Context(), b.ann, "hello", "www.example.com") },
	} {
		if _, err := b.UpdateSite(t.Context(), b.root, "hello", sites.SiteUpdate{Owner: new("ann")}); err != nil {
			t.Fatal(err)
		}
		b.meanwhile(b.handOver("hello", b.bob))
		if err := ask(); !errors.Is(err, sites.ErrNotFound) {
			t.Errorf("%s: %v, want that there is no such site", what, err)
		}
	}
	if st, err := b.Site(t.Context(), b.bob, "hello"); err != nil || st.State != sites.StateRunning || st.Active != 2 {
		t.Errorf("the new owner has %+v, %v", st, err)
	}
	if list, err := b.Domains(t.Context(), b.bob, "hello"); err != nil || len(list) != 1 || list[0].Name != "www.example.com" {
		t.Errorf("with the domains %+v, %v", list, err)
	}
}

// handOver gives a site to another account, as UpdateSite does.
func (b *berth) handOver(name string, to sites.Actor) func(context.Context, sites.Tx) error {
	return func(ctx context.Context, tx sites.Tx) error {
		site, err := tx.Site(ctx, name)
		if err != nil {
			return err
		}
		before := site.Owner
		site.Owner = to.ID
		return errors.Join(tx.UpdateSite(ctx, site), tx.PutFormerOwner(ctx, name, before))
	}
}

func TestARestartOfWhatIsStoppedMeanwhile(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "v1"); err != nil {
		t.Fatal(err)
	}
	b.meanwhile(func(ctx context.Context, tx sites.Tx) error {
		site, err := tx.Site(ctx, "hello")
		site.Desired = sites.DesiredStopped
		return errors.Join(err, tx.UpdateSite(ctx, site))
	})
	if _, err := b.RestartSite(t.Context(), b.ann, "hello"); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("%v, want that it is not running", err)
	}
}

// TestWhoLosesTheirRightsMeanwhileChangesNothing has an admin be made an owner, or be deleted, while a request comes in.
func TestWhoLosesTheirRightsMeanwhileChangesNothing(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for what, loses := range map[string]func(context.Context, sites.Tx, sites.AccountID) error{
		"made an owner": func(ctx context.Context, tx sites.Tx, id sites.AccountID) error {
			account, err := tx.AccountByID(ctx, id)
			account.Role = sites.RoleOwner
			return errors.Join(err, tx.UpdateAccount(ctx, account))
		},
		"deleted": func(ctx context.Context, tx sites.Tx, id sites.AccountID) error { return tx.DeleteAccount(ctx, id) },
	} {
		admin := b.account("admin", sites.RoleAdmin, sites.Quota{})
		for _, ask := range []func() error{
			func() error {
				_, err := b.CreateAccount(t.Context(), admin, sites.NewAccount{Name: "second", Role: sites.RoleAdmin, PasswordHash: "x"})
				return err
			},
			func() error { return b.DeleteSite(t.Context(), admin, "hello") },
			func() error { return b.SetPassword(t.Context(), admin, "root", "mine") },
		} {
			b.meanwhile(func(ctx context.Context, tx sites.Tx) error { return loses(ctx, tx, admin.ID) })
			if err := ask(); !errors.Is(err, sites.ErrForbidden) {
				t.Errorf("%s: %v, want that it is forbidden", what, err)
			}
			if err := b.DeleteAccount(t.Context(), b.root, "admin"); err != nil && !errors.Is(err, sites.ErrNotFound) {
				t.Fatal(err)
			}
			admin = b.account("admin", sites.RoleAdmin, sites.Quota{})
		}
		if err := b.Record(t.Context(), sites.Actor{ID: 1 << 40, Name: "gone"}, "account.logout", "gone", ""); err != nil {
			t.Errorf("what somebody who is gone has done is not told: %v", err)
		}
		if err := b.DeleteAccount(t.Context(), b.root, "admin"); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAProofIsForWhomeverItWasLookedAt has a site change hands, and a domain be added anew, while somebody looks at the domain.
func TestAProofIsForWhomeverItWasLookedAt(t *testing.T) {
	for what, change := range map[string]func(b *berth, d sites.Domain) func(context.Context, sites.Tx) error{
		"another owner": func(b *berth, _ sites.Domain) func(context.Context, sites.Tx) error { return b.handOver("blog", b.bob) },
		"another domain of the name": func(_ *berth, d sites.Domain) func(context.Context, sites.Tx) error {
			return func(ctx context.Context, tx sites.Tx) error {
				anew := d
				anew.Token = "another"
				return errors.Join(tx.DeleteDomain(ctx, d.Site, d.Name), tx.InsertDomain(ctx, anew))
			}
		},
	} {
		b, w := bootDomains(t)
		b.create("blog")
		d := b.addDomain(b.ann, "blog", "www.example.com")
		b.check(b.ann, "blog", d.Name)
		w.tell(d.Name, sites.DomainView{Addresses: []netip.Addr{ours}, Texts: []string{d.Token}})
		b.meanwhile(change(b, d.Domain))
		if d = b.check(b.root, "blog", d.Name); d.State != sites.DomainWaiting {
			t.Errorf("%s: it is %s", what, d.State)
		}
	}
}

// TestSigningThatIsTurnedOnMeanwhileIsNotTurnedOffUnasked: the parent was not asked about its DS records.
func TestSigningThatIsTurnedOnMeanwhileIsNotTurnedOffUnasked(t *testing.T) {
	b := boot(t)
	id := b.addZone("example.com").ID
	sign := func(on bool) func(context.Context, sites.Tx) error {
		return func(ctx context.Context, tx sites.Tx) error {
			zone, err := tx.ZoneByID(ctx, id)
			zone.Signed = on
			return errors.Join(err, tx.UpdateZone(ctx, zone))
		}
	}
	if _, err := b.UpdateZone(t.Context(), b.root, "example.com", sites.ZoneUpdate{Signed: new(false), DSRemoved: true}); err != nil {
		t.Fatal(err)
	}
	b.meanwhile(sign(true))
	_, err := b.UpdateZone(t.Context(), b.root, "example.com", sites.ZoneUpdate{Signed: new(false)})
	wantRefusal(t, "turned off", err, sites.ErrConflict, "signed")
	if z, err := b.Zone(t.Context(), b.root, "example.com"); err != nil || !z.Signed {
		t.Errorf("the zone is %+v, %v", z, err)
	}
}

// TestAnImportIntoAZoneThatIsMadeAnewMeanwhile finds a zone of the same name and with as few records.
func TestAnImportIntoAZoneThatIsMadeAnewMeanwhile(t *testing.T) {
	b := boot(t)
	zone := b.addZone("example.com").Zone
	const file = "www.example.com. 60 IN A 192.0.2.1\n"
	plan, err := b.PlanImport(t.Context(), b.root, zone.Name, sites.ImportMerge, strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	b.meanwhile(func(ctx context.Context, tx sites.Tx) error {
		err := tx.DeleteZone(ctx, zone.ID)
		_, insertErr := tx.InsertZone(ctx, sites.Zone{Name: zone.Name, Kind: zone.Kind})
		return errors.Join(err, insertErr)
	})
	_, err = b.ApplyImport(t.Context(), b.root, zone.Name, sites.ImportMerge, strings.NewReader(file), plan.Hash)
	wantRefusal(t, "imported", err, sites.ErrConflict, "")
}

// TestTheUseOfATokenIsNotedOnce has another request with the token be faster.
func TestTheUseOfATokenIsNotedOnce(t *testing.T) {
	b := boot(t)
	hash := []byte("hash")
	token, err := b.CreateToken(t.Context(), b.ann, b.ann.ID, "laptop", hash)
	if err != nil {
		t.Fatal(err)
	}
	b.meanwhile(func(ctx context.Context, tx sites.Tx) error {
		token.UsedAt = time.Now()
		return tx.UpdateToken(ctx, token)
	})
	if _, err := b.AccountByToken(t.Context(), hash, "192.0.2.7"); err != nil {
		t.Error(err)
	}
	if events, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: "laptop", Limit: 1}); err != nil || events[0].Action != "token.create" {
		t.Errorf("%+v, %v", events, err)
	}

	b.meanwhile(func(ctx context.Context, tx sites.Tx) error {
		return tx.DeleteToken(ctx, b.ann.ID, token.ID)
	})
	token.UsedAt = time.Now().Add(1000 * time.Hour) // by a clock that was set back since
	if _, err := b.store.Write(t.Context(), &sites.Event{}, func(tx sites.Tx) error { return tx.UpdateToken(t.Context(), token) }); err != nil {
		t.Fatal(err)
	}
	if _, err := b.AccountByToken(t.Context(), hash, "192.0.2.7"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("a token that is deleted meanwhile: %v", err)
	}
}

// TestANewPasswordIsNotUndone has somebody who knows the former password be too late.
func TestANewPasswordIsNotUndone(t *testing.T) {
	b := boot(t)
	if err := b.SetPassword(t.Context(), b.root, "ann", "reset"); err != nil {
		t.Fatal(err)
	}
	if err := b.ReplacePassword(t.Context(), b.ann, "ann", "x", "mine"); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("%v", err)
	}
	if err := b.ReplacePassword(t.Context(), b.ann, "ann", "reset", "mine"); err != nil {
		t.Error(err)
	}
	if a, err := b.Account(t.Context(), "ann"); err != nil || a.PasswordHash != "mine" {
		t.Errorf("%+v, %v", a, err)
	}
}

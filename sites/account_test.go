package sites_test

import (
	"errors"
	"testing"

	"berth/sites"
)

func TestTokensAndSettings(t *testing.T) {
	b := boot(t)
	ctx := t.Context()
	token, err := b.CreateToken(ctx, b.ann, b.ann.ID, "laptop", []byte("hash"))
	if err != nil {
		t.Fatal(err)
	}
	if a, err := b.AccountByToken(ctx, []byte("hash"), "192.0.2.7"); err != nil || a.Name != "ann" {
		t.Errorf("by token: %+v, %v", a, err)
	}
	if err := b.DeleteToken(ctx, b.bob, token.ID); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("deleting another's token: %v", err)
	}
	if _, err := b.TokensOf(ctx, b.bob, "ann"); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("listing another's tokens: %v", err)
	}
	if err := b.EndTokens(ctx, b.root, "ann"); err != nil {
		t.Error(err)
	}
	if _, err := b.AccountByToken(ctx, []byte("hash"), "192.0.2.7"); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("an ended token: %v", err)
	}
	if err := errors.Join(b.SetSetting(ctx, sites.System, "k", "v"), b.SetSetting(ctx, sites.System, "k", "v")); err != nil {
		t.Error(err)
	}
	events, err := b.Events(ctx, b.root, sites.EventFilter{Subject: "k"})
	if v, _ := b.Setting(ctx, "k"); v != "v" || err != nil || len(events) != 1 {
		t.Errorf("setting %q with %d events, %v", v, len(events), err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	b := boot(t)
	owner := sites.RoleOwner
	if _, err := b.UpdateAccount(t.Context(), b.root, "root", sites.AccountUpdate{Role: &owner}); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("demoting the last admin: %v", err)
	}
	if err := b.DeleteAccount(t.Context(), b.root, "root"); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("deleting the last admin: %v", err)
	}
	b.create("hello")
	if err := b.DeleteAccount(t.Context(), b.root, "ann"); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("deleting an owner of sites: %v", err)
	}
	if err := b.DeleteAccount(t.Context(), b.root, "bob"); err != nil {
		t.Errorf("deleting an idle owner: %v", err)
	}
	if err := b.SetPassword(t.Context(), b.ann, "root", "y"); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("setting another's password: %v", err)
	}
}

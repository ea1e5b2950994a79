package panel

import (
	"net/http"
	"testing"
)

// works reports whether the API takes the token.
func (w *world) works(token string) bool {
	w.t.Helper()
	return w.call(token, http.MethodGet, "/api/v1/sites", "", "").status == http.StatusOK
}

func TestAnAdminSeesAndEndsAnothersTokens(t *testing.T) {
	w := newWorld(t)
	tokens := []string{w.token("ann"), w.token("ann")}
	others := w.token("bob")
	b := w.login("root")
	b.open("/admin/accounts/ann")
	if n := b.page.Find("section[aria-labelledby=tokens-heading] .rows li").Length(); n != 2 {
		t.Errorf("the admin sees %d of ann's 2 tokens", n)
	}
	b.submit("form[action='/admin/accounts/ann/tokens']", nil)
	b.says(200, "All API tokens of ann are revoked")
	if w.works(tokens[0]) || w.works(tokens[1]) {
		t.Error("a token of ann's still works")
	}
	if !w.works(others) {
		t.Error("bob's token was revoked, too")
	}
}

func TestAnAdminsResetEndsTheTokens(t *testing.T) {
	w := newWorld(t)
	token := w.token("ann")
	b := w.login("root")
	b.open("/admin/accounts/ann")
	b.submit("form[action='/admin/accounts/ann/password']", map[string]string{"password": "a new passphrase"})
	b.says(200, "all API tokens of ann are revoked")
	if w.works(token) {
		t.Error("ann's token outlived the reset")
	}

	token, admins := w.token("ann"), w.token("root")
	for _, name := range []string{"ann", "root"} {
		if a := w.call(admins, http.MethodPatch, "/api/v1/accounts/"+name, jsonType, `{"password":"another passphrase"}`); a.status != 200 {
			t.Errorf("the API's reset of %s answers %d", name, a.status)
		}
	}
	if w.works(token) {
		t.Error("ann's token outlived the reset by the API")
	}
	if !w.works(admins) {
		t.Error("changing the own password by the API ended the token that did it")
	}
}

func TestChangingOnesPasswordOffersToEndTheTokens(t *testing.T) {
	w := newWorld(t)
	b := w.login("ann")
	b.open("/account")
	if b.page.Find("[name=end_tokens]").Length() != 0 {
		t.Error("the box is there without any token")
	}
	token := w.token("ann")
	change := func(current, fresh, end string) {
		b.open("/account")
		b.submit("form[action='/account/password']", map[string]string{"current": current, "password": fresh, "repeat": fresh, "end_tokens": end})
	}
	change(testPassword, "another password", "")
	b.says(200, "Your password is changed")
	if !w.works(token) {
		t.Error("the token was revoked without asking")
	}
	change("wrong password", "third password", "yes")
	if _, ticked := b.page.Find("[name=end_tokens]").Attr("checked"); !ticked {
		t.Error("after a mistake the box is empty again")
	}
	change("another password", "third password", "yes")
	b.says(200, "All your API tokens are revoked")
	if w.works(token) {
		t.Error("the token still works")
	}
}

func TestTokensOfAnAccountAreBounded(t *testing.T) {
	w := newWorld(t)
	for range maxTokens {
		w.token("ann")
	}
	b := w.login("ann")
	b.open("/account")
	b.submit("form[action='/account/tokens']", map[string]string{"label": "one more"})
	b.faults(422, "label", "Revoke one")
	bob := w.login("bob")
	bob.open("/account")
	bob.submit("form[action='/account/tokens']", map[string]string{"label": "the first"})
	bob.says(200, "The token the first is made")
}

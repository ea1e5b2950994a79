package panel

import (
	"encoding/base32"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"berth/panel/auth"
	"berth/sites"
)

// turnOn has the logged-in browser set two-step login up, and returns the key of the app and the recovery codes.
func (b *browser) turnOn() (key string, codes []string) {
	b.t.Helper()
	b.open("/account/two-step")
	key = b.appKey()
	b.submit("form[action='/account/two-step']", map[string]string{"code": appCode(b.t, key, 0), "current": testPassword})
	b.says(http.StatusOK, "Two-step login is on")
	if codes = strings.Fields(b.page.Find("#recovery-codes").Text()); len(codes) != 10 {
		b.t.Fatalf("recovery codes %v", codes)
	}
	return key, codes
}

func (b *browser) appKey() string {
	return strings.ReplaceAll(b.page.Find("#two-step-key").Text(), " ", "")
}

// appCode is what an app shows, some time from now.
func appCode(t *testing.T, key string, later time.Duration) string {
	t.Helper()
	code, err := totp.GenerateCode(key, time.Now().Add(later))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

func mustBase32(t *testing.T, key string) []byte {
	t.Helper()
	secret, err := base32.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// halfLogin is a browser that has shown the password.
func (w *world) halfLogin(account string) *browser {
	w.t.Helper()
	b := w.browser()
	b.open("/login?next=/account")
	b.submit("form[action='/login']", map[string]string{"account": account, "password": testPassword})
	if b.page.path != "/login/code?next=%2Faccount" || b.page.status != http.StatusOK {
		w.t.Fatalf("the password of %s leads to %s with %d", account, b.page.path, b.page.status)
	}
	return b
}

func TestTurningTwoStepLoginOn(t *testing.T) {
	w := newWorld(t)
	ann, elsewhere := w.login("ann"), w.login("ann")
	ann.open("/account")
	if ann.page.Find("a[href='/account/two-step']").Length() != 1 {
		t.Error("the account page does not lead there")
	}
	ann.open("/account/two-step")
	key := ann.appKey()
	if link := ann.page.Find("main a[href^='otpauth:']").AttrOr("href", ""); link != auth.TOTPURI(mustBase32(t, key), testZone, "ann") {
		t.Errorf("an app on the same device is sent to %q", link)
	}
	if ann.page.Find("svg.qr path").AttrOr("d", "") == "" {
		t.Error("there is no picture for the app")
	}
	form := "form[action='/account/two-step']"
	ann.submit(form, map[string]string{"code": "000000", "current": testPassword})
	ann.faults(http.StatusUnprocessableEntity, "code", "not the code")
	if ann.appKey() != key {
		t.Error("a wrong code changes the key that the app has")
	}
	ann.submit(form, map[string]string{"code": appCode(t, key, 0), "current": "not this"})
	ann.faults(http.StatusUnprocessableEntity, "current", "not your current password")
	if elsewhere.open("/account").path != "/account" {
		t.Error("a session ended though nothing was turned on")
	}
	ann.submit(form, map[string]string{"code": appCode(t, key, 0), "current": testPassword})
	ann.says(http.StatusOK, "Two-step login is on")
	if e := w.newest(); e.Action != "two-step.on" || e.Actor != "ann" {
		t.Errorf("logged as %+v", e)
	}
	if ann.open("/account/two-step").Find("#recovery-codes").Length() != 0 {
		t.Error("the recovery codes are shown twice")
	}
	contains(t, "page", ann.page.Find("main").Text(), "10 codes left")
	if elsewhere.open("/account").path == "/account" {
		t.Error("a session from before goes on without a code")
	}
}

func TestLoggingInWithACode(t *testing.T) {
	w := newWorld(t)
	key, codes := w.login("ann").turnOn()

	b := w.halfLogin("ann")
	if b.open("/account").path == "/account" {
		t.Fatal("the password alone opens the account")
	}
	b.open("/login/code?next=/account")
	b.submit("#code-form", map[string]string{"code": "000000"})
	if b.page.status != http.StatusForbidden {
		t.Errorf("a wrong code is answered %d", b.page.status)
	}
	if e := w.newest(); e.Action != "account.login-refused" || e.Subject != "ann" {
		t.Errorf("a wrong code is logged as %+v", e)
	}
	code := appCode(t, key, 30*time.Second)
	b.submit("#code-form", map[string]string{"code": code})
	b.says(http.StatusOK, "logged in as ann")
	if e := w.newest(); b.page.path != "/account" || e.Action != "account.login" || e.Detail != "with a code" {
		t.Errorf("at %s, logged as %+v", b.page.path, e)
	}

	b = w.halfLogin("ann")
	b.submit("#code-form", map[string]string{"code": code})
	if b.page.status != http.StatusForbidden {
		t.Errorf("a code that was used is answered %d", b.page.status)
	}
	b.submit("#recovery-form", map[string]string{"code": strings.ToUpper(codes[7])})
	b.says(http.StatusOK, "logged in as ann")
	if e := w.newest(); e.Detail != "with a recovery code, 9 left" {
		t.Errorf("logged as %+v", e)
	}
	b = w.halfLogin("ann")
	b.submit("#recovery-form", map[string]string{"code": codes[7]})
	if b.page.status != http.StatusForbidden {
		t.Errorf("a recovery code that was used is answered %d", b.page.status)
	}
}

func TestCodesCannotBeGuessed(t *testing.T) {
	w := newWorld(t)
	key, _ := w.login("ann").turnOn()
	w.panel.throttle = auth.NewThrottle() // as after a restart
	b := w.halfLogin("ann")
	for range 5 {
		b.send(http.MethodPost, "/login/code", formType, strings.NewReader("code=000000"))
	}
	b.send(http.MethodPost, "/login/code", formType, strings.NewReader("code="+appCode(t, key, 30*time.Second)))
	if b.page.status != http.StatusTooManyRequests || b.page.header.Get("Retry-After") == "" {
		t.Errorf("after many guesses: %d", b.page.status)
	}
	b.open("/login")
	b.submit("form[action='/login']", map[string]string{"account": "ann", "password": testPassword})
	if b.page.status != http.StatusTooManyRequests {
		t.Errorf("the password gets round the throttle of codes: %d", b.page.status)
	}
}

func TestACodeWithoutAPassword(t *testing.T) {
	w := newWorld(t)
	ann := w.login("ann")
	key, _ := ann.turnOn()
	stranger := w.browser()
	if stranger.open("/login/code").path != "/login" {
		t.Error("strangers are asked for a code")
	}
	stranger.send(http.MethodPost, "/login/code", formType, strings.NewReader("code="+appCode(t, key, 30*time.Second)))
	if stranger.page.status != http.StatusForbidden || stranger.open("/account").path == "/account" {
		t.Error("a code alone logs in")
	}

	b := w.halfLogin("ann")
	if err := w.SetPassword(t.Context(), w.actor("ann"), "ann", "other"); err != nil {
		t.Fatal(err)
	}
	b.submit("#code-form", map[string]string{"code": appCode(t, key, 30*time.Second)})
	if b.page.status != http.StatusForbidden {
		t.Errorf("the password was changed meanwhile: %d at %s", b.page.status, b.page.path)
	}
}

// slowly sends a form whose end waits until meanwhile has run, once the panel reads it.
func (b *browser) slowly(path, form string, meanwhile func()) {
	b.t.Helper()
	body, typing := io.Pipe()
	ctx := httptrace.WithClientTrace(b.t.Context(), &httptrace.ClientTrace{Got100Continue: func() {
		go func() {
			meanwhile()
			_, err := io.WriteString(typing, form)
			typing.CloseWithError(err)
		}()
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", formType)
	r.Header.Set("Expect", "100-continue")
	transport := b.client.Transport.(*http.Transport).Clone()
	transport.ExpectContinueTimeout = time.Minute
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport, Jar: b.client.Jar, CheckRedirect: b.client.CheckRedirect}).Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	res.Body.Close()
}

// TestAFormThatOutlastsItsSession has a thief with ann's password send forms whose end comes after she has changed it.
func TestAFormThatOutlastsItsSession(t *testing.T) {
	for path, fields := range map[string]url.Values{
		"/account/two-step":     {"current": {testPassword}},
		"/account/two-step/off": {"current": {testPassword}},
		"/account/tokens":       {"label": {"mine"}},
	} {
		w := newWorld(t)
		thief := w.login("ann")
		if path == "/account/two-step/off" {
			thief.turnOn()
		} else {
			thief.open("/account/two-step")
			fields.Set("code", appCode(t, thief.appKey(), 0))
		}
		before, err := w.Account(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		thief.slowly(path, fields.Encode(), func() {
			if err := w.SetPassword(t.Context(), w.actor("ann"), "ann", "other"); err != nil {
				t.Error(err)
			}
		})
		after, err := w.Account(t.Context(), "ann")
		if err != nil {
			t.Fatal(err)
		}
		if !after.TwoStepSince.Equal(before.TwoStepSince) {
			t.Errorf("%s turns two-step login from %v to %v", path, before.TwoStepSince, after.TwoStepSince)
		}
		if tokens, err := w.Tokens(t.Context(), w.actor("ann")); err != nil || len(tokens) > 0 {
			t.Errorf("%s makes the tokens %v, %v", path, tokens, err)
		}
		if thief.open("/account").path == "/account" {
			t.Errorf("%s keeps the thief logged in", path)
		}
	}
}

func TestAFormThatOutlastsItsLogout(t *testing.T) {
	w := newWorld(t)
	ann := w.login("ann")
	elsewhere := w.browser()
	elsewhere.header.Set("Cookie", ann.session().String())
	ann.slowly("/account/tokens", "label=mine", func() { elsewhere.send(http.MethodPost, "/logout", formType, nil) })
	if tokens, err := w.Tokens(t.Context(), w.actor("ann")); err != nil || len(tokens) > 0 {
		t.Errorf("it makes the tokens %v, %v", tokens, err)
	}
	if elsewhere.open("/account").path == "/account" {
		t.Error("it brings the session back")
	}
}

// TestAPasswordThatIsChangedMeanwhile is about the time that the check of the password takes.
func TestAPasswordThatIsChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	ann := w.actor("ann")
	if _, err := w.TurnOnTwoStep(t.Context(), ann, "old", sites.TwoStep{Secret: []byte("x")}); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("turned on: %v", err)
	}
	w.login("ann").turnOn()
	if err := w.ReplaceRecoveryCodes(t.Context(), ann, "old", nil); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("codes replaced: %v", err)
	}
	if err := w.GiveUpTwoStep(t.Context(), ann, "old"); !errors.Is(err, sites.ErrConflict) {
		t.Errorf("turned off: %v", err)
	}
}

// TestBrowsersFromBeforeGuessNoCodes has a browser that knew the password before be throttled like any stranger's.
func TestBrowsersFromBeforeGuessNoCodes(t *testing.T) {
	w := newWorld(t)
	before, ann := w.login("ann"), w.login("ann")
	ann.turnOn()
	w.panel.throttle = auth.NewThrottle() // as after a restart
	stranger := w.browser()
	for range 6 {
		stranger.send(http.MethodPost, "/login", formType, strings.NewReader("account=ann&password=wrong"))
	}
	login := "account=ann&password=" + url.QueryEscape(testPassword)
	if before.send(http.MethodPost, "/login", formType, strings.NewReader(login)); before.page.status != http.StatusTooManyRequests {
		t.Errorf("a browser from before has guesses of its own: %d", before.page.status)
	}
	if ann.send(http.MethodPost, "/login", formType, strings.NewReader(login)); ann.page.path != "/login/code" {
		t.Errorf("strangers lock out the browser that turned it on: %d", ann.page.status)
	}
}

func TestRecoveryCodesAndTurningOff(t *testing.T) {
	w := newWorld(t)
	ann := w.login("ann")
	_, old := ann.turnOn()
	form := "form[action='/account/two-step/codes']"
	ann.submit(form, map[string]string{"current": "not this"})
	ann.faults(http.StatusUnprocessableEntity, "current-codes", "not your current password")
	ann.submit(form, map[string]string{"current": testPassword})
	ann.says(http.StatusOK, "recovery codes are new")
	fresh := strings.Fields(ann.page.Find("#recovery-codes").Text())
	b := w.halfLogin("ann")
	b.submit("#recovery-form", map[string]string{"code": old[0]})
	if b.page.status != http.StatusForbidden {
		t.Errorf("a code from before is answered %d", b.page.status)
	}
	b.submit("#recovery-form", map[string]string{"code": fresh[0]})
	b.says(http.StatusOK, "logged in as ann")

	ann.open("/account/two-step")
	form = "form[action='/account/two-step/off']"
	ann.submit(form, map[string]string{"current": "not this"})
	ann.faults(http.StatusUnprocessableEntity, "current-off", "not your current password")
	ann.submit(form, map[string]string{"current": testPassword})
	ann.says(http.StatusOK, "Two-step login is off")
	if b.open("/account").path == "/account" {
		t.Error("the other session goes on")
	}
	w.login("ann")
}

func TestAnAdminTurnsTwoStepLoginOff(t *testing.T) {
	w := newWorld(t)
	ann, root, token := w.login("ann"), w.login("root"), w.token("root")
	ann.turnOn()
	if a := w.call(token, "PATCH", "/api/v1/accounts/bob", "application/json", `{"two_step":true}`); a.status != http.StatusUnprocessableEntity {
		t.Errorf("turned on by somebody else: %d %s", a.status, a.body)
	}
	if a := w.call(token, "GET", "/api/v1/accounts/ann", "", ""); a.json["two_step"] != true {
		t.Errorf("the API says %s", a.body)
	}
	root.open("/admin/accounts/ann")
	root.submit("form[action='/admin/accounts/ann/two-step']", nil)
	root.says(http.StatusOK, "two-step login of ann is off")
	if e := w.newest(); e.Action != "two-step.off" || e.Actor != "root" || e.Subject != "ann" {
		t.Errorf("logged as %+v", e)
	}
	if ann.open("/account").path == "/account" {
		t.Error("the session goes on")
	}
	w.login("ann").turnOn()
	if a := w.call(token, "PATCH", "/api/v1/accounts/ann", "application/json", `{"two_step":false}`); a.status != http.StatusOK || a.json["two_step"] != false {
		t.Errorf("turned off: %d %s", a.status, a.body)
	}
	w.login("ann")
	bob := w.login("bob")
	bob.send(http.MethodPost, "/admin/accounts/ann/two-step", formType, nil)
	if bob.page.status != http.StatusNotFound {
		t.Errorf("an owner is answered %d", bob.page.status)
	}
}

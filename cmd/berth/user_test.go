package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"berth/sites"
)

// TestAccountsBesideTheService has command lines write to the database while the service does.
func TestAccountsBesideTheService(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	const each = 10
	var creating sync.WaitGroup
	creating.Go(func() {
		client := p.client(nil)
		defer client.CloseIdleConnections()
		for i := range 10 * each {
			status, text, err := p.call(client, "POST", "/sites", map[string]string{"name": fmt.Sprint("site", i)})
			if err != nil || status != http.StatusCreated {
				t.Errorf("site %d beside the command lines: status %d, %v: %s", i, status, err, text)
			}
		}
	})
	for i := range each {
		args := []string{"user", "add", fmt.Sprint("user", i), "--data-dir", p.dir}
		if out := p.run(testPassword+"\n", args...); out != fmt.Sprintf("Added owner user%d.\n", i) {
			t.Errorf("%v: %q", args, out)
		}
	}
	creating.Wait()
	p.token = strings.TrimSpace(p.run("", "token", "add", "--user", "user3", "--name", "test", "--data-dir", p.dir))
	client := p.client(nil)
	p.api(client, "GET", "/status", nil, http.StatusForbidden, nil) // no admin
	p.api(client, "POST", "/sites", map[string]string{"name": "mine"}, http.StatusCreated, nil)
	wantAddress(t, p, "mine."+testZone, "127.0.0.1")
	wantAddress(t, p, fmt.Sprintf("site%d.%s", 10*each-1, testZone), "127.0.0.1")
}

func TestTheCommandThatTurnsTwoStepLoginOff(t *testing.T) {
	dir, out := t.TempDir(), &bytes.Buffer{}
	c := func(stdin string) console { return console{strings.NewReader(stdin), out, out} }
	command := func(args ...string) {
		t.Helper()
		if err := run(t.Context(), append(args, "--data-dir", dir), c(testPassword)); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
	command("user", "add", "ann")
	err := local{DataDir: dir}.with(t.Context(), c(""), func(s *sites.Service) error {
		ann, err := s.Account(t.Context(), "ann")
		if err != nil {
			return err
		}
		_, err = s.TurnOnTwoStep(t.Context(), sites.Actor{ID: ann.ID, Name: ann.Name}, ann.PasswordHash, sites.TwoStep{Secret: []byte("x")})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	command("user", "two-step-off", "ANN")
	err = local{DataDir: dir}.with(t.Context(), c(""), func(s *sites.Service) error {
		ann, err := s.Account(t.Context(), "ann")
		if !ann.TwoStepSince.IsZero() {
			t.Errorf("it is still on, and the command says %q", out)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAccountsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		stdin string
		args  []string
		want  string // of the error; empty: there is none
	}{
		{testPassword + "\n", []string{"user", "add", "ann"}, ""},
		{testPassword, []string{"user", "add", "ann"}, "There is an account"},
		{"short\n", []string{"user", "add", "bob"}, "password"},
		{testPassword + "\n", []string{"user", "add", "Not A Name"}, "account name"},
		{"another " + testPassword + "\n", []string{"user", "password", "ann"}, ""},
		{testPassword + "\n", []string{"user", "password", "bob"}, "There is no account"},
		{"", []string{"user", "two-step-off", "ann"}, "Two-step login is not on for ann"},
		{"", []string{"user", "two-step-off", "bob"}, "There is no account"},
		{"", []string{"token", "add", "--user", "bob", "--name", "x"}, "There is no account"},
		{"", []string{"token", "add", "--user", "ann"}, "--name"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), append(tc.args, "--data-dir", dir), console{strings.NewReader(tc.stdin), &out, &out})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.args, err, tc.want)
		}
	}
}

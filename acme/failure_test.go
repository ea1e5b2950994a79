package acme

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

func TestFailuresAreExplained(t *testing.T) {
	problem := func(kind string, status int) error {
		return fmt.Errorf("order: %w", acme.Problem{Type: acme.ProblemTypeNamespace + kind, Status: status, Detail: "secret detail"})
	}
	for name, c := range map[string]struct {
		err    error
		status int
		word   string
		scope  scope
	}{
		"limited":                 {problem("rateLimited", 429), 0, "limits", scopeCA},
		"limited, untyped":        {problem("other", 429), 0, "limits", scopeCA},
		"limited, no document":    {errors.New("HTTP 429"), 429, "limits", scopeCA},
		"trouble":                 {problem("serverInternal", 500), 0, "trouble", scopeCA},
		"trouble, no document":    {errors.New("HTTP 502"), 502, "trouble", scopeCA},
		"account":                 {problem("accountDoesNotExist", 400), 0, "account", scopeCA},
		"challenge":               {problem("unauthorized", 403), 0, "delegated", scopeHost},
		"dns":                     {problem("dns", 400), 0, "delegated", scopeHost},
		"caa":                     {problem("caa", 403), 0, "CAA", scopeHost},
		"name":                    {problem("rejectedIdentifier", 400), 0, "does not issue for a.zone.test", scopeHost},
		"anything else":           {problem("badCSR", 400), 0, "refused", scopeHost},
		"invalid order":           {fmt.Errorf("final: %w", &acme.Problem{Type: acme.ProblemTypeCAA}), 0, "CAA", scopeHost},
		"full disk":               {fmt.Errorf("%w: no space", errDisk), 0, "disk", scopeHost},
		"no way in common":        {fmt.Errorf("%w: offered=[x]", errNoWay), 0, "another one is tried", scopeHost},
		"ours, not published":     {fmt.Errorf("%w: database is locked", errUnanswered), 0, "could not publish", scopeHost},
		"no answer":               {context.DeadlineExceeded, 0, "does not answer", scopeCA},
		"no advice":               {errAdvice, 0, "does not answer", scopeCA},
		"ours, CA in trouble too": {fmt.Errorf("%w: no space", errDisk), 503, "disk", scopeHost},
	} {
		t.Run(name, func(t *testing.T) {
			got := explain(c.err, place{"a.zone.test", true}, refusal{status: c.status})
			if !strings.Contains(got.sentence, c.word) || got.scope != c.scope || got.pace == (pace{}) {
				t.Errorf("%v means %+v", c.err, got)
			}
			if strings.Contains(got.sentence, "secret") || strings.Contains(got.sentence, "HTTP 4") {
				t.Errorf("people are told internals: %q", got.sentence)
			}
		})
	}
}

func TestLimitsConcernWhomTheyMean(t *testing.T) {
	said := time.Now().Add(5 * time.Hour).UTC().Truncate(time.Second)
	written := said.Add(-2 * time.Hour)
	for text, c := range map[string]struct {
		host  string
		scope scope
		until time.Time
	}{
		limitExactSet + ", retry after " + written.Format("2006-01-02 15:04:05 MST"): {"a.zone.test", scopeHost, written},
		limitExactSet: {"*.zone.test", scopeHost, said},
		`too many failed authorizations (5) for "a.zone.test" in the last 1h0m0s`: {"a.zone.test", scopeHost, said},
		`too many failed authorizations (5) for "zone.test" in the last 1h0m0s`:   {"*.zone.test", scopeHost, said},
		limitDomain:  {"a.zone.test", scopeOrders, said},
		limitAccount: {"a.zone.test", scopeCA, said},
		"too many new registrations (10) from this IP address in the last 3h0m0s": {"a.zone.test", scopeCA, said},
		"Service busy; retry later.":          {"a.zone.test", scopeCA, said},
		"retry after 2026-99-99 99:99:99 UTC": {"a.zone.test", scopeCA, said},
	} {
		problem := acme.Problem{Type: acme.ProblemTypeRateLimited, Status: 429, Detail: text}
		got := explain(fmt.Errorf("order: %w", problem), place{c.host, true}, refusal{status: 429, until: said})
		if got.scope != c.scope || !got.until.Equal(c.until) {
			t.Errorf("%s: scope %d until %v, want %d until %v", text, got.scope, got.until, c.scope, c.until)
		}
	}
	sub := acme.Problem{Type: acme.ProblemTypeRateLimited, Subproblems: []acme.Subproblem{
		{Identifier: acme.Identifier{Type: "dns", Value: "a.zone.test"}},
	}}
	if got := explain(sub, place{"a.zone.test", true}, refusal{}); got.scope != scopeHost {
		t.Errorf("a subproblem that names the host has scope %d", got.scope)
	}
}

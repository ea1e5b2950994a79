package sites_test

import (
	"errors"
	"testing"

	"berth/sites"
)

// to changes all limits.
func to(l sites.Limits) *sites.LimitsUpdate {
	return &sites.LimitsUpdate{MemoryMB: &l.MemoryMB, CPUs: &l.CPUs, Pids: &l.Pids}
}

// TestWhatComesToNoChangeMakesNoEvent gives a site what it has.
func TestWhatComesToNoChangeMakesNoEvent(t *testing.T) {
	b := boot(t)
	st := b.create("hello")
	events := func() []sites.Event {
		t.Helper()
		list, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: "hello"})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := len(events())
	same := sites.SiteUpdate{
		Limits: to(st.Limits), Owner: new("Ann"), Instances: &st.Instances, HealthPath: new(""), Options: &sites.OptionsUpdate{Maintenance: new(false)},
	}
	if got, err := b.UpdateSite(t.Context(), b.root, "hello", same); err != nil || got.Limits != st.Limits || got.Owner != st.Owner {
		t.Errorf("%+v, %v", got.Site, err)
	}
	if list := events(); len(list) != before {
		t.Errorf("it has left %+v", list[0])
	}
	same.Limits = &sites.LimitsUpdate{Pids: new(77)}
	if _, err := b.UpdateSite(t.Context(), b.root, "hello", same); err != nil {
		t.Fatal(err)
	}
	if list := events(); len(list) != before+1 || list[0].Action != "site.update" || list[0].Detail != "limits 64 MiB, 0.5 CPUs, 77 processes" {
		t.Errorf("of one limit that is new is told %+v", list[0])
	}
	same.Options.Maintenance = new(true)
	if _, err := b.UpdateSite(t.Context(), b.root, "hello", same); err != nil {
		t.Fatal(err)
	}
	if list := events(); len(list) != before+2 || list[0].Action != "site.options" {
		t.Errorf("of an option that is new is told %+v", list[0])
	}
}

// TestALimitIsJudgedWithTheOthers wants no limit to be had that is out of bounds, alone or beside others that are right.
func TestALimitIsJudgedWithTheOthers(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for _, update := range []sites.LimitsUpdate{{MemoryMB: new(1)}, {CPUs: new(0.01), Pids: new(99)}, {Pids: new(1)}} {
		if _, err := b.UpdateSite(t.Context(), b.root, "hello", sites.SiteUpdate{Limits: &update}); !errors.Is(err, sites.ErrInvalid) {
			t.Errorf("%+v: %v", update, err)
		}
	}
}

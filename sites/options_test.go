package sites_test

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"berth/sites"
)

func (b *berth) setOptions(u sites.OptionsUpdate) sites.SiteStatus {
	b.t.Helper()
	st, err := b.UpdateOptions(b.t.Context(), b.ann, "hello", u)
	if err != nil {
		b.t.Fatal(err)
	}
	return st
}

func (b *berth) events(subject string) []sites.Event {
	b.t.Helper()
	events, err := b.Events(b.t.Context(), b.ann, sites.EventFilter{Subject: subject})
	if err != nil {
		b.t.Fatal(err)
	}
	return events
}

func TestOptionsArePublishedWhenTheCallReturns(t *testing.T) {
	b := boot(t)
	b.create("hello")
	st := b.setOptions(sites.OptionsUpdate{
		Canonical: new(" HELLO." + zone + ". "), TrailingSlash: new(sites.SlashRemove), HSTS: new(sites.HSTSSubdomains),
		Login: &sites.LoginUpdate{User: "ann", Password: "correct horse"}, Allow: &[]string{"192.0.2.77/24", "2001:db8::1", "", " ::ffff:192.0.2.0/120"},
		Maintenance: new(true), DownPage: new("errors//down.html"), MaintenancePage: new("/wait.html"),
		RequestsPerSecond: new(5), Connections: new(6), BodyMB: new(7),
	})
	got := st.Options
	if !got.Login.Matches("ann", "correct horse") || got.Login.Matches("ann", "correct horsf") || got.Login.Matches("bob", "correct horse") {
		t.Error("the login is not the one that was set")
	}
	want := sites.Options{
		Canonical: "hello." + zone, TrailingSlash: sites.SlashRemove, HSTS: sites.HSTSSubdomains, Login: got.Login,
		Allow:       []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::1/128")},
		Maintenance: true, Pages: sites.ErrorPages{Down: "/errors/down.html", Maintenance: "/wait.html"},
		Bounds: sites.Bounds{RequestsPerSecond: 5, Connections: 6, BodyMB: 7},
	}
	if !got.Equal(want) {
		t.Errorf("options %+v, want %+v", got, want)
	}
	if p, _ := b.edge.at("hello." + zone); !p.Options.Equal(want) {
		t.Errorf("published %+v, want %+v", p.Options, want)
	}
	b.setOptions(sites.OptionsUpdate{BodyMB: new(0)})
	want.Bounds.BodyMB = 0
	if p, _ := b.edge.at("hello." + zone); !p.Options.Equal(want) {
		t.Errorf("after a change of one option %+v, want %+v", p.Options, want)
	}
}

func TestOptionsRefusals(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 201)
	for i := range many {
		many[i] = netip.AddrFrom4([4]byte{192, 0, byte(i), 1}).String()
	}
	for _, tc := range []struct {
		field  string
		update sites.OptionsUpdate
	}{
		{"options.canonical", sites.OptionsUpdate{Canonical: new("www.example.net")}},
		{"options.trailing_slash", sites.OptionsUpdate{TrailingSlash: new(sites.TrailingSlash("both"))}},
		{"options.hsts", sites.OptionsUpdate{HSTS: new(sites.HSTS("preload"))}},
		{"options.login.user", sites.OptionsUpdate{Login: &sites.LoginUpdate{Password: "correct horse"}}},
		{"options.login.user", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "a:b", Password: "correct horse"}}},
		{"options.login.user", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "a\x00", Password: "correct horse"}}},
		{"options.login.user", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: strings.Repeat("a", 65), Password: "correct horse"}}},
		{"options.login.password", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "ann"}}},
		{"options.login.password", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "ann", Password: "seven77"}}},
		{"options.login.password", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "ann", Password: strings.Repeat("ü", 37)}}},
		{"options.login.password", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "ann", Password: "correct\thorse"}}},
		{"options.login.password", sites.OptionsUpdate{Login: &sites.LoginUpdate{User: "ann", Password: "correct \xff horse"}}},
		{"options.allow", sites.OptionsUpdate{Allow: &[]string{"192.0.2.0/33"}}},
		{"options.allow", sites.OptionsUpdate{Allow: &[]string{"example.org"}}},
		{"options.allow", sites.OptionsUpdate{Allow: &[]string{"fe80::1%eth0"}}},
		{"options.allow", sites.OptionsUpdate{Allow: &[]string{"::ffff:192.0.2.0/90"}}},
		{"options.allow", sites.OptionsUpdate{Allow: &many}},
		{"options.pages.down", sites.OptionsUpdate{DownPage: new("/nowhere.html")}},
		{"options.pages.down", sites.OptionsUpdate{DownPage: new("/../../1/1/nothing.html")}},
		{"options.pages.down", sites.OptionsUpdate{DownPage: new("index.html/")}},
		{"options.pages.down", sites.OptionsUpdate{DownPage: new("/.git/config")}},
		{"options.pages.maintenance", sites.OptionsUpdate{MaintenancePage: new("/")}},
		{"options.pages.maintenance", sites.OptionsUpdate{MaintenancePage: new("/a\x00b")}},
		{"options.pages.maintenance", sites.OptionsUpdate{MaintenancePage: new(strings.Repeat("a", 300))}},
		{"options.bounds.requests_per_second", sites.OptionsUpdate{RequestsPerSecond: new(-1)}},
		{"options.bounds.connections", sites.OptionsUpdate{Connections: new(100_001)}},
		{"options.bounds.body_mb", sites.OptionsUpdate{BodyMB: new(10_241)}},
	} {
		tc.update.Maintenance = new(true)
		_, err := b.UpdateOptions(t.Context(), b.ann, "hello", tc.update)
		var refusal *sites.Refusal
		if !errors.Is(err, sites.ErrInvalid) || !errors.As(err, &refusal) || refusal.Field != tc.field || !strings.HasSuffix(refusal.Sentence, ".") {
			t.Errorf("%+v: %v, want a refusal of %s", tc.update, err, tc.field)
		}
	}
	if st, err := b.Site(t.Context(), b.ann, "hello"); err != nil || !st.Options.Zero() {
		t.Errorf("a refused change has changed something: %+v, %v", st.Options, err)
	}
	if _, err := b.UpdateOptions(t.Context(), b.bob, "hello", sites.OptionsUpdate{}); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("another owner's site: %v", err)
	}
}

func TestOptionsEventsTellWhatChangedAndNoSecret(t *testing.T) {
	b := boot(t)
	b.create("hello")
	login := func(user, password string) sites.OptionsUpdate {
		return sites.OptionsUpdate{Login: &sites.LoginUpdate{User: user, Password: password}}
	}
	for _, step := range []struct {
		update sites.OptionsUpdate
		want   string // empty: no event
	}{
		{login("ann", "correct horse"), "password protection on for user ann"},
		{login("ann", ""), ""},
		{login("bob", ""), "password protection for user bob"},
		{login("bob", "battery staple"), "new password for user bob"},
		{login("", "another staple"), "new password for user bob"},
		{login("", ""), ""},
		{sites.OptionsUpdate{Login: &sites.LoginUpdate{End: true}}, "password protection off"},
		{sites.OptionsUpdate{Login: &sites.LoginUpdate{End: true}}, ""},
		{sites.OptionsUpdate{Canonical: new("hello." + zone)}, "main address hello." + zone},
		{sites.OptionsUpdate{Canonical: new("hello." + zone)}, ""},
		{sites.OptionsUpdate{Canonical: new("")}, "main address none"},
		{sites.OptionsUpdate{TrailingSlash: new(sites.SlashAdd), HSTS: new(sites.HSTSHost)}, "trailing slash added, HSTS for the host"},
		{sites.OptionsUpdate{Maintenance: new(true)}, "maintenance on"},
		{sites.OptionsUpdate{Allow: &[]string{"192.0.2.1", "10.0.0.0/8"}}, "visitors only from 10.0.0.0/8 and 192.0.2.1"},
		{sites.OptionsUpdate{Allow: &[]string{"10.0.0.0/8", "192.0.2.1/32"}}, ""},
		{sites.OptionsUpdate{Allow: &[]string{"1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5", "1.0.0.6"}}, "visitors only from 1.0.0.1 and 1.0.0.2 and 1.0.0.3 and 1.0.0.4 and 1.0.0.5 and 1 more"},
		{sites.OptionsUpdate{Allow: &[]string{}}, "visitors from everywhere"},
		{sites.OptionsUpdate{RequestsPerSecond: new(3), BodyMB: new(2)}, "requests a second up to 3, request bodies up to 2 MB"},
		{sites.OptionsUpdate{BodyMB: new(0)}, "request bodies without bound"},
		{sites.OptionsUpdate{DownPage: new("/down.html"), MaintenancePage: new("/m.html")}, "page when down /down.html, page during maintenance /m.html"},
	} {
		before := len(b.events("hello"))
		b.setOptions(step.update)
		events := b.events("hello")
		switch {
		case step.want == "" && len(events) != before:
			t.Errorf("a change of nothing wrote %q", events[0].Detail)
		case step.want != "" && (len(events) != before+1 || events[0].Action != "site.options" || events[0].Detail != step.want || events[0].Actor != "ann"):
			t.Errorf("event %+v, want %q", events[0], step.want)
		}
	}
	for _, e := range b.events("hello") {
		if strings.Contains(e.Detail, "horse") || strings.Contains(e.Detail, "staple") || strings.Contains(e.Detail, "$2") {
			t.Errorf("the event %q tells a secret", e.Detail)
		}
	}
}

func TestOptionsWithoutEffectAreWarnedOf(t *testing.T) {
	b := boot(t)
	b.create("hello")
	st := b.setOptions(sites.OptionsUpdate{DownPage: new("/down.html"), MaintenancePage: new("index.html")})
	warned := func(st sites.SiteStatus, want ...string) {
		t.Helper()
		found := b.OptionWarnings(st)
		if len(found) != len(want) {
			t.Fatalf("warnings %+v, want %q", found, want)
		}
		for i, w := range found {
			if w.Option != want[i] || !strings.HasSuffix(w.Sentence, ".") {
				t.Errorf("warning %+v, want one of %s", w, want[i])
			}
		}
	}
	warned(st, "pages.down", "pages.maintenance") // there is no release yet
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	warned(b.await("hello"), "pages.down")
	st = b.setOptions(sites.OptionsUpdate{HSTS: new(sites.HSTSHost)}) // what has become wrong is in nobody's way
	st.Options.Canonical = "gone.example.net"
	warned(st, "canonical", "pages.down")
	st.Options.Canonical, st.Hosts[0].Lapsed = st.Hosts[0].Name, true
	warned(st, "canonical", "pages.down")
}

func TestOptionsDifferInEveryField(t *testing.T) {
	for i := range reflect.TypeFor[sites.Options]().NumField() {
		var changed sites.Options
		field := reflect.ValueOf(&changed).Elem().Field(i)
		set(field)
		if changed.Equal(sites.Options{}) || changed.Zero() || !changed.Equal(changed) {
			t.Errorf("a change of %s counts as none", reflect.TypeFor[sites.Options]().Field(i).Name)
		}
	}
	if !(sites.Options{Allow: []netip.Prefix{}}).Zero() {
		t.Error("an empty list of networks differs from none")
	}
}

// set gives a value that is not zero.
func set(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	case reflect.Struct:
		set(v.Field(v.NumField() - 1))
	}
}

// TestAChangeOfAllKindsIsOne gives a site other options, limits, instances and another owner at once.
func TestAChangeOfAllKindsIsOne(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.upload("hello", "one"); err != nil {
		t.Fatal(err)
	}
	b.await("hello")
	revision := func() int64 {
		t.Helper()
		n, err := b.store.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	limits := sites.Limits{MemoryMB: 99, CPUs: 1, Pids: 99}
	update := func(hsts sites.HSTS, instances int, owner string) sites.SiteUpdate {
		return sites.SiteUpdate{
			Limits: to(limits), Instances: &instances, HealthPath: new("/up"), Owner: &owner,
			Options: &sites.OptionsUpdate{HSTS: &hsts, Login: &sites.LoginUpdate{User: "guest", Password: "correct horse"}},
		}
	}
	before, events := revision(), len(b.events("hello"))
	for _, refused := range []sites.SiteUpdate{update("preload", 2, "bob"), update(sites.HSTSHost, 9, "bob"), update(sites.HSTSHost, 2, "nobody")} {
		if _, err := b.UpdateSite(t.Context(), b.root, "hello", refused); !errors.Is(err, sites.ErrInvalid) {
			t.Errorf("%+v: %v", refused, err)
		}
	}
	if _, err := b.UpdateSite(t.Context(), b.ann, "hello", update(sites.HSTSHost, 2, "bob")); !errors.Is(err, sites.ErrForbidden) {
		t.Errorf("an owner who changes limits, too: %v", err)
	}
	if st, err := b.Site(t.Context(), b.ann, "hello"); err != nil || !st.Options.Zero() || st.Instances != 1 || st.Limits == limits || revision() != before {
		t.Errorf("what was refused has changed %+v, %v, at revision %d after %d", st.Site, err, revision(), before)
	}

	st, err := b.UpdateSite(t.Context(), b.root, "hello", update(sites.HSTSHost, 2, "bob"))
	if err != nil || st.OwnerName != "bob" || st.Limits != limits || st.HealthPath != "/up" || !st.Options.Login.Matches("guest", "correct horse") {
		t.Fatalf("%+v, %v", st.Site, err)
	}
	if p, _ := b.edge.at("hello." + zone); p.Options.HSTS != sites.HSTSHost || p.HealthPath != "/up" {
		t.Errorf("published %+v", p)
	}
	log, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: "hello"})
	want := "limits 99 MiB, 1 CPUs, 99 processes, owner bob, 2 instances, health path /up, HSTS for the host, password protection on for user guest"
	if err != nil || len(log) != events+1 || log[0].Action != "site.update" || log[0].Detail != want {
		t.Errorf("%d events after %d: %+v, %v", len(log), events, log[0], err)
	}
	if st, err = b.Await(t.Context(), b.bob, "hello"); err != nil || len(st.Serving) != 2 || st.Serving[0].Limits != limits {
		t.Errorf("running %+v, %v", st.Serving, err)
	}
}

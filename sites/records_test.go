package sites_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"berth/sites"
)

// enter enters a record written as "name TTL type data", where "@" in the name is the main zone.
func (b *berth) enter(actor sites.Actor, line string) (sites.RecordResult, error) {
	return b.AddRecord(b.t.Context(), actor, record(line))
}

func record(line string) sites.NewRecord {
	fields := strings.SplitN(line, " ", 4)
	in := sites.NewRecord{Name: strings.ReplaceAll(fields[0], "@", zone), Type: fields[2], Data: strings.ReplaceAll(fields[3], "@", zone)}
	if _, err := fmt.Sscan(fields[1], &in.TTL); err != nil {
		panic(err)
	}
	return in
}

func (b *berth) mustEnter(actor sites.Actor, lines ...string) (last sites.RecordResult) {
	b.t.Helper()
	for _, line := range lines {
		var err error
		if last, err = b.enter(actor, line); err != nil {
			b.t.Fatalf("%s: %v", line, err)
		}
	}
	return last
}

// wantRefusal wants a refusal of a kind at a field.
func wantRefusal(t *testing.T, what string, err, kind error, field string) {
	t.Helper()
	var refusal *sites.Refusal
	if !errors.Is(err, kind) || !errors.As(err, &refusal) || refusal.Field != field || refusal.Sentence == "" {
		t.Errorf("%s: %v; want %v at field %q", what, err, kind, field)
	}
}

func TestARecordIsAnsweredWhenItIsEntered(t *testing.T) {
	b := boot(t)
	b.create("hello")
	r := b.mustEnter(b.ann, "Mail.Hello.@ 300 mx 10 mx.example.net")
	if r.Name != "mail.hello."+zone || r.SiteName != "hello" || r.Target != "mx.example.net" {
		t.Errorf("entered as %+v", r)
	}
	if got := b.edge.answer(r.Name, "MX"); got != "300 10 mx.example.net." {
		t.Errorf("published %q", got)
	}
	ttl, data := uint32(60), "20 mx.example.net"
	changed, err := b.UpdateRecord(t.Context(), b.ann, r.ID, sites.RecordUpdate{TTL: &ttl, Data: &data})
	if err != nil || changed.ID != r.ID || b.edge.answer(r.Name, "MX") != "60 20 mx.example.net." {
		t.Errorf("changed to %+v, %v, published %q", changed, err, b.edge.answer(r.Name, "MX"))
	}
	none := uint32(0)
	_, err = b.UpdateRecord(t.Context(), b.ann, r.ID, sites.RecordUpdate{TTL: &none})
	wantRefusal(t, "a TTL of 0", err, sites.ErrInvalid, "ttl")
	if err := b.DeleteRecord(t.Context(), b.ann, r.ID); err != nil {
		t.Fatal(err)
	}
	if got := b.edge.answer(r.Name, "MX"); got != "" {
		t.Errorf("after it was deleted: %q", got)
	}
	events, err := b.Events(t.Context(), b.ann, sites.EventFilter{Subject: "hello", Limit: 3})
	if err != nil || len(events) != 3 || events[0].Action != "record.delete" || events[1].Action != "record.update" ||
		!strings.Contains(events[1].Detail, "60 MX 20 mx.example.net.; was mail.hello."+zone+" 300 MX 10") || events[2].Action != "record.add" {
		t.Errorf("the owner reads %+v, %v", events, err)
	}
}

func TestRecordRefusals(t *testing.T) {
	b := boot(t)
	b.create("hello")
	if _, err := b.CreateSite(t.Context(), b.bob, sites.NewSite{Name: "others"}); err != nil {
		t.Fatal(err)
	}
	b.mustEnter(b.root, "alias.@ 60 CNAME elsewhere.example.net", "second.@ 60 CNAME alias.@", "text.@ 60 TXT hi", "text.@ 60 MX 10 mx.@", "text.@ 60 HTTPS 1 .", "mx.@ 60 A 192.0.2.1", "@ 60 MX 10 mx.@",
		"sub.@ 60 NS ns.sub.@", "sub.@ 60 DS 1 13 2 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB", "ns.sub.@ 60 A 192.0.2.2")
	for _, tc := range []struct {
		actor sites.Actor
		line  string
		kind  error
		field string
	}{
		{b.ann, "others.@ 60 TXT hi", sites.ErrForbidden, "name"},
		{b.ann, "a.others.@ 60 TXT hi", sites.ErrForbidden, "name"},
		{b.ann, "@ 60 TXT hi", sites.ErrForbidden, "name"},
		{b.ann, "free.@ 60 TXT hi", sites.ErrForbidden, "name"},
		{b.ann, "example.net 60 TXT hi", sites.ErrForbidden, "name"},
		{b.root, "example.net 60 TXT hi", sites.ErrInvalid, "name"},
		{b.root, "x.@ 86401 TXT hi", sites.ErrInvalid, "ttl"},
		{b.root, "text.@ 60 TXT hi", sites.ErrTaken, "data"},
		// berth's own
		{b.ann, "hello.@ 60 A 192.0.2.1", sites.ErrReserved, "type"},
		{b.root, "hello.@ 60 AAAA 2001:db8::1", sites.ErrReserved, "type"},
		{b.root, "hello.@ 60 HTTPS 1 .", sites.ErrReserved, "type"},
		{b.root, "hello.@ 60 CNAME example.net", sites.ErrReserved, "type"},
		{b.root, "hello.@ 60 NS ns.example.net", sites.ErrReserved, "type"},
		{b.ann, "_acme-challenge.hello.@ 60 TXT hi", sites.ErrReserved, "name"},
		{b.root, "a._acme-challenge.@ 60 TXT hi", sites.ErrReserved, "name"},
		{b.root, "@ 60 NS ns.example.net", sites.ErrReserved, "type"},
		{b.root, "@ 60 A 192.0.2.1", sites.ErrReserved, "type"},
		{b.root, "@ 60 CNAME example.net", sites.ErrInvalid, "type"},
		{b.root, "@ 60 DS 1 13 2 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB", sites.ErrReserved, "type"},
		{b.root, "control.@ 60 A 192.0.2.1", sites.ErrReserved, "type"},
		{b.root, "ns1.@ 60 AAAA 2001:db8::1", sites.ErrReserved, "type"},
		{b.root, "www.@ 60 CNAME example.net", sites.ErrReserved, "type"},
		// wildcards
		{b.root, "*.@ 60 A 192.0.2.1", sites.ErrInvalid, "name"},
		{b.root, "*.@ 60 CNAME example.net", sites.ErrInvalid, "name"},
		{b.ann, "*.hello.@ 60 NS ns.example.net", sites.ErrInvalid, "name"},
		{b.ann, "*.hello.@ 60 TXT hi", sites.ErrInvalid, "name"},
		{b.root, "*.hello.@ 60 CNAME example.net", sites.ErrInvalid, "name"},
		{b.root, "*.@ 60 TXT hi", sites.ErrInvalid, "name"},
		{b.root, "*.control.@ 60 TXT hi", sites.ErrInvalid, "name"},
		{b.root, "*.www.@ 60 TXT hi", sites.ErrInvalid, "name"},
		{b.ann, "hello.@ 60 CAA 0 issue \"ca.example\"", sites.ErrForbidden, "type"},
		// CNAME
		{b.root, "alias.@ 60 CNAME other.example.net", sites.ErrConflict, "type"},
		{b.root, "alias.@ 60 TXT hi", sites.ErrConflict, "type"},
		{b.root, "text.@ 60 CNAME example.net", sites.ErrConflict, "type"},
		{b.root, "self.@ 60 CNAME self.@", sites.ErrInvalid, "data"},
		{b.root, "elsewhere.@ 60 MX 10 alias.@", sites.ErrConflict, "data"},
		{b.root, "_imap._tcp.@ 60 SRV 0 0 143 alias.@", sites.ErrConflict, "data"},
		{b.root, "new.@ 60 NS alias.@", sites.ErrConflict, "data"},
		{b.root, "text.@ 60 MX 0 .", sites.ErrConflict, "data"},
		{b.root, "text.@ 60 HTTPS 0 example.net", sites.ErrConflict, "data"},
		// delegations
		{b.root, "below.sub.@ 60 TXT hi", sites.ErrConflict, "name"},
		{b.root, "sub.@ 60 TXT hi", sites.ErrConflict, "name"},
		{b.root, "deeper.sub.@ 60 NS ns.example.net", sites.ErrConflict, "name"},
		{b.root, "text.@ 60 DS 1 13 2 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB", sites.ErrConflict, "type"},
		{b.root, "text.@ 60 NS ns.example.net", sites.ErrConflict, "name"},
	} {
		_, err := b.enter(tc.actor, tc.line)
		wantRefusal(t, tc.actor.Name+" "+tc.line, err, tc.kind, tc.field)
	}
	b.mustEnter(b.ann, "hello.@ 60 TXT hi", "*.hello.@ 60 A 192.0.2.9", "*.hello.@ 60 MX 10 example.net", "*.a.hello.@ 60 TXT hi",
		`a.hello.@ 60 CAA 0 issue "ca.example"`)
	b.mustEnter(b.root, `hello.@ 60 CAA 0 issue "ca.example"`, "*.free.@ 60 TXT hi")
	b.mustEnter(b.root, "www.@ 60 A 192.0.2.9", "sub.@ 60 NS ns.example.net", "others.@ 60 TXT hi")
}

func TestACircleOfAliasesIsRefused(t *testing.T) {
	b := boot(t)
	b.mustEnter(b.root, "a.@ 60 CNAME b.@", "b.@ 60 CNAME c.@")
	_, err := b.enter(b.root, "c.@ 60 CNAME a.@")
	wantRefusal(t, "c → a → b → c", err, sites.ErrInvalid, "data")
}

func TestANameThatMailGoesToCannotBecomeAnAlias(t *testing.T) {
	b := boot(t)
	b.mustEnter(b.root, "@ 60 MX 10 mail.@")
	_, err := b.enter(b.root, "mail.@ 60 CNAME example.net")
	wantRefusal(t, "a CNAME at the target of an MX", err, sites.ErrConflict, "name")
}

func TestASetHasOneTTL(t *testing.T) {
	b := boot(t)
	b.mustEnter(b.root, "text.@ 60 TXT one")
	if r := b.mustEnter(b.root, "text.@ 300 TXT two"); !strings.Contains(r.Note, "300") {
		t.Errorf("the answer says %q", r.Note)
	}
	if got := b.edge.answer("text."+zone, "TXT"); got != `300 "one", "two"` {
		t.Errorf("published %q", got)
	}
	events, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: zone, Limit: 1})
	if err != nil || !strings.Contains(events[0].Detail, "TTL 300, too") {
		t.Errorf("the event says %+v, %v", events, err)
	}
}

func TestRecordsAreBounded(t *testing.T) {
	b := boot(t)
	b.create("hello")
	for i := range 100 {
		b.mustEnter(b.ann, fmt.Sprintf("hello.@ 60 TXT %d", i))
		b.mustEnter(b.ann, fmt.Sprintf("%d.hello.@ 60 TXT hi", i))
	}
	_, err := b.enter(b.root, "hello.@ 60 TXT more")
	wantRefusal(t, "the 101st record of a set", err, sites.ErrQuota, "data")
	_, err = b.enter(b.ann, "more.hello.@ 60 TXT hi")
	wantRefusal(t, "the 201st record of a site", err, sites.ErrQuota, "")
	b.mustEnter(b.root, "more.hello.@ 60 TXT hi")
	b.mustEnter(b.root, "large.@ 60 TXT a"+strings.Repeat("x", 12000), "large.@ 60 TXT b"+strings.Repeat("x", 12000))
	_, err = b.enter(b.root, "large.@ 60 TXT c"+strings.Repeat("x", 12000))
	wantRefusal(t, "a set too large for an answer", err, sites.ErrQuota, "data")
}

func TestRecordsOfOthersAreLikeNone(t *testing.T) {
	b := boot(t)
	b.create("hello")
	r := b.mustEnter(b.ann, "hello.@ 60 TXT hi")
	own := b.mustEnter(b.root, "text.@ 60 TXT hi")
	for _, id := range []int64{r.ID, own.ID, 999} {
		if err := b.DeleteRecord(t.Context(), b.bob, id); !errors.Is(err, sites.ErrNotFound) || err.Error() != "There is no such record." {
			t.Errorf("delete %d: %v", id, err)
		}
		if _, err := b.UpdateRecord(t.Context(), b.bob, id, sites.RecordUpdate{}); !errors.Is(err, sites.ErrNotFound) {
			t.Errorf("update %d: %v", id, err)
		}
	}
	for actor, want := range map[sites.Actor]int{b.ann: 1, b.bob: 0, b.root: 2} {
		if found, err := b.Records(t.Context(), actor, sites.RecordFilter{Zone: zone}); err != nil || len(found) != want {
			t.Errorf("%s sees %v, %v; want %d", actor.Name, found, err, want)
		}
	}
	if found, err := b.Records(t.Context(), b.ann, sites.RecordFilter{Zone: custom}); err != nil || len(found) != 0 {
		t.Errorf("an owner who asks for a zone that is not here learns %v, %v", found, err)
	}
	if _, err := b.Records(t.Context(), b.root, sites.RecordFilter{Zone: custom}); !errors.Is(err, sites.ErrNotFound) {
		t.Errorf("an admin who does: %v", err)
	}
	if found, err := b.Records(t.Context(), b.root, sites.RecordFilter{Site: "hello", Name: "HELLO." + zone, Type: "txt", Limit: 5}); err != nil || len(found) != 1 || found[0].ID != r.ID {
		t.Errorf("filtered: %v, %v", found, err)
	}
}

func TestASiteTakesItsRecordsAlong(t *testing.T) {
	b := boot(t)
	b.create("hello")
	b.mustEnter(b.ann, "hello.@ 60 TXT hi", "a.b.hello.@ 60 A 192.0.2.1")
	if err := b.DeleteSite(t.Context(), b.ann, "hello"); err != nil {
		t.Fatal(err)
	}
	if txt, a := b.edge.answer("hello."+zone, "TXT"), b.edge.answer("a.b.hello."+zone, "A"); txt != "" || a != "" {
		t.Errorf("still published: %q, %q", txt, a)
	}
	b.create("hello")
	if found, err := b.Records(t.Context(), b.root, sites.RecordFilter{}); err != nil || len(found) != 0 {
		t.Errorf("the new site of that name has %v, %v", found, err)
	}
}

func TestANameWithRecordsIsNoNewSites(t *testing.T) {
	b := boot(t)
	b.mustEnter(b.root, "a.taken.@ 60 A 192.0.2.1", "gone.@ 60 NS ns.example.net")
	for _, name := range []string{"taken", "gone"} {
		_, err := b.CreateSite(t.Context(), b.ann, sites.NewSite{Name: name})
		wantRefusal(t, name, err, sites.ErrTaken, "name")
	}
	b.create("take")
	b.create("taken-too")
}

func TestDSGoBeforeTheLastNS(t *testing.T) {
	b := boot(t)
	ns := b.mustEnter(b.root, "sub.@ 60 NS ns.example.net")
	ds := b.mustEnter(b.root, "sub.@ 60 DS 1 13 2 ABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABABAB")
	err := b.DeleteRecord(t.Context(), b.root, ns.ID)
	wantRefusal(t, "the NS record beside a DS record", err, sites.ErrConflict, "")
	data := "ns2.example.net"
	if _, err := b.UpdateRecord(t.Context(), b.root, ns.ID, sites.RecordUpdate{Data: &data}); err != nil {
		t.Errorf("changing the only nameserver: %v", err)
	}
	for _, id := range []int64{ds.ID, ns.ID} {
		if err := b.DeleteRecord(t.Context(), b.root, id); err != nil {
			t.Error(err)
		}
	}
}

func TestMissingGlueIsTold(t *testing.T) {
	b := boot(t)
	if r := b.mustEnter(b.root, "sub.@ 60 NS ns.sub.@"); !strings.Contains(r.Note, "ns.sub."+zone) {
		t.Errorf("without glue: %q", r.Note)
	}
	b.mustEnter(b.root, "ns.sub.@ 60 AAAA 2001:db8::1")
	if r := b.mustEnter(b.root, "sub.@ 60 NS ns.example.net"); r.Note != "" {
		t.Errorf("a nameserver elsewhere: %q", r.Note)
	}
}

// edits are the changes that somebody made: the full ones come with time, too.
func (e *edge) edits() []sites.Change {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(e.changes), func(ch sites.Change) bool { return ch.Full })
}

func TestARecordsChangeCostsWhatItTouches(t *testing.T) {
	b := boot(t)
	b.mustEnter(b.root, "one.@ 60 TXT hi", "two.@ 60 TXT hi", "two.@ 60 MX 10 example.net")
	edits := b.edge.edits()
	ch := edits[len(edits)-1]
	if len(ch.RRSets) != 1 || ch.RRSets[0].Type != "MX" || len(ch.Sites)+len(ch.Zones) != 0 {
		t.Errorf("the last change is %+v", ch)
	}
}

func TestTheOnlyNameserverOfADelegationChangesWithItsGlue(t *testing.T) {
	b := boot(t)
	ns := b.mustEnter(b.root, "sub.@ 60 NS ns1.sub.@")
	b.mustEnter(b.root, "ns1.sub.@ 60 A 192.0.2.1", "ns1.sub.@ 60 AAAA 2001:db8::1")
	data := "ns2.sub." + zone
	changed, err := b.UpdateRecord(t.Context(), b.root, ns.ID, sites.RecordUpdate{Data: &data})
	if err != nil || !strings.Contains(changed.Note, data+" lies below the delegation") || !strings.Contains(changed.Note, "ns1.sub."+zone+" have gone") {
		t.Fatalf("changed to %+v, %v", changed, err)
	}
	if a, aaaa := b.edge.answer("ns1.sub."+zone, "A"), b.edge.answer("ns1.sub."+zone, "AAAA"); a+aaaa != "" {
		t.Errorf("the former nameserver's addresses are still published: %q, %q", a, aaaa)
	}
	b.mustEnter(b.root, "ns2.sub.@ 60 A 192.0.2.2")
	ttl := uint32(300)
	if changed, err := b.UpdateRecord(t.Context(), b.root, ns.ID, sites.RecordUpdate{TTL: &ttl}); err != nil || changed.Note != "" {
		t.Errorf("another TTL: %+v, %v", changed, err)
	}
	if got := b.edge.answer("ns2.sub."+zone, "A"); got != "60 192.0.2.2" {
		t.Errorf("published %q", got)
	}
}

func TestGlueGoesWithTheLastNSThatNamesIt(t *testing.T) {
	b := boot(t)
	ns1 := b.mustEnter(b.root, "sub.@ 60 NS ns1.sub.@")
	ns2 := b.mustEnter(b.root, "sub.@ 60 NS ns2.sub.@")
	b.mustEnter(b.root, "ns1.sub.@ 60 A 192.0.2.1", "ns2.sub.@ 60 A 192.0.2.2")
	for _, ns := range []sites.RecordResult{ns1, ns2} {
		if err := b.DeleteRecord(t.Context(), b.root, ns.ID); err != nil {
			t.Fatal(err)
		}
		if got := b.edge.answer(ns.Target, "A"); got != "" {
			t.Errorf("%s is still published: %q", ns.Target, got)
		}
		if got := b.edge.answer(ns2.Target, "A"); ns.ID == ns1.ID && got == "" {
			t.Errorf("the glue of the nameserver that is left has gone, too")
		}
	}
	events, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: zone, Limit: 1})
	if err != nil || !strings.Contains(events[0].Detail, "have gone with it") {
		t.Errorf("the event says %+v, %v", events, err)
	}
}

package sites_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"berth/sites"
)

const zoneFile = `$ORIGIN custom.example.net.
$TTL 300
@    IN SOA ns.elsewhere.example. hostmaster 1 3600 900 604800 300
     IN NS  ns.elsewhere.example.
     IN MX  10 mail
mail IN A   192.0.2.1
www  IN CNAME mail
text IN TXT "one"
text IN TXT "two"
ns.sub IN A 192.0.2.2
sub  IN NS  ns.sub
`

func (b *berth) plan(mode sites.ImportMode, file string) sites.Import {
	b.t.Helper()
	in, err := b.PlanImport(b.t.Context(), b.root, custom, mode, strings.NewReader(file))
	if err != nil {
		b.t.Fatal(err)
	}
	return in
}

func (b *berth) apply(mode sites.ImportMode, file, hash string) (sites.Import, error) {
	b.t.Helper()
	return b.ApplyImport(b.t.Context(), b.root, custom, mode, strings.NewReader(file), hash)
}

func (b *berth) mustImport(mode sites.ImportMode, file string) sites.Import {
	b.t.Helper()
	in, err := b.apply(mode, file, b.plan(mode, file).Hash)
	if err != nil {
		b.t.Fatal(err)
	}
	return in
}

func (b *berth) export() string {
	b.t.Helper()
	var out bytes.Buffer
	if err := b.ExportZone(b.t.Context(), b.root, custom, &out); err != nil {
		b.t.Fatal(err)
	}
	return out.String()
}

// outline is an import in short: how many are added, changed, removed, unchanged and faulty.
func outline(in sites.Import) string {
	faults := 0
	for _, f := range in.Faults {
		if !f.Note {
			faults++
		}
	}
	return fmt.Sprintf("+%d ~%d -%d =%d !%d", len(in.Adds), len(in.Changes), len(in.Removes), in.Unchanged, faults)
}

func TestAnImportIsShownBeforeItIsDone(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	before := len(b.edge.edits())
	shown := b.plan(sites.ImportMerge, zoneFile)
	if got := outline(shown); got != "+7 ~0 -0 =0 !0" || len(shown.Faults) == 0 {
		t.Fatalf("shown %s, %+v", got, shown.Faults)
	}
	if found, err := b.Records(t.Context(), b.root, sites.RecordFilter{Zone: custom}); err != nil || len(found) != 0 || len(b.edge.edits()) != before {
		t.Fatalf("a preview changed the zone: %v, %v", found, err)
	}
	done, err := b.apply(sites.ImportMerge, zoneFile, shown.Hash)
	if err != nil || outline(done) != outline(shown) {
		t.Fatalf("done %s, %v", outline(done), err)
	}
	for key, want := range map[string]string{
		"text." + custom + " TXT":  `300 "one", "two"`,
		"www." + custom + " CNAME": "300 mail." + custom + ".",
		"sub." + custom + " NS":    "300 ns.sub." + custom + ".",
		custom + " NS":             "",
	} {
		name, rrtype, _ := strings.Cut(key, " ")
		if got := b.edge.answer(name, rrtype); got != want {
			t.Errorf("%s: published %q, want %q", key, got, want)
		}
	}
	events, err := b.Events(t.Context(), b.root, sites.EventFilter{Subject: custom, Limit: 1})
	if err != nil || events[0].Action != "zone.import" || events[0].Detail != "merge: 7 records added, 0 changed, 0 removed" {
		t.Errorf("%+v, %v", events, err)
	}
}

func TestAnImportMergesOrReplaces(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	b.mustImport(sites.ImportMerge, zoneFile)
	const next = "$ORIGIN custom.example.net.\ntext 60 TXT one\nnew 60 A 192.0.2.3\n"
	merged := b.plan(sites.ImportMerge, next)
	if got := outline(merged); got != "+1 ~2 -0 =5 !0" {
		t.Errorf("merge: %s", got)
	}
	if c := merged.Changes[1]; c.Before.TTL != 300 || c.After.TTL != 60 || c.After.Data != `"two"` {
		t.Errorf("the TTL of the set's other record: %+v", c)
	}
	if got := outline(b.mustImport(sites.ImportReplace, next)); got != "+1 ~1 -6 =0 !0" {
		t.Errorf("replace: %s", got)
	}
	if got := b.edge.answer("text."+custom, "TXT"); got != `60 "one"` {
		t.Errorf("published %q", got)
	}
	if got := b.edge.answer("sub."+custom, "NS"); got != "" {
		t.Errorf("published %q", got)
	}
}

func TestWhatWasShownIsWhatIsDoneOrNothing(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	shown := b.plan(sites.ImportReplace, zoneFile)
	b.mustEnter(b.root, "late."+custom+" 60 A 192.0.2.9")
	_, err := b.apply(sites.ImportReplace, zoneFile, shown.Hash)
	wantRefusal(t, "the zone has changed", err, sites.ErrConflict, "")
	shown = b.plan(sites.ImportReplace, zoneFile)
	_, err = b.apply(sites.ImportReplace, zoneFile+"more 60 A 192.0.2.4\n", shown.Hash)
	wantRefusal(t, "the file has changed", err, sites.ErrConflict, "")
	_, err = b.apply(sites.ImportMerge, zoneFile, shown.Hash)
	wantRefusal(t, "the mode has changed", err, sites.ErrConflict, "")
	b.fault.fail.Store(true)
	if _, err := b.apply(sites.ImportReplace, zoneFile, shown.Hash); err == nil {
		t.Error("the write did not fail")
	}
	b.fault.fail.Store(false)
	if found, err := b.Records(t.Context(), b.root, sites.RecordFilter{Zone: custom}); err != nil || len(found) != 1 {
		t.Errorf("left: %v, %v", found, err)
	}
}

func TestFaultyRecordsOfAFileAreToldAndLeftOut(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	const faulty = `$ORIGIN custom.example.net.
$TTL 300
good   A 192.0.2.1
bad    A 192.0.2
alias  CNAME good
alias  TXT beside
sub    NS ns.example.com.
x.sub  TXT hidden
_acme-challenge TXT another authority's
`
	in := b.mustImport(sites.ImportMerge, faulty)
	if got := outline(in); got != "+4 ~0 -0 =0 !3" {
		t.Errorf("%s: %+v", got, in.Faults)
	}
	told := fmt.Sprint(in.Faults)
	for _, what := range []string{"alias." + custom + " TXT", "x.sub." + custom + " TXT"} {
		if !strings.Contains(told, what) {
			t.Errorf("%s is not told of: %s", what, told)
		}
	}
}

func TestAReplacedFileMayTurnThingsAround(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	b.mustImport(sites.ImportReplace, "$ORIGIN custom.example.net.\n$TTL 300\na A 192.0.2.1\nb CNAME a\nsub NS ns.example.com.\n")
	in := b.mustImport(sites.ImportReplace, "$ORIGIN custom.example.net.\n$TTL 300\nb A 192.0.2.1\na CNAME b\nx.sub TXT free\nsub TXT free\n")
	if got := outline(in); got != "+4 ~0 -3 =0 !0" {
		t.Errorf("%s: %+v", got, in.Faults)
	}
}

func TestAnExportImportsToTheSameZone(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	b.mustImport(sites.ImportMerge, zoneFile)
	exported := b.export()
	if !strings.HasPrefix(exported, "; 7 records") {
		t.Errorf("exported:\n%s", exported)
	}
	if got := outline(b.plan(sites.ImportReplace, exported)); got != "+0 ~0 -0 =7 !0" {
		t.Errorf("imported again: %s", got)
	}
	if err := b.DeleteZone(t.Context(), b.root, custom); err != nil {
		t.Fatal(err)
	}
	b.addZone(custom)
	if got := outline(b.mustImport(sites.ImportReplace, exported)); got != "+7 ~0 -0 =0 !0" {
		t.Errorf("imported into the zone made anew: %s", got)
	}
	if again := b.export(); again != exported {
		t.Errorf("exported again:\n%s", again)
	}
}

func TestAnImportGivesSitesTheirRecords(t *testing.T) {
	b := boot(t)
	b.create("hello")
	file := "$ORIGIN " + zone + ".\n$TTL 300\nhello TXT hi\nhello A 192.0.2.1\nother TXT hi\n"
	in, err := b.PlanImport(t.Context(), b.root, zone, sites.ImportMerge, strings.NewReader(file))
	if err != nil || outline(in) != "+2 ~0 -0 =0 !0" {
		t.Fatalf("%+v, %v", in, err)
	}
	if _, err := b.ApplyImport(t.Context(), b.root, zone, sites.ImportMerge, strings.NewReader(file), in.Hash); err != nil {
		t.Fatal(err)
	}
	if found, err := b.Records(t.Context(), b.ann, sites.RecordFilter{}); err != nil || len(found) != 1 || found[0].SiteName != "hello" {
		t.Errorf("the owner sees %+v, %v", found, err)
	}
}

func TestImportsAreForAdmins(t *testing.T) {
	b := boot(t)
	_, shown := b.PlanImport(t.Context(), b.ann, zone, sites.ImportMerge, strings.NewReader(""))
	_, done := b.ApplyImport(t.Context(), b.ann, zone, sites.ImportMerge, strings.NewReader(""), "")
	exported := b.ExportZone(t.Context(), b.ann, zone, &bytes.Buffer{})
	for what, err := range map[string]error{"preview": shown, "import": done, "export": exported} {
		if !errors.Is(err, sites.ErrForbidden) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := b.PlanImport(t.Context(), b.root, zone, "both", strings.NewReader(""))
	wantRefusal(t, "no such mode", err, sites.ErrInvalid, "mode")
}

func TestWhatAnImportLosesIsAFault(t *testing.T) {
	b := boot(t)
	b.create("hello")
	file := "$ORIGIN " + zone + ".\n$TTL 300\n@ NS ns.example.net.\nhello A 192.0.2.1\nhello CNAME example.net.\n_acme-challenge TXT hi\n"
	in, err := b.PlanImport(t.Context(), b.root, zone, sites.ImportMerge, strings.NewReader(file))
	if err != nil || outline(in) != "+0 ~0 -0 =0 !2" || len(in.Faults) != 4 {
		t.Errorf("%+v, %v; want the CNAME and the challenge as faults, the rest, which berth answers itself, as notes", in, err)
	}
}

func TestFaultsOfAnImportAreBounded(t *testing.T) {
	b := boot(t)
	b.addZone(custom)
	file := "$ORIGIN custom.example.net.\n$TTL 300\nsub NS ns.example.com.\n"
	for i := range 1500 {
		file += fmt.Sprintf("%d.sub TXT hidden\n", i)
	}
	if in := b.plan(sites.ImportMerge, file); len(in.Faults) != 1001 || in.Faults[1000].Sentence != "And 500 more records are left out." {
		t.Errorf("%d faults, in the end %+v", len(in.Faults), in.Faults[len(in.Faults)-1])
	}
}

// Others change things while an import is worked out: that neither waits for it nor makes it wrong.
func TestAnImportIsWorkedOutBesideOtherChanges(t *testing.T) {
	b := boot(t)
	id := b.addZone(custom).ID
	hash := b.plan(sites.ImportReplace, zoneFile).Hash
	between := func(name string, times int) *int {
		seen := new(int)
		fn := func(q sites.RecordQuery) {
			if q.Zone != id || *seen == times {
				return
			}
			*seen++
			if _, err := b.enter(b.root, fmt.Sprintf("%d.%s 60 TXT hi", *seen, name)); err != nil {
				t.Error(err)
			}
		}
		b.fault.reading.Store(&fn)
		return seen
	}
	between(custom, 1)
	_, err := b.apply(sites.ImportReplace, zoneFile, hash)
	wantRefusal(t, "the zone has changed meanwhile", err, sites.ErrConflict, "")
	b.fault.reading.Store(nil)
	hash = b.plan(sites.ImportReplace, zoneFile).Hash
	seen := between("@", 100)
	if in, err := b.apply(sites.ImportReplace, zoneFile, hash); err != nil || outline(in) != "+7 ~0 -1 =0 !0" {
		t.Errorf("while another zone changes: %s, %v", outline(in), err)
	}
	if *seen != 3 {
		t.Errorf("worked out %d times beside others, want 3 before they have to wait", *seen)
	}
}

package templates

import (
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
)

func TestKeysSayWhatTheyDoAndWill(t *testing.T) {
	var never time.Time
	for _, tc := range []struct {
		key            KeyRow
		word, sentence string
	}{
		{KeyRow{"zsk", 1, noon.Add(2 * day), noon.Add(3 * day), never, never, never}, "Planned", "Joins the zone in 2 days, 16 Mar 2026."},
		{KeyRow{"zsk", 1, before(time.Hour), noon.Add(25 * time.Hour), never, never, never}, "Published", "In the zone since 14 Mar 2026. Begins to sign in 25 hours, 15 Mar 2026."},
		{KeyRow{"ksk", 1, before(9 * day), before(9 * day), never, never, never}, "Active", "Active since 5 Mar 2026."},
		{KeyRow{"ksk", 1, before(9 * day), before(9 * day), never, never, before(9 * day)}, "Active", "Active since 5 Mar 2026."},
		{KeyRow{"ksk", 1, before(time.Hour), before(time.Hour), never, never, noon.Add(day)}, "Active", "Active since 14 Mar 2026. Enter its DS from 15 Mar 2026, 12:00 UTC."},
		{KeyRow{"zsk", 1, before(9 * day), before(9 * day), noon.Add(day), noon.Add(5 * day), never}, "Active", "Active since 5 Mar 2026. Will be replaced in 24 hours, 15 Mar 2026."},
		{KeyRow{"zsk", 1, before(9 * day), before(9 * day), before(day), noon.Add(5 * day), never}, "Retired", "Signs no more since 13 Mar 2026. Leaves the zone in 5 days, 19 Mar 2026."},
		{KeyRow{"zsk", 1, before(9 * day), before(9 * day), before(day), before(2 * time.Hour), never}, "Removed", "Left the zone 2 hours ago."},
	} {
		if word, sentence := tc.key.word(noon), tc.key.sentence(noon); word != tc.word || sentence != tc.sentence {
			t.Errorf("%+v: %q, %q, want %q, %q", tc.key, word, sentence, tc.word, tc.sentence)
		}
	}
}

func TestTheDSOfANewKeyIsAskedForInTime(t *testing.T) {
	v := zoneView()
	v.DSFrom = noon.Add(time.Minute)
	early := parse(t, Zone(v))
	if early.Find("#ds-question").Length() != 0 {
		t.Error("the question comes before the parent may have the record")
	}
	for _, card := range []string{"#ds-to-come", "#registrar"} {
		if got := early.Find(card).Text(); !strings.Contains(got, "on 14 Mar 2026, 12:01 UTC") {
			t.Errorf("%s does not say when: %q", card, got)
		}
	}
	v.DSFrom = noon
	due := parse(t, Zone(v))
	if due.Find("#ds-question form").Length() != 1 || due.Find("#ds-to-come").Length() != 0 {
		t.Error("the question does not come when the parent may have the record")
	}
	v.Signed = false
	if parse(t, Zone(v)).Find(".keys").Length() != 0 {
		t.Error("keys are shown that the zone does not have")
	}
}

func TestPeersSayHowFarTheyAre(t *testing.T) {
	for _, tc := range []struct {
		server         PeerServer
		word, sentence string
	}{
		{PeerServer{}, "Never asked", "Has not asked for the zone yet."},
		{PeerServer{Notified: 9, Answered: true}, "Never asked", "Told of 9."},
		{PeerServer{Notified: 9, Served: 8}, "Behind", "Told of 9, without an answer; has 8 of 9."},
		{PeerServer{Notified: 9, Answered: true, Served: 9}, "Up to date", "Told of 9; has 9 of 9."},
		{PeerServer{Served: 8, Problem: "It refuses."}, "Problem", "Has 8 of 9."},
	} {
		if word, sentence := tc.server.word(9), tc.server.sentence(9); word != tc.word || sentence != tc.sentence {
			t.Errorf("%+v: %q, %q, want %q, %q", tc.server, word, sentence, tc.word, tc.sentence)
		}
	}
	for want, s := range map[string]SecondaryState{
		"Waiting":    {},
		"Up to date": {RefreshedAt: before(day), ExpiresAt: noon.Add(day)},
		"Problem":    {RefreshedAt: before(day), ExpiresAt: noon.Add(day), Problem: "It refuses."},
		"Expired":    {RefreshedAt: before(9 * day), ExpiresAt: before(day), Problem: "It refuses."},
	} {
		if got := s.word(noon); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
}

func TestFindingsAreToldApart(t *testing.T) {
	seen := map[string]string{}
	for _, kind := range []string{"not-delegated", "lame", "unreachable", "nameserver", "missing-glue", "wrong-glue", "missing-ds", "wrong-ds"} {
		heading := Finding{Kind: kind, Server: "ns1"}.heading()
		if seen[heading] != "" || strings.Contains(heading, kind) || !strings.HasSuffix(heading, " (ns1):") {
			t.Errorf("%s is told as %q, like %q", kind, heading, seen[heading])
		}
		seen[heading] = kind
	}
	if got := (Finding{Kind: "unreachable"}).heading(); got != "No answer:" {
		t.Errorf("no nameserver that does not answer is told as %q", got)
	}
}

func TestSignedWithoutDSIsNoProtection(t *testing.T) {
	v := ZoneView{Signed: true}
	calm := v.dnssecSentence()
	for kind, want := range map[string]string{"missing-ds": "nobody checks the signatures", "wrong-ds": "refuse the zone"} {
		v.Delegation.Findings = []Finding{{Kind: kind}}
		if got := v.dnssecSentence(); got == calm || !strings.Contains(got, want) {
			t.Errorf("with %s: %q", kind, got)
		}
	}
	v.Signed = false
	if got := v.dnssecSentence(); !strings.Contains(got, "not signed") {
		t.Errorf("unsigned: %q", got)
	}
}

func TestEveryTypeHasItsWords(t *testing.T) {
	doc := parse(t, SiteRecords(SiteRecordsView{Form: RecordForm{Type: "CAA"}}))
	if got := doc.Find("#type option[selected]").AttrOr("value", ""); got != "CAA" {
		t.Errorf("the form has the type %q", got)
	}
	style, err := assetFiles.ReadFile("assets/berth.css")
	if err != nil {
		t.Fatal(err)
	}
	doc.Find("#type option").Each(func(_ int, option *goquery.Selection) {
		name := option.AttrOr("value", "")
		if hint := doc.Find(`#data-hint [data-type="` + name + `"]`); hint.Length() != 1 || hint.Find("code").Text() == "" {
			t.Errorf("%s has no words on what to write", name)
		}
		if !strings.Contains(string(style), `option[value="`+name+`"]:checked) .type-hint[data-type="`+name+`"]`) {
			t.Errorf("the style does not show the words for %s", name)
		}
	})
}

func TestAPreviewSaysWhatItWouldDo(t *testing.T) {
	doc := parse(t, Import(importPlanned()))
	plan := doc.Find("#plan").Text()
	for _, want := range []string{"2 records would be added, 1 changed and 1 removed; 12 stay as they are.", "not in the file are removed", "2 records cannot be imported", "Line 7"} {
		if !strings.Contains(plan, want) {
			t.Errorf("the preview does not say %q", want)
		}
	}
	form := doc.Find("#import-form")
	if doc.Find("textarea").Length() != 1 || form.Find("textarea[name=text]").Text() != importPlanned().Text || form.Find("[name=mode][checked]").AttrOr("value", "") != "replace" || form.Find("[name=hash]").AttrOr("value", "") != "00ff" {
		t.Error("what is applied is not what was shown, or it is there twice")
	}
	if doc.Find("button[form=import-form][formaction='/zones/sites.example.org/import/apply']").Length() != 1 {
		t.Error("nothing applies it")
	}
	many := importPlanned()
	many.Lines = make([]LineFault, maxPlanned+9)
	if list := parse(t, Import(many)).Find(".line-faults li"); list.Length() != maxPlanned+1 || list.Last().Text() != "and 9 more" {
		t.Errorf("%d faults are listed, the last is %q", list.Length(), list.Last().Text())
	}
	many.Added = make([]RecordRow, maxPlanned+7)
	if got := parse(t, Import(many)).Find(".plan-added li").Last().Text(); got != "and 7 more" {
		t.Errorf("a long list ends with %q", got)
	}
}

func TestNarrowedRecordsKeepWhatTheyAreNarrowedTo(t *testing.T) {
	v := zoneRecords()
	v.Name, v.Type = "bakery.sites.example.org", "TXT"
	if got := v.at(ZoneRecordsPath(v.Zone), 3); got != "/zones/sites.example.org/records?name=bakery.sites.example.org&page=3&type=TXT" {
		t.Errorf("the next page is %s", got)
	}
	if got := (RecordList{}).at("/zones/a.b/records", 1); got != "/zones/a.b/records" {
		t.Errorf("the first page is %s", got)
	}
}

package templates

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// kindWord is where a zone's content comes from.
func kindWord(kind string) string {
	switch kind {
	case "main":
		return "Main"
	case "primary":
		return "Primary"
	case "secondary":
		return "Secondary"
	}
	return kind
}

func signedWord(signed bool) string {
	if signed {
		return "Signed"
	}
	return "Not signed"
}

func signedTone(signed bool) string {
	if signed {
		return "ok"
	}
	return "idle"
}

// serialWord is a serial as tools print it, without commas.
func serialWord(serial int64) string {
	if serial == 0 {
		return "–"
	}
	return strconv.FormatInt(serial, 10)
}

func joinLines(lines []string) string { return strings.Join(lines, "\n") }

func queriesOf(zone string) string { return PathQueries + "?" + url.Values{"name": {zone}}.Encode() }

// open reports whether the form has something to show.
func (f ZoneForm) open() bool { return len(f.Faults) > 0 || f.Name != "" }

// word is a delegation's state in a list.
func (d Delegation) word() string {
	switch d.State {
	case "good":
		return "Good"
	case "partly":
		return "Partly"
	case "missing":
		return "Missing"
	case "broken":
		return "Broken"
	case "unknown":
		return "Unknown"
	case "local":
		return "Local"
	}
	return "Not checked"
}

// tone is the style class of a delegation.
func (d Delegation) tone() string {
	switch d.State {
	case "good":
		return "ok"
	case "partly":
		return "warn"
	case "missing", "broken":
		return "bad"
	}
	return "idle"
}

// heading names the fault.
func (f Finding) heading() string {
	words := map[string]string{
		"not-delegated": "Not delegated", "lame": "Lame nameserver", "unreachable": "Nameserver does not answer",
		"nameserver": "Nameservers differ", "missing-glue": "Missing glue", "wrong-glue": "Wrong glue",
		"missing-ds": "Missing DS", "wrong-ds": "DS mismatch",
	}
	heading, ok := words[f.Kind]
	if !ok {
		heading = f.Kind
	}
	switch {
	case f.Server != "":
		heading += " (" + f.Server + ")"
	case f.Kind == "unreachable":
		heading = "No answer"
	}
	return heading + ":"
}

// tone is the style class of a fault: a warning where answers still arrive.
func (f Finding) tone() string {
	if f.Harmless {
		return "warn"
	}
	return "bad"
}

func keyRoleNoun(role string) string {
	switch role {
	case "ksk":
		return "key-signing key"
	case "zsk":
		return "zone-signing key"
	}
	return role
}

func keyRoleWord(role string) string {
	noun := keyRoleNoun(role)
	if noun == "" {
		return "Key"
	}
	return strings.ToUpper(noun[:1]) + noun[1:]
}

// over reports whether a planned time has come.
func over(now, t time.Time) bool { return !t.IsZero() && !t.After(now) }

// word is what a key does now.
func (k KeyRow) word(now time.Time) string {
	switch {
	case over(now, k.RemovedAt):
		return "Removed"
	case over(now, k.RetiredAt):
		return "Retired"
	case over(now, k.ActiveAt):
		return "Active"
	case over(now, k.PublishedAt):
		return "Published"
	}
	return "Planned"
}

func (k KeyRow) tone(now time.Time) string {
	switch k.word(now) {
	case "Active":
		return "ok"
	case "Published":
		return "busy"
	}
	return "idle"
}

// sentence says what a key has done and will do.
func (k KeyRow) sentence(now time.Time) string {
	switch k.word(now) {
	case "Removed":
		return "Left the zone " + ago(now, k.RemovedAt) + "."
	case "Retired":
		return "Signs no more since " + date(k.RetiredAt) + "." + plannedFor(now, " Leaves the zone ", k.RemovedAt)
	case "Active":
		return "Active since " + date(k.ActiveAt) + "." + k.parentWords(now) + plannedFor(now, " Will be replaced ", k.RetiredAt)
	case "Published":
		return "In the zone since " + date(k.PublishedAt) + "." + plannedFor(now, " Begins to sign ", k.ActiveAt)
	}
	return plannedFor(now, "Joins the zone ", k.PublishedAt)
}

// parentWords says from when on the parent may have the key's DS record, where that is to come.
func (k KeyRow) parentWords(now time.Time) string {
	if !k.ParentAt.After(now) {
		return ""
	}
	return " Enter its DS from " + moment(k.ParentAt) + "."
}

// dsToCome reports whether the DS record of a new key must not be entered yet.
func (v ZoneView) dsToCome() bool { return v.DSFrom.After(v.now()) }

// dsDue reports whether the parent should have the DS record of a new key.
func (v ZoneView) dsDue() bool { return over(v.now(), v.DSFrom) }

// plannedFor is what happens at a time to come; empty where none is planned.
func plannedFor(now time.Time, what string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return what + ago(now, t) + ", " + date(t) + "."
}

// dnssecSentence says what signing means now.
func (v ZoneView) dnssecSentence() string {
	if !v.Signed {
		return "Answers are not signed, so resolvers cannot notice forgeries."
	}
	for _, f := range v.Delegation.Findings {
		switch f.Kind {
		case "missing-ds":
			return "Answers are signed, but the parent has no DS record, so nobody checks the signatures. Enter the DS line at the registrar."
		case "wrong-ds":
			return "The parent’s DS record fits no key of the zone: resolvers that check signatures refuse the zone. Enter the DS line at the registrar."
		}
	}
	return "Answers are signed, so that resolvers notice forgeries."
}

// summary is who may transfer, in a line.
func (p PeerRow) summary() string {
	text := "From " + strings.Join(p.From, ", ")
	if len(p.From) == 0 {
		text = "From anywhere"
	}
	if p.Key != "" {
		text += ", with the key " + p.Key
	} else {
		text += ", without a key"
	}
	if len(p.Notify) == 0 {
		return text + ". It is not notified."
	}
	return text + ". Notifies " + strings.Join(p.Notify, ", ") + "."
}

// word is how far a server has come.
func (s PeerServer) word(serial int64) string {
	switch {
	case s.Served != 0 && s.Served == serial:
		return "Up to date"
	case s.Problem != "":
		return "Problem"
	case s.Served != 0:
		return "Behind"
	}
	return "Never asked"
}

func (s PeerServer) tone(serial int64) string {
	switch s.word(serial) {
	case "Up to date":
		return "ok"
	case "Problem":
		return "warn"
	case "Behind":
		return "busy"
	}
	return "idle"
}

// sentence says which serials the server was told of and sent.
func (s PeerServer) sentence(serial int64) string {
	var parts []string
	if s.Notified != 0 {
		told := "told of " + serialWord(s.Notified)
		if !s.Answered {
			told += ", without an answer"
		}
		parts = append(parts, told)
	}
	if s.Served != 0 {
		parts = append(parts, "has "+serialWord(s.Served)+" of "+serialWord(serial))
	}
	if len(parts) == 0 {
		return "Has not asked for the zone yet."
	}
	text := strings.Join(parts, "; ")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// word is how a secondary zone keeps up.
func (s SecondaryState) word(now time.Time) string {
	switch {
	case over(now, s.ExpiresAt):
		return "Expired"
	case s.RefreshedAt.IsZero():
		return "Waiting"
	case s.Problem != "":
		return "Problem"
	}
	return "Up to date"
}

func (s SecondaryState) tone(now time.Time) string {
	switch s.word(now) {
	case "Expired":
		return "bad"
	case "Waiting":
		return "busy"
	case "Problem":
		return "warn"
	}
	return "ok"
}

func deletionWords(v ZoneView) string {
	if v.Kind == "secondary" {
		return "The zone is no longer answered here. Its primary is not touched."
	}
	return "The zone is no longer answered here, and its " + plural(int64(v.Records), "record") + " and keys go. This cannot be undone. Take the delegation back at the registrar first."
}

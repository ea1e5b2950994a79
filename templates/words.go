package templates

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// stateWord is a site's state for people.
func stateWord(state string) string {
	switch state {
	case "":
		return "Unknown"
	case "starting", "running", "stopped", "failed", "empty", "sleeping":
		return strings.ToUpper(state[:1]) + state[1:]
	}
	return state
}

// stateTone is the style class of a site's state.
func stateTone(state string) string {
	switch state {
	case "running":
		return "ok"
	case "starting":
		return "busy"
	case "failed":
		return "bad"
	case "empty":
		return "info"
	}
	return "idle"
}

// stateSentence says what visitors of the site see now.
func stateSentence(v SiteView) string {
	if v.Maintenance {
		return "Visitors see a page that says the site is being worked on."
	}
	switch v.State {
	case "running":
		return visitorsOf(v) + " see release " + strconv.Itoa(v.Release) + "." + answering(v)
	case "starting":
		return "The site is being started. Visitors are asked to wait a moment."
	case "stopped":
		return "Visitors see a page that says the site is stopped. Its name and releases are kept."
	case "failed":
		return "The site should run, but does not."
	case "sleeping":
		return "The site sleeps and wakes up with its next visitor."
	case "empty":
		return "The address works already. Visitors see a page that says nothing has been uploaded yet."
	}
	return ""
}

// visitorsOf says who is let in.
func visitorsOf(v SiteView) string {
	who := "Visitors"
	if v.Protected {
		who += " with the password"
	}
	if v.Restricted {
		who += " from the networks that are allowed"
	}
	return who
}

// answering says how many instances answer, where there are to be several.
func answering(v SiteView) string {
	if v.Wanted < 2 && len(v.Instances) < 2 {
		return ""
	}
	n := 0
	for _, i := range v.Instances {
		if i.Answers {
			n++
		}
	}
	return fmt.Sprintf(" %d of %d instances answer.", n, max(v.Wanted, len(v.Instances)))
}

// startedAt is when the oldest instance started; zero: there is none.
func (v SiteView) startedAt() (oldest time.Time) {
	for _, i := range v.Instances {
		if oldest.IsZero() || i.StartedAt.Before(oldest) {
			oldest = i.StartedAt
		}
	}
	return oldest
}

func instanceNoun(n int) string {
	if n == 1 {
		return "Instance"
	}
	return "Instances"
}

// reasonTone is the style class of what is said about a state.
func reasonTone(state string) string {
	if state == "failed" {
		return "bad"
	}
	return "info"
}

// canStart, canStop and canRestart say which buttons make sense.
func canStart(state string) bool { return state == "stopped" }

func canStop(state string) bool {
	return state == "running" || state == "starting" || state == "failed" || state == "sleeping"
}

func canRestart(state string) bool { return state == "running" || state == "failed" }

func restartWord(state string) string {
	if state == "failed" {
		return "Try again"
	}
	return "Restart"
}

// activateWord is the button that makes a release active.
func activateWord(release, active int) string {
	if active > 0 && release < active {
		return "Roll back to this"
	}
	return "Activate"
}

func releaseSummary(r ReleaseRow) string {
	if r.Files == 0 && r.Bytes == 0 {
		return ""
	}
	return plural(int64(r.Files), "file") + ", " + size(r.Bytes)
}

// tone is the style class of a certificate.
func (c Certificate) tone(now time.Time) string {
	switch {
	case c.Expired:
		return "bad"
	case c.Expiring:
		return "warn"
	case c.State == "valid", c.State == "wildcard":
		return "ok"
	case c.State == "pending":
		return "busy"
	case c.State == "failed":
		return "warn"
	}
	return "idle"
}

// word is a certificate's state in a list.
func (c Certificate) word(now time.Time) string {
	switch {
	case c.Expired:
		return "Expired"
	case c.Expiring:
		return "Ends soon"
	case c.State == "valid":
		return "Valid"
	case c.State == "wildcard":
		return "Shared"
	case c.State == "pending":
		return "Ordered"
	case c.State == "failed":
		return "Order failed"
	}
	return "None"
}

// remark is what a list adds to the word.
func (c Certificate) remark(now time.Time) string {
	switch {
	case c.Expired, c.State == "failed":
		return "Tried again by itself"
	case c.State == "pending" && c.NotAfter.IsZero():
		return "HTTPS works as soon as it has come"
	case c.State == "pending":
		return "HTTPS works already"
	case c.State == "valid" && !c.NotAfter.IsZero():
		return "Until " + date(c.NotAfter)
	}
	return ""
}

func roleWord(role string) string {
	switch role {
	case "admin":
		return "Admin"
	case "owner":
		return "Owner"
	}
	return role
}

func runtimeWord(name string) string {
	switch name {
	case "docker":
		return "Docker"
	case "embedded":
		return "Embedded"
	case "":
		return "Unknown"
	}
	return name
}

// advice is what an error page says where its view does not.
type advice struct{ heading, sentence, next string }

func adviceFor(code int) advice {
	switch code {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return advice{"That was not understood", "Something in the form was missing or malformed.", "Go back, check what you entered, and try again."}
	case http.StatusUnauthorized:
		return advice{"Please log in", "This page is only for people who are logged in.", "Log in, then open the page again."}
	case http.StatusForbidden:
		return advice{"Not allowed", "Your account may not do this.", "Ask an admin if you think it should."}
	case http.StatusNotFound:
		return advice{"Not found", "There is no such page, or it belongs to someone else.", "Check the address, or start from your sites."}
	case http.StatusMethodNotAllowed:
		return advice{"Nothing to see here", "This address only takes what a form sends to it.", "Start from your sites."}
	case http.StatusConflict:
		return advice{"Not now", "The site is in a state that does not allow this.", "Look at the site's page, then try again."}
	case http.StatusRequestEntityTooLarge:
		return advice{"Too large", "What was sent is larger than this server accepts.", "Go back and send less at a time."}
	case http.StatusTooManyRequests:
		return advice{"Slow down a little", "There were too many attempts in a short time.", "Wait a minute, then try again."}
	case http.StatusServiceUnavailable:
		return advice{"Back in a moment", "The server is starting, stopping or busy.", "Wait a few seconds, then load the page again."}
	case http.StatusInsufficientStorage:
		return advice{"The disk is full", "There is no room for the upload. Your sites go on as before.", "Tell an admin, then try again."}
	}
	return advice{"Something went wrong", "The server made a mistake. It has been written to the log.", "Try again. If it happens again, tell an admin when it was."}
}

// advice fills what the view leaves open.
func (v ErrorView) advice() advice {
	a := adviceFor(v.Code)
	if v.Heading != "" {
		a.heading = v.Heading
	}
	if v.Sentence != "" {
		a.sentence = v.Sentence
	}
	if v.Next != "" {
		a.next = v.Next
	}
	return a
}

// uploadHint says what an upload may be.
func uploadHint(v SiteView) string {
	hint := "Zip the folder that has your index.html; a single .html page needs no zip."
	text := uploadBounds(v.MaxBytes, v.MaxUnpacked, v.MaxFiles)
	if text == "" {
		return hint
	}
	return hint + " " + strings.ToUpper(text[:1]) + text[1:] + "."
}

// uploadBounds is how large an upload may be, in words; empty where nothing is told.
func uploadBounds(packed, unpacked int64, files int) string {
	var bounds []string
	if packed > 0 {
		bounds = append(bounds, "up to "+size(packed))
	}
	if unpacked > 0 {
		bounds = append(bounds, size(unpacked)+" unpacked")
	}
	if files > 0 {
		bounds = append(bounds, plural(int64(files), "file"))
	}
	return strings.Join(bounds, ", ")
}

// UploadTooLarge says that a zip is larger than max bytes, and what helps.
func UploadTooLarge(max int64) string {
	return "The file is larger than " + size(max) + ", the most this server takes. Make it smaller, for example by shrinking images, and leave out what visitors do not need."
}

func releasesLost(n int) string {
	if n == 0 {
		return "nothing else: no release has been uploaded"
	}
	return plural(int64(n), "release") + " with their files"
}

// tails are the numbers of log lines on offer, with the one that is shown.
func tails(shown int) []int {
	var list []int
	for _, n := range []int{100, 500, 2000} {
		if shown > 0 && shown < n && (len(list) == 0 || list[len(list)-1] < shown) {
			list = append(list, shown)
		}
		list = append(list, n)
	}
	if shown > 2000 {
		list = append(list, shown)
	}
	return list
}

// uploadExample is a command that uploads a zip with a token.
func uploadExample(api string) string {
	return "curl -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"Content-Type: application/zip\" \\\n  --data-binary @site.zip \\\n  \"" +
		apiBase(api) + "/sites/my-site/releases?wait=live\""
}

func apiBase(api string) string { return strings.TrimSuffix(api, "/") }

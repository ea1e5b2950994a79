package templates

import "time"

// HelpView is what owners are told about their sites, with what this installation has of its own.
type HelpView struct {
	Shell
	Example     string // DNS name of the site my-site, which the examples are about
	APIURL      string // base of the REST API, such as https://panel.example.org/api/v1
	RootURL     string // where the root of an internal authority can be downloaded; empty: none
	MaxBytes    int64  // the largest zip accepted; 0: not told
	MaxUnpacked int64  // the most it may hold unpacked; 0: not told
	MaxFiles    int    // the most files it may hold; 0: not told

	Certificates []Certificate // one of each state, to say what it means
}

// helpTopic is a section of the help, by its anchor.
type helpTopic string

const (
	helpZip       helpTopic = "zip"
	helpUpload    helpTopic = "uploads"
	helpPaths     helpTopic = "paths"
	helpRedirects helpTopic = "redirects"
	helpHeaders   helpTopic = "headers"
	helpDomains   helpTopic = "domains"
	helpStates    helpTopic = "states"
	helpAPI       helpTopic = "api"
)

// helpTopics is the order of the page.
func helpTopics() []helpTopic {
	return []helpTopic{helpZip, helpUpload, helpPaths, helpRedirects, helpHeaders, helpDomains, helpStates, helpAPI}
}

func (h helpTopic) title() string {
	switch h {
	case helpZip:
		return "Make a zip"
	case helpUpload:
		return "What an upload does"
	case helpPaths:
		return "Which file an address shows"
	case helpRedirects:
		return "Redirects"
	case helpHeaders:
		return "Headers"
	case helpDomains:
		return "A domain of your own"
	case helpStates:
		return "What the states mean"
	}
	return "Upload from a program"
}

// path leads to the topic from any page.
func (h helpTopic) path() string { return PathHelp + "#" + string(h) }

// The files that the help shows. What it says of them must hold: they are read by the rules of package sites/static/rules in a test.
const (
	helpRedirectsFile = `# An old address leads to the new one.
/old-page    /new-page
# So does everything in a folder: * is whatever follows.
/blog/*      /news/:splat
# For now only (302), and to another site.
/shop        https://shop.example.com    302
`
	helpSinglePageFile = `/*    /index.html    200
`
	helpHeadersFile = `# For all pages: no other site may show them in a frame.
/*
  X-Frame-Options: DENY
# Files whose names change with their content may be kept for a year.
/assets/*
  Cache-Control: public, max-age=31536000, immutable
`
)

// helpPath is an address of a site and the file that it shows.
type helpPath struct {
	asked string
	file  string
}

func helpPathList() []helpPath {
	return []helpPath{
		{"/", "index.html"},
		{"/about", "about.html"},
		{"/blog/", "blog/index.html"},
		{"/photos/boat.jpg", "photos/boat.jpg"},
	}
}

// meaning is a state, as its pill shows it, and what it means.
type meaning struct{ tone, word, sentence string }

func siteMeanings() []meaning {
	of := func(state, sentence string) meaning { return meaning{stateTone(state), stateWord(state), sentence} }
	return []meaning{
		of("empty", "Nothing has been uploaded yet. The address works, and says so."),
		of("starting", "The site is being started. Visitors are asked to wait a moment."),
		of("running", "Visitors see the active release."),
		of("stopped", "Somebody has stopped the site. Visitors see a page that says so; its name and releases are kept, and Start brings it back."),
		of("failed", "The site should run, but does not. The reason stands below its name, and it is tried again by itself."),
	}
}

func releaseMeanings() []meaning {
	return []meaning{
		{"busy", "Preparing", "It is being unpacked or started. Visitors still see the release before it."},
		{"ok", "Active", "This is what visitors see."},
		{"bad", "Failed", "It never went live; the reason stands below it. Visitors see the release before it."},
	}
}

func domainMeanings() []meaning {
	of := func(d DomainRow, sentence string) meaning { return meaning{d.tone(), d.word(), sentence} }
	active, strayed, lapsed := DomainRow{State: "active"}, DomainRow{State: "active", StrayedAt: time.Unix(0, 0)}, DomainRow{State: "lapsed"}
	return []meaning{
		of(DomainRow{State: "waiting"}, "The record has not been seen yet. What does not come within a week is given up, and can be added again."),
		of(active, active.leads()),
		of(strayed, strayed.leads()),
		of(lapsed, lapsed.leads()),
	}
}

func (v HelpView) certificateMeanings() (list []meaning) {
	for _, c := range v.Certificates {
		list = append(list, meaning{c.tone(v.now()), c.word(v.now()), c.Sentence})
	}
	return list
}

func createExample(api string) string {
	return "curl -H \"Authorization: Bearer $TOKEN\" \\\n  -H \"Content-Type: application/json\" \\\n  -d '{\"name\":\"my-site\"}' \\\n  \"" + apiBase(api) + "/sites\""
}

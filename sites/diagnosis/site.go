package diagnosis

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"berth/sites"
)

// Site is what is known of a site and its hosts.
type Site struct {
	Now       time.Time
	Owner     bool   // the report is for the site's owner, and not for who runs the server
	Asked     string // the host that was asked about; empty: the site as a whole
	Status    sites.SiteStatus
	Wanted    int                     // instances that it is to have while it runs
	InProcess bool                    // berth itself serves releases
	Troubles  []sites.InstanceTrouble // of Status.Serving, in the same order
	Warnings  []sites.OptionWarning
	Hosts     []Host // that the report is about, the site's own name first
	Addresses []netip.Addr
	Runtime   sites.RuntimeInfo
}

// OfSite judges a site.
func OfSite(s Site) Report {
	var l findings
	for _, h := range s.Hosts {
		s.host(&l, h)
	}
	s.state(&l)
	s.settings(&l)
	s.instances(&l)
	s.content(&l)
	return Report{Subject: s.subject(), Findings: l}
}

func (s Site) subject() string {
	if s.Asked == "" && len(s.Hosts) > 0 {
		return s.Hosts[0].Name
	}
	return s.Asked
}

// state judges what the site does.
func (s Site) state(l *findings) {
	switch st := s.Status; st.State {
	case sites.StateStopped:
		l.add(Fault, TopicSite, "The site is stopped. Visitors see a page that says so.", s.act("Start it", "start"))
	case sites.StateEmpty:
		l.add(Warning, TopicSite, "Nothing has been uploaded that could be shown. Visitors see a page that says so.", "Upload a zip on the site's page.")
	case sites.StateFailed:
		l.add(Fault, TopicSite, "The site should run, and does not: "+lowerFirst(st.Reason), s.retry())
	case sites.StateStarting:
		l.add(Warning, TopicSite, "The site is being started. Visitors are asked to wait a moment.", "Wait. If it takes more than a minute, look at what it writes: Logs, on the site's page.")
	case sites.StateSleeping:
		l.ok(TopicSite, "The site sleeps and wakes up with its next visitor.")
	default:
		l.ok(TopicSite, "The site runs.")
	}
	if s.Status.Options.Maintenance {
		l.add(Fault, TopicSite, "Maintenance is on. Visitors see a page that says that the site is being worked on.", "End it in the site's Settings.")
	}
}

// act is how to carry out an action on the site.
func (s Site) act(what, call string) string {
	if s.Owner {
		return what + " on its page."
	}
	return fmt.Sprintf("%s on its page in the panel, or by POST /api/v1/sites/%s/%s.", what, s.Status.Name, call)
}

// retry says when a start that failed is tried again, and what may help.
func (s Site) retry() string {
	text := "Look at what the site writes (Logs, on its page), then upload a release that starts, or go back to an older one."
	if at := s.Status.Retry; at.After(s.Now) {
		text += " It is tried again at " + moment(s.Now, at) + "."
	}
	return text
}

// settings judges what the owner has chosen, as far as it keeps visitors out or has no effect.
func (s Site) settings(l *findings) {
	const meant = "If that is not meant, change it in the site's Settings."
	if n := len(s.Status.Options.Allow); n > 0 {
		l.add(Warning, TopicSite, fmt.Sprintf("Only visitors from %s are let in. All others are turned away.", sites.Plural(n, "network")), meant)
	}
	if s.Status.Options.Login.Required() {
		l.add(Warning, TopicSite, fmt.Sprintf("Visitors are asked for the user %s and a password.", s.Status.Options.Login.User), meant)
	}
	for _, w := range s.Warnings {
		l.quote(Warning, TopicSite, w.Sentence, "Correct it in the site's Settings.")
	}
}

// instances judges what runs.
func (s Site) instances(l *findings) {
	if st := s.Status.State; st != sites.StateRunning && st != sites.StateFailed && st != sites.StateStarting {
		return
	}
	s.runtime(l)
	if s.InProcess {
		if len(s.Status.Serving) > 0 {
			l.ok(TopicInstances, "berth serves the files in its own process.")
		}
		return
	}
	running, silent := len(s.Status.Serving), 0
	for i, t := range s.Troubles {
		if t.None() {
			continue
		}
		silent++
		l.add(s.level(running-silent), TopicInstances, s.instance(i)+" "+t.Phrase()+", since "+moment(s.Now, t.Since)+".",
			"Look at what it writes (Logs, on the site's page). If it does not recover, restart the site.")
	}
	switch {
	case running == 0:
		l.add(s.level(0), TopicInstances, "No instance runs."+s.standIn(), s.retry())
	case running < s.Wanted:
		l.add(Warning, TopicInstances, fmt.Sprintf("%d of %d instances run. %s", running, s.Wanted, s.Status.Reason), s.retry())
	case silent == 0:
		l.ok(TopicInstances, "%s.", upperFirst(sites.Plural(running, "instance")+" answer"+third(running)))
	}
}

// level is that of instances that are missing, where so many are left.
func (s Site) level(left int) Level {
	if left > 0 || s.itself() {
		return Warning
	}
	return Fault
}

// itself reports whether berth stands in for instances.
func (s Site) itself() bool {
	for _, h := range s.Hosts {
		if h.Route.Itself {
			return true
		}
	}
	return false
}

func (s Site) standIn() string {
	if s.itself() {
		return " berth itself serves the release's files meanwhile."
	}
	return ""
}

// instance names one of them; their addresses are nothing to owners.
func (s Site) instance(i int) string {
	if s.Owner {
		return "An instance"
	}
	return "The instance " + s.Status.Serving[i].Addr.String()
}

// runtime judges what starts instances.
func (s Site) runtime(l *findings) {
	switch {
	case s.Runtime.Err == "":
	case s.Owner:
		l.add(Warning, TopicInstances, "The server cannot start or stop instances at the moment.", "Tell an admin. It is tried again by itself.")
	default:
		runtime(l, s.level(len(s.Status.Serving)), TopicInstances, s.Runtime)
	}
}

// runtime tells of an engine that does not answer.
func runtime(l *findings, level Level, topic Topic, info sites.RuntimeInfo) {
	l.add(level, topic, info.Err, "Start the engine (systemctl start docker). berth takes it up again by itself.")
}

// content judges the releases.
func (s Site) content(l *findings) {
	st := s.Status
	if st.Release != nil {
		s.active(l, *st.Release)
	}
	if st.Unpacking {
		l.ok(TopicContent, "A zip has arrived and is being unpacked.")
	}
	if st.Lost != "" {
		l.add(Warning, TopicContent, "The last upload came to nothing. "+st.Lost, "Upload it again.")
	}
	if st.Latest != nil && st.Latest.Number > st.Active {
		s.latest(l, *st.Latest)
	}
}

func (s Site) active(l *findings, r sites.Release) {
	l.ok(TopicContent, "Release %d is active since %s.", r.Number, moment(s.Now, r.ActivatedAt))
	if r.Warning != "" {
		l.quote(Warning, TopicContent, r.Warning, "Upload a release without that.")
	}
	if n := len(r.Remarks); n > 0 {
		first := r.Remarks[0]
		place := first.File
		if first.Line > 0 {
			place += fmt.Sprintf(", line %d", first.Line)
		}
		l.add(Warning, TopicContent, fmt.Sprintf("%s of release %d have no effect, the first of them in %s: %s", upperFirst(sites.Plural(n, "line")), r.Number, place, first.Sentence),
			"Correct them and upload again; the site's page lists them all.")
	}
}

// latest judges a release that is newer than the active one.
func (s Site) latest(l *findings, r sites.Release) {
	switch {
	case r.State == sites.ReleasePreparing && r.Reason == "":
		l.ok(TopicContent, "Release %d is being put live.", r.Number)
	case r.Reason != "":
		level, still := Warning, fmt.Sprintf(" Release %d goes on.", s.Status.Active)
		if s.Status.Active == 0 {
			level, still = Fault, ""
		}
		l.add(level, TopicContent, fmt.Sprintf("Release %d is not live: %s%s", r.Number, lowerFirst(r.Reason), still), "Mend what it says, and upload again.")
	}
}

func third(n int) string {
	if n == 1 {
		return "s"
	}
	return ""
}

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// lowerFirst is for a sentence after a colon; one that begins by a name, or by nothing that has a case, stays.
func lowerFirst(text string) string {
	for _, article := range []string{"The ", "It ", "A ", "An ", "There ", "Connections "} {
		if strings.HasPrefix(text, article) {
			return strings.ToLower(text[:1]) + text[1:]
		}
	}
	return text
}

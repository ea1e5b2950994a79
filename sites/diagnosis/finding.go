package diagnosis

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"berth/sites"
)

// Level says how bad a finding is.
type Level string

const (
	OK      Level = "ok"
	Warning Level = "warning" // worth knowing; what it is about works, for some at least
	Fault   Level = "fault"   // something does not work
)

// Topic is what a finding is about.
type Topic string

const (
	TopicName        Topic = "name"   // in the DNS, as berth answers
	TopicZone        Topic = "zone"   // as the world finds it
	TopicDomain      Topic = "domain" // a custom one
	TopicRoute       Topic = "route"  // of requests
	TopicCertificate Topic = "certificate"
	TopicSite        Topic = "site" // its state and settings
	TopicInstances   Topic = "instances"
	TopicContent     Topic = "content" // releases

	TopicServers      Topic = "servers" // what listens, and who reaches it
	TopicSecondaries  Topic = "secondaries"
	TopicCertificates Topic = "certificates"
	TopicRuntime      Topic = "runtime"
	TopicDisk         Topic = "disk"
	TopicSites        Topic = "sites"
	TopicQueues       Topic = "queues"
)

// Finding is one thing that was looked at.
type Finding struct {
	Topic    Topic
	Level    Level
	Sentence string // what is so
	Remedy   string // what would make it right; empty where the level is OK
}

// Report is all that was found of one subject.
type Report struct {
	Subject  string // a host, or whose server it is
	Findings []Finding
}

// Troubles are the findings that are not OK.
func (r Report) Troubles() []Finding {
	return slices.DeleteFunc(slices.Clone(r.Findings), func(f Finding) bool { return f.Level == OK })
}

// Works reports whether there is no fault.
func (r Report) Works() bool { return len(r.topics(Fault)) == 0 }

// Summary is the report in a line.
func (r Report) Summary() string {
	var said []string
	for _, level := range []Level{Fault, Warning} {
		if topics := r.topics(level); len(topics) > 0 {
			slices.Sort(topics)
			said = append(said, fmt.Sprintf("%s: %s.", sites.Plural(len(topics), string(level)), strings.Join(slices.Compact(topics), ", ")))
		}
	}
	switch {
	case len(said) == 0:
		return r.Subject + " works: nothing found."
	case r.Works():
		return r.Subject + " works. " + said[0]
	}
	return strings.Join(said, " ")
}

// topics are those of the findings of a level, one for each finding.
func (r Report) topics(level Level) (list []string) {
	for _, f := range r.Findings {
		if f.Level == level {
			list = append(list, string(f.Topic))
		}
	}
	return list
}

// findings collects them.
type findings []Finding

func (l *findings) ok(topic Topic, format string, args ...any) {
	*l = append(*l, Finding{Topic: topic, Level: OK, Sentence: fmt.Sprintf(format, args...)})
}

// add takes a sentence whose last part may be empty, or lack its stop, as what it quotes does.
func (l *findings) add(level Level, topic Topic, sentence, remedy string) {
	sentence = strings.TrimSuffix(strings.TrimSpace(sentence), ".") + "."
	*l = append(*l, Finding{Topic: topic, Level: level, Sentence: sentence, Remedy: remedy})
}

// quote adds what another part has said. Its first sentence is what is so, and those after it what would make it right; where there are none
// that is the remedy.
func (l *findings) quote(level Level, topic Topic, said, remedy string) {
	sentence, rest, _ := strings.Cut(said, ". ")
	if rest != "" {
		sentence, remedy = sentence+".", rest
	}
	l.add(level, topic, sentence, remedy)
}

// moment writes a time as near as it is.
func moment(now, t time.Time) string {
	now, t = now.UTC(), t.UTC()
	switch {
	case now.YearDay() == t.YearDay() && now.Year() == t.Year():
		return t.Format("15:04:05 UTC")
	case t.Sub(now).Abs() < 180*24*time.Hour:
		return t.Format("2 January, 15:04 UTC")
	}
	return t.Format("2 January 2006")
}

func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

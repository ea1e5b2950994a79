package templates

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// TrafficView is how often a site was visited. Query parameter: days.
type TrafficView struct {
	Shell
	Name      string
	URL       string
	Days      int // that are shown, up to now; 1: today by the hour
	Total     TrafficStep
	Steps     []TrafficStep
	Paths     []TrafficRank
	Referrers []TrafficRank
}

// AllTrafficView is TrafficView for all sites, for admins. Query parameter: days.
type AllTrafficView struct {
	Shell
	Days  int
	Total TrafficStep
	Steps []TrafficStep
	Sites []TrafficSite // the busiest
}

// TrafficStep is an hour or day, or all of them together.
type TrafficStep struct {
	At       time.Time
	Requests int64
	Visitors int64
	Bytes    int64
	Missing  int64 // answers 4xx, which say that the request was wrong
	Failed   int64 // answers 5xx
}

// TrafficRank is a path or a host with a count.
type TrafficRank struct {
	Key   string
	Count int64
}

// TrafficSite is a site in a list by traffic.
type TrafficSite struct {
	Name  string
	Owner string
	Total TrafficStep
}

// TrafficPath is the page of a site's traffic.
func TrafficPath(name string) string { return SitePath(name) + "/traffic" }

// PathAllTraffic is the traffic of all sites.
const PathAllTraffic = "/admin/traffic"

// TrafficDays are the spans that can be shown; 1 is today.
func TrafficDays() []int { return []int{1, 7, 30, 90} }

// VisitsPath is the page of a site's access log; query parameter tail is the number of lines.
func VisitsPath(name string) string { return SitePath(name) + "/access" }

// VisitsFollowPath streams a site's access log as plain text while it grows.
func VisitsFollowPath(name string) string { return VisitsPath(name) + "/follow" }

func daysWord(days int) string {
	if days == 1 {
		return "Today"
	}
	return plural(int64(days), "day")
}

func atDays(path string, days int) string {
	return path + "?" + url.Values{"days": {strconv.Itoa(days)}}.Encode()
}

// chart is a series of bars, drawn by stackedBars.
type chart struct {
	id    string // unique on the page
	title string
	desc  string
	bars  []chartBar
	top   string // what the upper end of the scale says
	half  string
	axis  []string // the first, the middle and the last step
}

// chartBar is one step: parts of a hundred from the bottom up.
type chartBar struct {
	title string
	parts []barPart
}

type barPart struct {
	class  string
	height float64
}

// series is what a chart shows of each step.
type series struct {
	id, title string
	value     func(TrafficStep) int64
	words     func(int64) string
	parts     func(TrafficStep) []seriesPart
}

type seriesPart struct {
	class string
	n     int64
}

func trafficSeries() []series {
	return []series{
		{"requests", "Requests", func(s TrafficStep) int64 { return s.Requests }, number, byOutcome},
		{"visitors", "Visitors", func(s TrafficStep) int64 { return s.Visitors }, number, nil},
		{"bytes", "Sent", func(s TrafficStep) int64 { return s.Bytes }, size, nil},
	}
}

func byOutcome(s TrafficStep) []seriesPart {
	return []seriesPart{
		{"chart-fine", s.Requests - s.Missing - s.Failed}, {"chart-missing", s.Missing}, {"chart-failed", s.Failed},
	}
}

func chartOf(s series, steps []TrafficStep, hourly bool) chart {
	most, peak := int64(0), 0
	for i, step := range steps {
		if n := s.value(step); n > most {
			most, peak = n, i
		}
	}
	top := scaleEnd(most, s.id == "bytes")
	c := chart{id: s.id, title: s.title, top: s.words(top), half: s.words(top / 2)}
	for _, step := range steps {
		c.bars = append(c.bars, barOf(s, step, top, hourly))
	}
	if len(steps) > 0 {
		c.axis = []string{stepWord(steps[0].At, hourly), stepWord(steps[len(steps)/2].At, hourly), stepWord(steps[len(steps)-1].At, hourly)}
		c.desc = fmt.Sprintf("%s by %s. The most, %s, was on %s.", s.title, stepNoun(hourly), s.words(most), stepLong(steps[peak].At, hourly))
	}
	return c
}

func barOf(s series, step TrafficStep, top int64, hourly bool) chartBar {
	b := chartBar{title: stepLong(step.At, hourly) + ": " + s.words(s.value(step))}
	parts := []seriesPart{{"chart-fine", s.value(step)}}
	if s.parts != nil {
		parts = s.parts(step)
	}
	for _, p := range parts {
		if height := share(p.n, top); height > 0 {
			b.parts = append(b.parts, barPart{p.class, height})
		}
	}
	return b
}

// scaleEnd is the end of a scale that holds most: even, so that its half is a whole number, too.
func scaleEnd(most int64, bytes bool) int64 {
	unit := int64(1)
	if bytes {
		for most >= unit*1024 && unit < 1<<50 {
			unit *= 1024
		}
	}
	for power := unit; ; power *= 10 {
		for _, step := range []int64{2, 4, 6, 10} {
			if step*power >= most || power > 1<<55 {
				return step * power
			}
		}
	}
}

func stepNoun(hourly bool) string {
	if hourly {
		return "hour"
	}
	return "day"
}

// stepWord is a step on an axis.
func stepWord(t time.Time, hourly bool) string {
	if hourly {
		return t.UTC().Format("15:04")
	}
	return t.UTC().Format("2 Jan")
}

// stepLong is a step in a sentence.
func stepLong(t time.Time, hourly bool) string {
	if hourly {
		return t.UTC().Format("2 Jan 2006, 15:04")
	}
	return t.UTC().Format("Mon 2 Jan 2006")
}

// x is where the step's bar begins; a step is one wide.
func x(step int) string { return decimal(float64(step) + 0.12) }

// y is where a part begins that has others below it.
func (b chartBar) y(part int) string {
	at := 100.0
	for _, p := range b.parts[:part+1] {
		at -= p.height
	}
	return decimal(max(at, 0))
}

func viewBox(steps int) string { return fmt.Sprintf("0 0 %d 100", max(steps, 1)) }

// newestFirst turns the steps around, for the table.
func newestFirst(steps []TrafficStep) []TrafficStep {
	out := make([]TrafficStep, 0, len(steps))
	for i := len(steps) - 1; i >= 0; i-- {
		if steps[i].Requests != 0 {
			out = append(out, steps[i])
		}
	}
	return out
}

// readablePath decodes what a path has encoded, for people to read.
func readablePath(path string) string {
	if text, err := url.PathUnescape(path); err == nil && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\ufffd' }) {
		return text
	}
	return path
}

func noTraffic(days int) string {
	if days == 1 {
		return "No visits today so far"
	}
	return "No visits in " + daysWord(days)
}

// visitorsWord says that who comes again on another day counts again.
func visitorsWord(days int) string {
	if days == 1 {
		return "Visitors"
	}
	return "Visitors, day by day"
}

func tableHead(hourly bool) string {
	if hourly {
		return "Hour"
	}
	return "Day"
}

// gridLines are the lines at the top and the middle of a chart.
func gridLines(steps int) string { return fmt.Sprintf("M0 0H%d M0 50H%[1]d", max(steps, 1)) }

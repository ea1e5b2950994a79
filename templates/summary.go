package templates

import (
	"net/url"
	"strconv"
	"strings"
)

// states are the counts that are worth a line.
func (c SiteCounts) states() []Counter {
	list := []Counter{{"Running", int64(c.Running)}, {"Stopped", int64(c.Stopped)}, {"Empty", int64(c.Empty)}, {"Failed", int64(c.Failed)}}
	if c.Starting > 0 {
		list = append(list, Counter{"Starting", int64(c.Starting)})
	}
	if c.Sleeping > 0 {
		list = append(list, Counter{"Sleeping", int64(c.Sleeping)})
	}
	return list
}

// meterTone is the style class of a share in percent.
func meterTone(percent float64) string {
	switch {
	case percent >= 90:
		return "meter-bad"
	case percent >= 75:
		return "meter-warn"
	}
	return "meter-ok"
}

func machineLine(h HostMeters) string {
	var parts []string
	for _, part := range []string{h.Name, h.System} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if !h.UpSince.IsZero() {
		parts = append(parts, "up since "+date(h.UpSince))
	}
	return strings.Join(parts, " · ")
}

func cpuDetail(h HostMeters) string {
	return "of " + plural(int64(h.CPUs), "core") + ", load " + decimal(h.Load)
}

func diskDetail(h HostMeters) string {
	detail := "of " + size(h.DiskTotal)
	if h.DiskPath != "" {
		detail += " at " + h.DiskPath
	}
	return detail
}

// why is the reason as a sentence.
func (r Runtime) why() string {
	return strings.ToUpper(r.Why[:1]) + strings.TrimSuffix(r.Why[1:], ".") + "."
}

func versionWord(version string) string {
	if version == "" {
		return "unknown version"
	}
	return version
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}

// ofBound is the maximum beside a value.
func ofBound(n int64, say func(int64) string) string {
	if n <= 0 {
		return "no limit"
	}
	return "of " + say(n)
}

// open reports whether the form has something to show.
func (f AccountForm) open() bool { return len(f.Faults) > 0 || f.Name != "" }

func moreActivity(v ActivityView) string {
	query := url.Values{"limit": {strconv.Itoa(max(v.Limit, 50) * 2)}}
	if v.Subject != "" {
		query.Set("subject", v.Subject)
	}
	return PathActivity + "?" + query.Encode()
}

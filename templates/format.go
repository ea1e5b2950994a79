package templates

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// now is the time that relative times of the page relate to.
func (s Shell) now() time.Time {
	if s.Now.IsZero() {
		return time.Now()
	}
	return s.Now
}

// ago says how far t lies from now, in words such as "3 minutes ago" and "in 12 days". The script of the panel keeps
// the words of an open page true; its thresholds are these.
func ago(now, t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	d := now.Sub(t)
	if d > -time.Minute && d < time.Minute {
		return "just now"
	}
	words := span(d.Abs())
	if d < 0 {
		return "in " + words
	}
	return words + " ago"
}

// span is a duration in its largest whole unit.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return plural(int64(d/time.Second), "second")
	case d < time.Hour:
		return plural(int64(d/time.Minute), "minute")
	case d < 2*day:
		return plural(int64(d/time.Hour), "hour")
	case d < 60*day:
		return plural(int64(d/day), "day")
	case d < 2*365*day:
		return plural(int64(d/(30*day)), "month")
	}
	return plural(int64(d/(365*day)), "year")
}

// plural is a count with its noun, such as "1 file" and "1,200 files".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return number(n) + " " + noun + "s"
}

// Count is a number of things in words, such as "1 record" and "1,200 records".
func Count(n int, noun string) string { return plural(int64(n), noun) }

// number is n with a comma between each three digits.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// size is a number of bytes as people read it, in steps of 1024.
func size(n int64) string {
	if n < 1024 {
		return plural(max(n, 0), "byte")
	}
	value, unit := float64(n), 0
	units := []string{"bytes", "KB", "MB", "GB", "TB", "PB"}
	for value >= 1023.5 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	text := strconv.FormatFloat(value, 'f', 1, 64)
	if value >= 99.95 {
		text = strconv.FormatFloat(value, 'f', 0, 64)
	}
	return strings.TrimSuffix(text, ".0") + " " + units[unit]
}

// moment is a time to the minute, in UTC so that all who look at a page mean the same.
func moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006, 15:04 UTC")
}

// Moment is a time to the minute, in UTC.
func Moment(t time.Time) string { return moment(t) }

// date is the day of a time.
func date(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2 Jan 2006")
}

// machine is a time for the datetime attribute.
func machine(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// share is the part of the whole in percent, between 0 and 100.
func share(part, whole int64) float64 {
	if whole <= 0 {
		return 0
	}
	return clamp(float64(part) * 100 / float64(whole))
}

func clamp(percent float64) float64 {
	if math.IsNaN(percent) {
		return 0
	}
	return min(max(percent, 0), 100)
}

// percent is a share for people.
func percent(p float64) string { return strconv.FormatFloat(clamp(p), 'f', 0, 64) + " %" }

// decimal is a number for an attribute or a text, without needless digits.
func decimal(f float64) string {
	return strconv.FormatFloat(math.Round(f*100)/100, 'f', -1, 64)
}

// serial is a certificate's serial number in pairs of digits, as browsers show it.
func serial(hex string) string {
	if len(hex)%2 == 1 {
		hex = "0" + hex
	}
	var pairs []string
	for len(hex) >= 2 {
		pairs = append(pairs, strings.ToUpper(hex[:2]))
		hex = hex[2:]
	}
	return strings.Join(pairs, ":")
}

// host is the name and port in a site's address, which is what people read.
func host(address string) string {
	_, rest, found := strings.Cut(address, "://")
	if !found {
		return address
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// limits are an instance's bounds in words.
func limits(memoryMB int, cpus float64) string {
	var parts []string
	if memoryMB > 0 {
		parts = append(parts, size(int64(memoryMB)<<20)+" of memory")
	}
	if cpus > 0 {
		noun := "processors"
		if cpus == 1 {
			noun = "processor"
		}
		parts = append(parts, fmt.Sprintf("%s %s", decimal(cpus), noun))
	}
	return strings.Join(parts, ", ")
}

// previewName is what the preview of a new site's address shows for a typed name.
func previewName(typed string) string {
	if name := strings.ToLower(strings.TrimSpace(typed)); name != "" {
		return name
	}
	return "my-site"
}

package cache

import (
	"net/http"
	"strings"
	"time"
)

// targeted is the field by which an origin speaks to caches in front of it alone, RFC 9213. It ends here.
const targeted = "Cdn-Cache-Control"

const unset time.Duration = -1

// control is what Cache-Control or CDN-Cache-Control says, RFC 9111 section 5.2. Durations are unset where nothing is said.
type control struct {
	noStore, noCache, private, public bool
	mustRevalidate                    bool // by the name or by proxy-revalidate
	mustUnderstand                    bool
	onlyIfCached, anyStale            bool // of requests
	maxAge, sMaxAge                   time.Duration
	whileRevalidate, ifError          time.Duration // RFC 5861
	maxStale, minFresh                time.Duration // of requests
}

func silent() control {
	return control{maxAge: unset, sMaxAge: unset, whileRevalidate: unset, ifError: unset, maxStale: unset, minFresh: unset}
}

// instructed returns what a response says to this cache. By RFC 9213 section 2.2 a targeted field that can be read stands
// instead of Cache-Control and of Expires.
func instructed(h http.Header) control {
	if lines := h[targeted]; len(lines) > 0 {
		c, members := silent(), 0
		if dictionary(lines, func(name string, v value) { c.setTargeted(name, v); members++ }) && members > 0 {
			return c
		}
	}
	c := parseControl(h["Cache-Control"])
	if c.maxAge == unset && c.sMaxAge == unset {
		c.maxAge = expiry(h)
	}
	return c
}

func (c *control) setTargeted(name string, v value) {
	switch v.kind {
	case boolean:
		c.setFlag(name, v.flag)
	case integer:
		if v.number >= 0 {
			c.setTime(name, seconds(v.number))
		}
	case other:
	}
}

// parseControl reads Cache-Control leniently: what is unknown or malformed says nothing, except that a lifetime which
// cannot be read is none (RFC 9111 section 4.2.1).
func parseControl(lines []string) control {
	c := silent()
	for _, line := range lines {
		for line != "" {
			var name, argument string
			name, argument, line = nextDirective(line)
			if c.setFlag(name, true) {
				continue
			}
			if name == "max-stale" && argument == "" {
				c.anyStale = true
				continue
			}
			if n, ok := deltaSeconds(argument); ok {
				c.setTime(name, n)
			} else {
				c.setInvalid(name)
			}
		}
	}
	return c
}

// nextDirective cuts the first directive off a line; commas within quotes do not end it.
func nextDirective(line string) (name, argument, rest string) {
	end := 0
	for end < len(line) && line[end] != ',' {
		if line[end] == '"' {
			for end++; end < len(line) && line[end] != '"'; end++ {
				if line[end] == '\\' {
					end++
				}
			}
		}
		end++
	}
	end = min(end, len(line))
	directive := line[:end]
	if rest = line[end:]; rest != "" {
		rest = rest[1:]
	}
	name, argument, _ = strings.Cut(directive, "=")
	return strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(argument), `"`), rest
}

// setFlag reports whether name is a directive that is either there or not. The forms of no-cache and private that name
// fields are taken for the ones that do not: it is allowed, and simple.
func (c *control) setFlag(name string, on bool) bool {
	switch name {
	case "no-store":
		c.noStore = on
	case "no-cache":
		c.noCache = on
	case "private":
		c.private = on
	case "public":
		c.public = on
	case "must-revalidate", "proxy-revalidate":
		c.mustRevalidate = c.mustRevalidate || on
	case "must-understand":
		c.mustUnderstand = on
	case "only-if-cached":
		c.onlyIfCached = on
	default:
		return false
	}
	return true
}

func (c *control) timeOf(name string) *time.Duration {
	switch name {
	case "max-age":
		return &c.maxAge
	case "s-maxage":
		return &c.sMaxAge
	case "stale-while-revalidate":
		return &c.whileRevalidate
	case "stale-if-error":
		return &c.ifError
	case "max-stale":
		return &c.maxStale
	case "min-fresh":
		return &c.minFresh
	}
	return nil
}

// setTime has the shortest of several lifetimes count, since it is not known which is meant.
func (c *control) setTime(name string, d time.Duration) {
	if t := c.timeOf(name); t != nil && (*t == unset || d < *t) {
		*t = d
	}
}

func (c *control) setInvalid(name string) {
	if name == "max-age" || name == "s-maxage" {
		c.setTime(name, 0)
	}
}

// lifetime is for how long a response is fresh, or unset where its sender does not say.
func (c *control) lifetime() time.Duration {
	if c.sMaxAge != unset {
		return c.sMaxAge
	}
	return c.maxAge
}

// deltaSeconds reads RFC 9111 section 1.2.2: what is too large is as large as can be.
func deltaSeconds(text string) (time.Duration, bool) {
	if text == "" {
		return 0, false
	}
	n := int64(0)
	for _, c := range []byte(text) {
		if !digit(c) {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), 1<<31)
	}
	return seconds(n), true
}

func seconds(n int64) time.Duration { return time.Duration(min(n, 1<<31)) * time.Second }

// expiry is the lifetime that Expires gives, RFC 9111 section 5.3; a date that cannot be read has passed.
func expiry(h http.Header) time.Duration {
	lines := h["Expires"]
	if len(lines) == 0 {
		return unset
	}
	expires, err := http.ParseTime(lines[0])
	date, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil || len(lines) > 1 {
		return 0
	}
	return min(max(0, expires.Sub(date)), seconds(1<<31))
}

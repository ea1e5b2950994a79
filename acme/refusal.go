package acme

import (
	"net/http"
	"regexp"
	"strconv"
	"time"
)

// refusal is an answer of the CA with an error status.
type refusal struct {
	at     time.Time
	status int
	until  time.Time // the CA wants to be left alone until then, by its Retry-After; zero: it does not say
}

// longestRefusal bounds how long a CA can send us away.
const longestRefusal = 24 * time.Hour

// retryAfter reads the header, RFC 9110 section 10.2.3; zero where there is none that makes sense.
func retryAfter(header http.Header, now time.Time) time.Time {
	value := header.Get("Retry-After")
	until, err := http.ParseTime(value)
	if seconds, errSeconds := strconv.Atoi(value); errSeconds == nil && seconds >= 0 {
		until, err = now.Add(min(time.Duration(seconds), longestRefusal/time.Second)*time.Second), nil
	}
	if err != nil {
		return time.Time{}
	}
	return sensible(until, now)
}

// retryText is how Let's Encrypt ends the text of a limit.
var retryText = regexp.MustCompile(`retry after (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)`)

// retryAfterText reads the same from the text of a problem.
func retryAfterText(detail string, now time.Time) time.Time {
	found := retryText.FindStringSubmatch(detail)
	if found == nil {
		return time.Time{}
	}
	until, err := time.Parse("2006-01-02 15:04:05 MST", found[1])
	if err != nil {
		return time.Time{}
	}
	return sensible(until, now)
}

// sensible is a time until which we stay away, or zero if it is over.
func sensible(until, now time.Time) time.Time {
	if until.Before(now) {
		return time.Time{}
	}
	if latest := now.Add(longestRefusal); until.After(latest) {
		return latest
	}
	return until
}

package templates

import "github.com/a-h/templ"

// field is one labelled input.
type field struct {
	id       string
	name     string
	label    string
	value    string
	format   string // empty: text
	hint     string
	fault    string
	complete string // autocomplete; empty: off
	optional bool
	numeric  bool
	focus    bool
}

func (f field) kind() string {
	if f.format == "" {
		return "text"
	}
	return f.format
}

func (f field) attributes() templ.Attributes {
	attributes := described(f.id, f.hint != "", f.fault)
	attributes["autocomplete"] = "off"
	if f.complete != "" {
		attributes["autocomplete"] = f.complete
	}
	if !f.optional {
		attributes["required"] = true
	}
	if f.numeric {
		attributes["inputmode"] = "numeric"
	}
	if f.focus {
		attributes["autofocus"] = true
	}
	if f.kind() == "text" {
		attributes["autocapitalize"] = "none"
		attributes["spellcheck"] = "false"
	}
	return attributes
}

// described ties an input to its hint and to its fault, which the page opens at.
func described(id string, hint bool, fault string) templ.Attributes {
	attributes := templ.Attributes{}
	var by string
	if hint {
		by = id + "-hint"
	}
	if fault != "" {
		attributes["aria-invalid"] = "true"
		attributes["autofocus"] = true
		if by != "" {
			by += " "
		}
		by += id + "-fault"
	}
	if by != "" {
		attributes["aria-describedby"] = by
	}
	return attributes
}

// currentPage marks the link to the page that is shown.
func currentPage(current bool) templ.Attributes {
	if !current {
		return nil
	}
	return templ.Attributes{"aria-current": "page"}
}

// heading is the title of the browser's window.
func (s Shell) heading() string {
	title := "berth"
	if s.Zone != "" {
		title = s.Zone
	}
	if s.Title != "" {
		title = s.Title + " · " + title
	}
	return title
}

// events is the address of the event stream, for those who are logged in.
func (s Shell) events() string {
	if s.Account == "" {
		return ""
	}
	return PathEvents
}

func (n Notice) tone() string {
	switch n.Kind {
	case NoticeSuccess:
		return "ok"
	case NoticeError:
		return "bad"
	}
	return "info"
}

func (n Notice) role() string {
	if n.Kind == NoticeError {
		return "alert"
	}
	return "status"
}

func (n Notice) icon() string {
	switch n.Kind {
	case NoticeSuccess:
		return "check"
	case NoticeError:
		return "alert"
	}
	return "info"
}

// quotaSites and quotaBytes say what is used of what is allowed.
func quotaSites(q QuotaUse) string {
	if q.MaxSites <= 0 {
		return plural(int64(q.Sites), "site")
	}
	return number(int64(q.Sites)) + " of " + plural(int64(q.MaxSites), "site")
}

func quotaBytes(q QuotaUse) string {
	if q.MaxBytes <= 0 {
		return size(q.Bytes) + " stored"
	}
	return size(q.Bytes) + " of " + size(q.MaxBytes) + " stored"
}

// appURL has a prefix of its own, so that it leads to nothing but an app.
func (v TwoStepView) appURL() templ.SafeURL { return templ.SafeURL("otpauth:" + v.URI) }

// faultOf is what is wrong with the password in the form that turns two-step login off, or in that for new codes.
func (v TwoStepView) faultOf(off bool) string {
	if v.FaultyOff != off {
		return ""
	}
	return v.Faults["current"]
}

package rules

import (
	"net/url"
	"slices"
	"strings"
)

// Redirect is what a rule of _redirects says of a request.
type Redirect struct {
	Status   int    // 200 and 404: the answer is the file at Path, with that status; else: the client is sent to Location
	Location string // escaped; set where Status is 3xx
	Path     string // where the rule leads on this site, decoded; empty: elsewhere
	Force    bool   // it goes before a file that is there
	Again    bool   // a request for Path meets the same rule: unless there is a file, it must not be followed
}

// Rewrites reports whether the answer is a file, in contrast to sending the client elsewhere.
func (r Redirect) Rewrites() bool { return r.Status < 300 || r.Status >= 400 }

// redirects is the rules of _redirects in their order, of which the first that a request meets counts.
type redirects struct {
	rules []*redirect
	exact map[string]int   // by path: the first rule that is met by that path alone and whatever the query
	heads map[string][]int // other rules by their first segment
	loose []int            // other rules that have none
	all   int              // line of the rule that is met by all requests; 0: none

	compared int // how often a rule was compared, at most, to find circles
}

// redirect is one rule.
type redirect struct {
	line   int
	from   pattern
	params []param
	to     target
	status int
	force  bool
}

// param is a parameter that the query must have.
type param struct {
	name  string
	value string // what it must be; empty: it is captured
}

// Redirect returns what the first rule says that a request meets. The path is decoded and absolute, without empty segments; the
// query is as it came.
func (s *Set) Redirect(path, query string) (Redirect, bool) {
	rule, values := s.redirects.find(trimSlash(path), query)
	if rule == nil {
		return Redirect{}, false
	}
	r := Redirect{Status: rule.status, Force: rule.force, Path: rule.to.local(values)}
	if !r.Rewrites() {
		r.Location = rule.to.location(values, rule.pass(query))
		r.Again = rule.meets(r.Location, r.Path)
	}
	return r, true
}

// find needs a trimmed path.
func (r *redirects) find(path, query string) (*redirect, []string) {
	if len(r.rules) == 0 {
		return nil, nil
	}
	last, isExact := len(r.rules), false
	if i, ok := r.exact[path]; ok {
		last, isExact = i, true
	}
	asked := asked{raw: query}
	headed, loose := r.heads[segmentOf(path)], r.loose
	for len(headed)+len(loose) > 0 {
		next := &headed
		if len(headed) == 0 || len(loose) > 0 && loose[0] < headed[0] {
			next = &loose
		}
		i := (*next)[0]
		*next = (*next)[1:]
		if i > last {
			break
		}
		if values, ok := r.rules[i].match(path, &asked); ok {
			return r.rules[i], values
		}
	}
	if isExact {
		return r.rules[last], nil
	}
	return nil, nil
}

// asked is the query of a request, which is read when a rule needs it.
type asked struct {
	raw    string
	values url.Values
}

func (a *asked) get(name string) (string, bool) {
	if a.values == nil {
		a.values, _ = url.ParseQuery(a.raw) // what cannot be read is not there
	}
	found := a.values[name]
	if len(found) == 0 {
		return "", false
	}
	return found[0], true
}

func (r *redirect) match(path string, query *asked) ([]string, bool) {
	var room [mostNames]string
	values, ok := r.from.match(path, room[:0])
	if !ok {
		return nil, false
	}
	for _, p := range r.params {
		value, ok := query.get(p.name)
		switch {
		case !ok || p.value != "" && value != p.value || value == "":
			return nil, false
		case p.value == "":
			values = append(values, value)
		}
	}
	return slices.Clone(values), true
}

// pass is what of the query goes along to the target: all but what the rule has looked at.
func (r *redirect) pass(query string) string {
	if len(r.params) == 0 || query == "" {
		return query
	}
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(pair, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil || !slices.ContainsFunc(r.params, func(p param) bool { return p.name == decoded }) {
			kept = append(kept, pair)
		}
	}
	return strings.Join(kept, "&")
}

// meets reports whether a request for where the rule leads would meet it again.
func (r *redirect) meets(location, path string) bool {
	if path == "" {
		return false
	}
	location, _, _ = strings.Cut(location, "#")
	_, query, _ := strings.Cut(location, "?")
	_, again := r.match(trimSlash(path), &asked{raw: query})
	return again
}

package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// parseRedirects reads _redirects: lines of a path, parameters, a target, a status.
func parseRedirects(content []byte) (redirects, []Fault) {
	report := report{file: RedirectsFile, mostLine: mostRuleLine}
	r := redirects{exact: make(map[string]int), heads: make(map[string][]int)}
	patterns := 0
	for l := range report.lines(content) {
		rule, err := parseRedirect(l)
		if err == nil {
			err = r.accept(rule, patterns)
		}
		switch {
		case err == nil && !r.add(rule):
			patterns++
		case err != nil:
			report.add(l.number, err)
		}
		if err != nil && len(r.rules) == mostRules {
			break
		}
	}
	return r, report.faults
}

// accept says why a rule that is well written would be without effect, or do harm.
func (r *redirects) accept(rule *redirect, patterns int) error {
	if len(r.rules) == mostRules {
		return wrong("The file has more than %d rules. This one and those below have no effect; use * and placeholders.", mostRules)
	}
	path, exact := rule.from.exact()
	if earlier, ok := r.exact[path]; exact && ok {
		return wrong("Line %d is about the same path, and the first rule counts.", r.rules[earlier].line)
	}
	if r.all > 0 {
		return wrong("Line %d is about all paths, and the first rule counts. Move this line up.", r.all)
	}
	if (!exact || len(rule.params) > 0) && patterns == mostPatterns {
		return wrong("The file has more than %d rules with *, placeholders or parameters.", mostPatterns)
	}
	return r.circle(rule)
}

// add takes in a rule and reports whether it is found by its path alone.
func (r *redirects) add(rule *redirect) (exact bool) {
	i := len(r.rules)
	r.rules = append(r.rules, rule)
	path, exact := rule.from.exact()
	if rule.from.everything() && len(rule.params) == 0 {
		r.all = rule.line
	}
	switch segment := rule.from.firstSegment(); {
	case exact && len(rule.params) == 0:
		r.exact[path] = i
		return true
	case segment == "":
		r.loose = append(r.loose, i)
	default:
		r.heads[segment] = append(r.heads[segment], i)
	}
	return false
}

// circle refuses a rule that sends clients round, by itself or with those before it. What a file at the target would end
// is accepted here; Redirect.Again is for the requests where there is none. In a file of very many patterns that lead to each other, a
// circle can stay unseen: looking on would take seconds.
func (r *redirects) circle(rule *redirect) error {
	if rule.rewrites() {
		return nil
	}
	path, location := rule.sample()
	_, exact := rule.from.exact()
	if rule.meets(location, path) {
		if exact || rule.force {
			return wrong("The rule leads to itself. A slash at the end is added and removed without rules.")
		}
		return nil
	}
	const hops = 8
	for range hops {
		if path == "" || r.compared > mostCompared {
			return nil
		}
		path = trimSlash(path)
		r.compared += 1 + len(r.heads[segmentOf(path)]) + len(r.loose)
		next, values := r.find(path, "")
		if next == nil || next.rewrites() {
			return nil
		}
		path = next.to.local(values)
		if rule.meets(next.to.location(values, ""), path) {
			return wrong("The rule sends visitors round in a circle with line %d.", next.line)
		}
	}
	return nil
}

func (r *redirect) rewrites() bool { return Redirect{Status: r.status}.Rewrites() }

// sample is where the rule leads a request that is like no other.
func (r *redirect) sample() (path, location string) {
	var values []string
	for i := range r.from.names {
		values = append(values, fmt.Sprintf("sample-%d", i))
	}
	for i, p := range r.params {
		if p.value == "" {
			values = append(values, fmt.Sprintf("parameter-%d", i))
		}
	}
	return r.to.local(values), r.to.location(values, "")
}

// parseRedirect reads one rule. The error is a sentence.
func parseRedirect(l line) (*redirect, error) {
	words := strings.Fields(l.text)
	if comment := slices.IndexFunc(words, func(w string) bool { return w[0] == '#' }); comment >= 0 {
		words = words[:comment]
	}
	rule := &redirect{line: l.number, status: 301}
	if words[0][0] != '/' {
		return nil, notPath(words[0])
	}
	at := 1 + slices.IndexFunc(words[1:], isTarget)
	if at == 0 {
		return nil, wrong("The line has no target, which begins with /, https:// or http://.")
	}
	var err error
	if rule.from, err = parsePattern(words[0]); err != nil {
		return nil, err
	}
	if len(rule.from.tail) > 0 {
		return nil, wrong("In _redirects the * is the last of a path.")
	}
	names := slices.Clone(rule.from.names)
	if rule.params, names, err = parseParams(words[1:at], names); err != nil {
		return nil, err
	}
	if rule.to, err = parseTarget(words[at], names); err != nil {
		return nil, err
	}
	if err := rule.parseStatus(words[at+1:]); err != nil {
		return nil, err
	}
	return rule, rule.check()
}

func isTarget(word string) bool {
	return word[0] == '/' || strings.Contains(word, "://") && !strings.Contains(strings.SplitN(word, "://", 2)[0], "=")
}

func notPath(word string) error {
	if strings.Contains(word, "://") {
		return wrong("A rule begins with a path of this site, such as /old. It counts for all hosts of the site.")
	}
	return wrong("A rule begins with a path, such as /old, and not with %s.", quote(word))
}

// parseParams reads words such as id=:id, and adds what they capture to names.
func parseParams(words, names []string) ([]param, []string, error) {
	var params []param
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name == "" || value == "" {
			return nil, nil, wrong("Between path and target come parameters, such as id=:id, and not %s.", quote(word))
		}
		p := param{name: name, value: value}
		if captured, ok := strings.CutPrefix(value, ":"); ok && captured != "" && nameLength(captured) == len(captured) {
			if captured == splat || slices.Contains(names, captured) {
				return nil, nil, wrong("The placeholder :%s is there twice. Give each its own name.", captured)
			}
			names, p.value = append(names, captured), ""
		}
		params = append(params, p)
	}
	if len(params) > mostNames {
		return nil, nil, wrong("The rule has more than %d parameters.", mostNames)
	}
	return params, names, nil
}

// parseStatus reads what comes behind the target.
func (r *redirect) parseStatus(words []string) error {
	if len(words) > 0 && !strings.Contains(words[0], "=") {
		status, force := strings.CutSuffix(words[0], "!")
		known := []int{200, 301, 302, 303, 307, 308, 404}
		at := slices.IndexFunc(known, func(k int) bool { return strconv.Itoa(k) == status })
		if at < 0 {
			return wrong("%s is no status that a rule can have. Those are 200, 301, 302, 303, 307, 308 and 404, with a ! to go before a file.", quote(words[0]))
		}
		r.status, r.force = known[at], force
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	name, _, condition := strings.Cut(words[0], "=")
	if condition && slices.Contains([]string{"country", "language", "role", "cookie", "signed"}, strings.ToLower(name)) {
		return wrong("The condition %s is not supported here. Without it the rule would hold for everybody, so it has no effect.", quote(name))
	}
	return wrong("%s at the end of the line is not understood. Behind the target comes a status, and nothing else.", quote(words[0]))
}

// check refuses what fits together in no rule.
func (r *redirect) check() error {
	if !r.rewrites() {
		return nil
	}
	if r.to.origin != "" {
		return wrong("A rule with status %d answers with a file of this site. Another site's pages are not fetched; a redirect, such as 302, can lead there.", r.status)
	}
	if r.to.query != nil || r.to.fragment != nil {
		return wrong("A rule with status %d answers with a file, whose path has no ? and no #.", r.status)
	}
	path, _ := r.sample()
	switch {
	case strings.HasPrefix(path, "/.netlify/"):
		return wrong("This server has no Netlify functions, so nothing is below /.netlify/.")
	case hidden(path), slices.Contains(Names(), strings.TrimPrefix(path, "/")):
		return wrong("The rule leads to a file that is never served: its name begins with a dot, or it has rules.")
	}
	return nil
}

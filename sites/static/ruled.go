package static

import (
	"log/slog"
	"net/http"
	"slices"

	"berth/sites/static/rules"
)

// ruled returns the rules of the release, which are read when the first request wants them. What could not be read is
// tried again by the next one.
func (h *Handler) ruled() (*rules.Set, error) {
	if set := h.rules.Load(); set != nil {
		return set, nil
	}
	h.reading.Lock()
	defer h.reading.Unlock()
	if set := h.rules.Load(); set != nil {
		return set, nil
	}
	set, _, err := rules.Read(h.root.FS())
	if err != nil && isMissing(err) { // such as a link that leads out
		set, err = new(rules.Set), nil
	}
	if err == nil {
		h.rules.Store(set)
	}
	return set, err
}

// isRules reports whether a name below the root is a file of rules, which is never served.
func isRules(name string) bool { return slices.Contains(rules.Names(), name) }

// answer looks a path up: a rule with force, the file, any other rule, in this order.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, path string, set *rules.Set) {
	rule, met := set.Redirect(path, r.URL.RawQuery)
	if !met || !rule.Force {
		found, err := h.find(path)
		if err == nil || !isMissing(err) || !met {
			h.give(w, r, found, err)
			return
		}
	}
	switch {
	case rule.Rewrites():
		h.rewrite(w, r, rule)
	case rule.Again && !h.leads(rule.Path):
		h.notFound(w, r)
	default:
		h.redirect(w, r, rule.Location, rule.Status)
	}
}

// give answers with what find has found.
func (h *Handler) give(w http.ResponseWriter, r *http.Request, found found, err error) {
	switch {
	case err == nil && found.redirect != "":
		h.redirectPath(w, r, found.redirect)
	case err == nil:
		h.serve(w, r, found.page)
	case isMissing(err):
		h.notFound(w, r)
	default:
		h.fail(w, r, err)
	}
}

// rewrite answers with the file that a rule names.
func (h *Handler) rewrite(w http.ResponseWriter, r *http.Request, rule rules.Redirect) {
	if !visible(rule.Path) {
		h.notFound(w, r)
		return
	}
	found, err := h.find(rule.Path)
	if err == nil && found.redirect != "" {
		found, err = h.find(found.redirect)
	}
	switch {
	case err == nil && rule.Status == http.StatusNotFound:
		h.record(r, slog.LevelInfo, http.StatusNotFound, nil)
		h.serveNotFound(w, r, found.page)
	default:
		h.give(w, r, found, err)
	}
}

// leads reports whether there is something at a path without a rule.
func (h *Handler) leads(path string) bool {
	if !visible(path) {
		return false
	}
	found, err := h.find(path)
	if err != nil {
		return false
	}
	if found.redirect == "" {
		_ = found.page.Close() // it was only read from
	}
	return true
}

// dress adds what _headers says of the requested path, over what is set already. What is about the file is left out of
// answers without it.
func (h *Handler) dress(w http.ResponseWriter, r *http.Request, withFile bool) {
	set := h.rules.Load()
	if set == nil {
		return
	}
	header := w.Header()
	for field := range set.Fields(r.URL.Path) {
		switch {
		case field.OfFile && !withFile:
		case field.AddsUp:
			header.Add(field.Name, field.Value)
		default:
			header.Set(field.Name, field.Value)
		}
	}
}

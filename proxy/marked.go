package proxy

import (
	"net/http"
	"strings"
)

// markedWriter is a response whose header the site's options have a word in, whatever the site itself says.
type markedWriter struct {
	http.ResponseWriter
	hsts      string // empty: as the site has it
	exclusive bool   // caches that several people share must not keep it
	began     bool
}

func marked(w http.ResponseWriter, hsts string, exclusive bool) http.ResponseWriter {
	if hsts == "" && !exclusive {
		return w
	}
	m := &markedWriter{ResponseWriter: w, hsts: hsts, exclusive: exclusive}
	m.mark() // for what is written past it, such as a change of protocol
	return m
}

func (w *markedWriter) mark() {
	h := w.Header()
	if w.hsts != "" {
		h["Strict-Transport-Security"] = []string{w.hsts}
	}
	if w.exclusive && w.began {
		keepPrivate(h)
	}
}

func (w *markedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *markedWriter) WriteHeader(status int) {
	if status >= http.StatusOK && !w.began {
		w.began = true
		w.mark()
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *markedWriter) Write(buf []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(buf)
}

func (w *markedWriter) FlushError() error {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush makes it an http.Flusher, which handlers may look for.
func (w *markedWriter) Flush() { _ = w.FlushError() }

// keepPrivate takes from a response what would let caches that several people share keep it (RFC 9111 section 5.2.2).
func keepPrivate(h http.Header) {
	kept := []string{"private"}
	for directive := range directives(h["Cache-Control"]) {
		name, _, _ := strings.Cut(directive, "=")
		switch strings.ToLower(name) {
		case "no-store":
			return // nobody keeps it at all
		case "", "public", "private", "s-maxage":
		default:
			kept = append(kept, directive)
		}
	}
	h["Cache-Control"] = []string{strings.Join(kept, ", ")}
	delete(h, "Cdn-Cache-Control") // outranks the other (RFC 9213)
}

// directives yields the members of a comma-separated field; commas in quotes separate nothing.
func directives(fields []string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, field := range fields {
			quoted, from := false, 0
			for i := range len(field) {
				if field[i] == '"' {
					quoted = !quoted
				}
				if field[i] != ',' || quoted {
					continue
				}
				if !yield(strings.TrimSpace(field[from:i])) {
					return
				}
				from = i + 1
			}
			if !yield(strings.TrimSpace(field[from:])) {
				return
			}
		}
	}
}

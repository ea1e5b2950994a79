package static

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	"berth/sites/static/rules"
)

const (
	methods = "GET, HEAD, OPTIONS"
	// A browser may keep what it gets and must ask each time whether it is still right: the next release may be
	// active by then. Redirects bear it too, else a browser would follow them in the next release for ever.
	cacheControl = "public, max-age=0, must-revalidate"
	// The cache in front of the instance drops a release's responses when another becomes active (RFC 9213), so that it
	// may keep them as long as it likes, and answer when the instance does not.
	edgeControl = "max-age=31536000, stale-if-error=31536000"
	// Any path can be asked for, and the owner of a site wants to read in the log which one is missing.
	edgeControlMissing = "max-age=60, stale-if-error=31536000"
)

// Handler serves one directory.
type Handler struct {
	root    *os.Root
	log     *slog.Logger
	survey  *Survey
	reading sync.Mutex // of rules
	rules   atomic.Pointer[rules.Set]
}

// New returns a handler of the files below dir. The log gets a line for each request answered with 404 or 5xx,
// which is what the owner of a site looks for; it may be nil. The handler holds one file descriptor and no list of
// files until it is closed.
func New(dir string, log *slog.Logger) (*Handler, error) { return NewSurveyed(dir, log, new(Survey)) }

// NewSurveyed is New for a directory that may have been served before: what was found out about it then is in survey,
// and what is found out now is kept there.
func NewSurveyed(dir string, log *slog.Logger, survey *Survey) (*Handler, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("serve directory: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Handler{root: root, log: log, survey: survey}, nil
}

// Close gives the directory back. Requests that come later are answered with 503.
func (h *Handler) Close() error { return h.root.Close() }

// ServeHTTP answers GET and HEAD with files, OPTIONS with the methods there are.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		h.get(w, r)
	case http.MethodOptions:
		w.Header().Set("Allow", methods)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.Header().Set("Allow", methods)
		http.Error(w, "This site is made of files, which can be read and nothing else.", http.StatusMethodNotAllowed)
	}
}

func (h *Handler) get(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if path == "" {
		path = "/"
	}
	set, err := h.ruled()
	switch {
	case err != nil:
		h.fail(w, r, err)
	case !visible(path) || hasEncodedSlash(r.URL) || isRules(path[1:]):
		h.notFound(w, r)
	case strings.Contains(path, "//"):
		h.redirectPath(w, r, mergeSlashes(path))
	default:
		h.answer(w, r, path, set)
	}
}

// keep says for how long browsers and the edge may use a response.
func keep(h http.Header, edge string) {
	h.Set("Cache-Control", cacheControl)
	h.Set("CDN-Cache-Control", edge)
}

// redirectPath sends the client to another path of the same site. The path begins with exactly one slash, so it cannot
// be taken for another host.
func (h *Handler) redirectPath(w http.ResponseWriter, r *http.Request, path string) {
	to := url.URL{Path: path, RawQuery: r.URL.RawQuery}
	h.redirect(w, r, to.String(), http.StatusPermanentRedirect)
}

// redirect sends the client to a location, which is escaped.
func (h *Handler) redirect(w http.ResponseWriter, r *http.Request, location string, status int) {
	keep(w.Header(), edgeControl)
	h.dress(w, r, false)
	http.Redirect(w, r, location, status)
}

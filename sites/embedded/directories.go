package embedded

import (
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"berth/sites/static"
)

// mostOpen is how many release directories are kept open; each costs a file descriptor.
const mostOpen = 1000

// Handler returns a handler for the files of a release. It needs no closing: its directory is opened when requests
// come, and closed when many others are in demand or its instance is stopped.
func (r *Runtime) Handler(root string) (http.Handler, error) {
	h := &handler{runtime: r, root: root}
	d, err := h.acquire()
	if err != nil {
		return nil, err
	}
	return h, d.release()
}

// handler serves one release from whatever directory is open for it.
type handler struct {
	runtime *Runtime
	root    string
	survey  static.Survey // outlives the directories
	current atomic.Pointer[directory]
}

func (h *handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	d, err := h.acquire()
	if err != nil {
		h.runtime.log.Error("opening a release's directory failed", "root", h.root, "error", err)
		http.Error(w, "The files of this site cannot be read at the moment. Please try again.", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		if err := d.release(); err != nil {
			h.runtime.log.Error("closing a release's directory failed", "root", h.root, "error", err)
		}
	}()
	d.files.ServeHTTP(w, req)
}

// acquire returns the open directory. It must be released.
func (h *handler) acquire() (*directory, error) {
	if d := h.current.Load(); d != nil && d.retain() {
		if !d.used.Load() {
			d.used.Store(true)
		}
		return d, nil
	}
	return h.runtime.directories.open(h)
}

// directory is an open release. It is closed by whoever lets go of it last.
type directory struct {
	root  string
	files *static.Handler
	users atomic.Int64 // requests, and one for being among directories.kept; 0: closed
	used  atomic.Bool  // since the last look for one to close
}

// retain returns false when it is too late.
func (d *directory) retain() bool {
	for {
		n := d.users.Load()
		if n == 0 {
			return false
		}
		if d.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (d *directory) release() error {
	if d.users.Add(-1) == 0 {
		return d.files.Close()
	}
	return nil
}

// directories bounds how many are open, beside those that have requests in flight. It is safe for concurrent use.
type directories struct {
	most   int
	mu     sync.Mutex
	kept   []*directory
	hand   int // goes round kept, looking for one that was not used since it came by last
	closed bool
}

var errClosed = errors.New("the runtime is closed")

// open opens the handler's directory, or returns the one that another request has opened meanwhile.
func (ds *directories) open(h *handler) (*directory, error) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	if d := h.current.Load(); d != nil && d.retain() {
		return d, nil
	}
	if ds.closed {
		return nil, errClosed
	}
	log := slog.New(slog.NewTextHandler(journal{h.runtime, h.root}, nil))
	files, err := static.NewSurveyed(h.root, log, &h.survey)
	if err != nil {
		return nil, err
	}
	d := &directory{root: h.root, files: files}
	d.users.Store(2)
	h.current.Store(d)
	ds.keep(d)
	return d, nil
}

// keep needs ds.mu.
func (ds *directories) keep(d *directory) {
	if len(ds.kept) < ds.most {
		ds.kept = append(ds.kept, d)
		return
	}
	for {
		ds.hand = (ds.hand + 1) % len(ds.kept)
		if old := ds.kept[ds.hand]; !old.used.Swap(false) {
			ds.kept[ds.hand] = d
			_ = old.release() // it was only read from
			return
		}
	}
}

// drop lets go of the directories of a root.
func (ds *directories) drop(root string) {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.kept = slices.DeleteFunc(ds.kept, func(d *directory) bool {
		if d.root != root {
			return false
		}
		_ = d.release() // it was only read from
		return true
	})
}

func (ds *directories) close() error {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	var errs []error
	for _, d := range ds.kept {
		errs = append(errs, d.release())
	}
	ds.kept, ds.closed = nil, true
	return errors.Join(errs...)
}

package proxy

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
)

// files serves the directory of a release from this process. The handler is made when it is first needed, since most
// releases have an instance that serves them.
type files struct {
	root string
	open func(root string) (http.Handler, error)

	opening sync.Mutex
	opened  atomic.Pointer[http.Handler]
}

func (f *files) handler() (http.Handler, error) {
	if h := f.opened.Load(); h != nil {
		return *h, nil
	}
	f.opening.Lock()
	defer f.opening.Unlock()
	if h := f.opened.Load(); h != nil {
		return *h, nil
	}
	h, err := f.open(f.root)
	if err != nil {
		return nil, fmt.Errorf("open release directory: %w", err)
	}
	f.opened.Store(&h)
	return h, nil
}

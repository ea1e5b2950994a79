package sites

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Runtime starts and stops releases. Implementations are safe for concurrent use.
type Runtime interface {
	// Start starts an instance of the release and returns once it answers requests. On an error nothing of
	// it is left behind. The error is a *Refusal where a person can act on it.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// Stop stops and removes the instance. An instance that does not exist is no error.
	Stop(ctx context.Context, id string) error
	// Instances lists what this installation has running.
	Instances(ctx context.Context) ([]Instance, error)
	// Logs copies the instance's output to w, oldest line first.
	Logs(ctx context.Context, id string, q LogQuery, w io.Writer) error
	// Watch calls changed whenever something happened to this installation's instances that berth did not
	// do itself, and when the engine comes back. It returns when ctx is done.
	Watch(ctx context.Context, changed func())
	// Info describes the runtime for the status page; it asks the engine.
	Info(ctx context.Context) RuntimeInfo
}

// Spec is what a Runtime starts.
type Spec struct {
	Site     SiteID
	Name     string
	Release  int
	Root     string // directory with the release's files, absolute
	Template Template
	Limits   Limits
}

// Instance is one running release.
type Instance struct {
	ID        string
	Site      SiteID
	Release   int
	Addr      netip.AddrPort // zero: served in this process from the release's directory
	Limits    Limits         // what it was started with
	StartedAt time.Time
	Stale     bool // made by another version of berth; works, but should be replaced
}

// LogQuery selects lines of an instance's output.
type LogQuery struct {
	Tail   int  // last lines; 0 means 100
	Follow bool // go on until ctx is done or the instance ends
}

// RuntimeInfo describes a runtime.
type RuntimeInfo struct {
	Name    string // "docker" or "embedded"
	Version string
	Err     string // why it does not answer; a sentence for people, empty when it does
}

// Drainer waits for the requests in flight at an instance that is no longer published.
type Drainer interface {
	// Drain returns when no request is in flight at addr, or with ctx's error.
	Drain(ctx context.Context, addr netip.AddrPort) error
}

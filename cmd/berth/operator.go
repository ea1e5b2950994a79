package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// operatorSocket is where a service answers whoever may open it: in its data directory, with mode 0600.
func operatorSocket(dataDir string) string { return filepath.Join(dataDir, "operator.sock") }

// listenOperator binds the operator's socket. Who has locked the data directory calls it: what lies there is of a service that is gone.
func listenOperator(ctx context.Context, dataDir string) (net.Listener, error) {
	path := operatorSocket(dataDir)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of an earlier start: %w", err)
	}
	// Between bind and chmod, others could connect. Nothing else runs yet that makes files.
	before := unix.Umask(0o177)
	defer unix.Umask(before)
	var lc net.ListenConfig
	l, err := nearby(dataDir, func(dir string) (net.Listener, error) { return lc.Listen(ctx, "unix", operatorSocket(dir)) })
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // it knows another path
	return ownedSocket{l, path}, nil
}

// ownedSocket is a listener whose file goes with it.
type ownedSocket struct {
	net.Listener
	path string
}

func (s ownedSocket) Close() error {
	err := os.Remove(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // it is closed already
	}
	return errors.Join(err, s.Listener.Close())
}

// dialOperator connects to the service of a data directory.
func dialOperator(ctx context.Context, dataDir string) (net.Conn, error) {
	var d net.Dialer
	return nearby(dataDir, func(dir string) (net.Conn, error) { return d.DialContext(ctx, "unix", operatorSocket(dir)) })
}

// nearby calls fn with a short name of the directory: the path of a socket can have 107 bytes (unix(7)).
func nearby[T any](dir string, fn func(dir string) (T, error)) (T, error) {
	f, err := os.Open(dir)
	if err != nil {
		var none T
		return none, err
	}
	defer func() { _ = f.Close() }()
	return fn(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// serveOperator answers the operator by the REST API until ctx is done.
func (p *program) serveOperator(ctx context.Context) error {
	return serveHTTP(ctx, []net.Listener{p.bound.operator}, p.panel.Operator(), operatorWait, p.log)
}

// operatorWait bounds what is under way when the service stops.
const operatorWait = 5 * time.Second

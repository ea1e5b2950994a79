package origin

import (
	"errors"
	"io"
	"sync/atomic"
)

// body is the body of a response, at whose end the connection is given back.
type body struct {
	io.ReadCloser // framed
	conn          *conn
	sent          *sending
	watch         watch
	last          bool // the connection serves no further request
	over          atomic.Bool
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.finish(err == io.EOF)
	}
	return n, err
}

// Ready reports whether something of the body has come already.
func (b *body) Ready() bool { return !b.over.Load() && b.conn.in.Buffered() > 0 }

// Await returns when something of the body has come, or Read would return in vain.
func (b *body) Await() {
	if !b.over.Load() {
		_, _ = b.conn.in.Peek(1) // Read finds out the error
	}
}

// Close gives up what has not been read yet, with the connection.
func (b *body) Close() error {
	b.finish(false)
	return nil
}

// finish lets go of the connection, once. It is kept when the request is sent whole, too, which may be a moment after the
// end of the response.
func (b *body) finish(whole bool) {
	if b.over.Swap(true) {
		return
	}
	undisturbed := b.watch.end()
	if !whole || !undisturbed || b.last || b.conn.in.Buffered() > 0 {
		b.conn.transport.drop(b.conn)
		return
	}
	b.sent.whenOver(func(sent bool) {
		if sent {
			b.conn.transport.keep(b.conn)
		} else {
			b.conn.transport.drop(b.conn)
		}
	})
}

// upgraded is the connection after a 101: bytes in both directions until one side closes.
type upgraded struct {
	conn  *conn
	watch watch
	over  atomic.Bool
}

func (u *upgraded) Read(p []byte) (int, error)  { return u.conn.in.Read(p) }
func (u *upgraded) Write(p []byte) (int, error) { return u.conn.Write(p) }

// CloseWrite ends one direction.
func (u *upgraded) CloseWrite() error {
	half, ok := u.conn.Conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.ErrUnsupported
	}
	return half.CloseWrite()
}

func (u *upgraded) Close() error {
	if !u.over.Swap(true) {
		u.watch.end()
		u.conn.transport.drop(u.conn)
	}
	return nil
}

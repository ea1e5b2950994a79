package dnsserver

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// newTLS is how DNS over TLS is spoken (RFC 7858, RFC 8310).
func newTLS(certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"dot"}, GetCertificate: certificate}
}

// serveTCP serves the connections of a listener, each in a goroutine, and returns when all have ended.
func (s *Server) serveTCP(ctx context.Context, listener net.Listener, via transport) error {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	defer listener.Close()
	var serving sync.WaitGroup
	defer serving.Wait()
	for {
		conn, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("serve DNS on %s: %w", listener.Addr(), err)
		case err != nil: // such as no file descriptor being left
			pause(ctx, 50*time.Millisecond)
			continue
		}
		stream := s.newStream(conn, via)
		if !s.connections.enter(stream, s.limits) {
			_ = conn.Close()
			continue
		}
		serving.Go(func() {
			defer s.connections.leave(stream)
			s.serveStream(ctx, stream)
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

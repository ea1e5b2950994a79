package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"berth/sites/static"
)

type staticCommand struct {
	Dir    string `arg:"" help:"Directory to serve."`
	Listen string `env:"-" default:":8080" placeholder:"ADDR" help:"Address to listen on (${default})."`
}

func (s staticCommand) Run(ctx context.Context, c console) error {
	log := slog.New(slog.NewTextHandler(c.out, nil))
	handler, err := static.New(s.Dir, log)
	if err != nil {
		return err
	}
	defer handler.Close()
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", s.Listen)
	if err != nil {
		return explainBind(err, "--listen", s.Listen, "TCP")
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       10 * time.Minute, // berth's proxy is the only client and closes first
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("serving", "dir", s.Dir, "addr", listener.Addr())
	return serveUntil(ctx, server, listener)
}

// serveUntil serves until ctx is done and lets requests in flight finish.
func serveUntil(ctx context.Context, server *http.Server, l net.Listener) error {
	drained := make(chan error, 1)
	go func() {
		<-ctx.Done()
		deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		drained <- server.Shutdown(deadline)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return <-drained
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// adminWait bounds what is under way when the service stops; a profile may take half a minute.
const adminWait = 2 * time.Second

// serveAdmin answers operators' tools on --admin-addr until ctx is done.
func (p *program) serveAdmin(ctx context.Context) error {
	if len(p.bound.admin) == 0 {
		return nil
	}
	warnOfOpenAdmin(p.bound.admin, p.log)
	return serveHTTP(ctx, p.bound.admin, adminHandler(p.registry(), p.log), adminWait, p.log)
}

// serveHTTP answers on the listeners until ctx is done, and gives what is under way then so much time.
func serveHTTP(ctx context.Context, listeners []net.Listener, handler http.Handler, patience time.Duration, log *slog.Logger) error {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	failed := make(chan error, len(listeners))
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() {
			if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("serve on %s: %w", l.Addr(), err)
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if server.Shutdown(end) != nil {
		_ = server.Close() // the listeners are closed already
	}
	accepting.Wait()
	return err
}

// warnOfOpenAdmin tells when others than this machine may reach what needs no login.
func warnOfOpenAdmin(listeners []net.Listener, log *slog.Logger) {
	for _, l := range listeners {
		addr, err := netip.ParseAddrPort(l.Addr().String())
		if err == nil && !addr.Addr().IsLoopback() {
			log.Warn("metrics and profiles are open to all who can reach this address", "address", l.Addr())
		}
	}
}

// adminHandler offers metrics, a sign of life and profiles, and takes nothing.
func adminHandler(registry *prometheus.Registry, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "alive\n") })
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// registry holds the metrics of this process and of what it serves.
func (p *program) registry() *prometheus.Registry {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newMetrics(p),
	)
	return registry
}

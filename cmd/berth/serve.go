package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"berth/sites"
	"berth/sites/backup"
)

type serveCommand struct{ config }

func (s serveCommand) Run(ctx context.Context, c console) error {
	if err := s.complete(); err != nil {
		return err
	}
	log := s.logger(c.err)
	return serve(ctx, &s.config, log, func(p *program) error {
		warnIfNobodyCanLogIn(ctx, p, log)
		return nil
	})
}

// serve runs the service until ctx is done; started is called when everything is built and bound, before anything serves.
func serve(ctx context.Context, cfg *config, log *slog.Logger, started func(*program) error) (err error) {
	unlock, err := lockDataDir(cfg.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := backup.Sweep(cfg.DataDir); err != nil {
		log.Warn("removing what a backup has left failed", "error", err)
	}
	// quic-go writes past our log where UDP has small buffers, which docs/operating.md speaks of.
	if err := os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true"); err != nil {
		return err
	}
	trustPublicRoots()
	bound, err := bind(ctx, cfg)
	if err != nil {
		return err
	}
	if bound.operator, err = listenOperator(ctx, cfg.DataDir); err != nil {
		bound.close()
		return err
	}
	p, err := build(ctx, cfg, bound, log)
	if err != nil {
		bound.close()
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := started(p); err != nil {
		bound.close()
		return err
	}
	log.Info("berth is starting", "version", version, "zone", cfg.Zone, "panel", p.panelURL(), "runtime", p.runtimeNote)
	log.Info("listening", "http", listenAddrs(bound.http), "https", listenAddrs(bound.https), "http3", cfg.HTTP3, "dns", bound.dnsAddrs(), "dns_tls", listenAddrs(bound.dnsTLS), "admin", listenAddrs(bound.admin))
	if err := p.run(ctx); err != nil {
		return fmt.Errorf("stopped: %w", err)
	}
	log.Info("berth has stopped")
	return nil
}

func warnIfNobodyCanLogIn(ctx context.Context, p *program, log *slog.Logger) {
	accounts, err := p.service.Accounts(ctx, sites.Operator)
	if err == nil && len(accounts) == 0 {
		log.Warn("there is no account yet; add one with: berth user add NAME --admin --data-dir " + p.cfg.DataDir)
	}
}

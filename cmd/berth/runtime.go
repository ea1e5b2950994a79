package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"berth/sites"
	"berth/sites/docker"
)

// chooseRuntime follows --runtime. auto takes docker where the engine answers, and stays with it once an installation
// has used it: an engine that is down for a moment must not have its sites forgotten.
func (p *program) chooseRuntime(ctx context.Context) (sites.Runtime, error) {
	before, err := p.store.Setting(ctx, "runtime")
	if err != nil && !errors.Is(err, sites.ErrNotFound) {
		return nil, err
	}
	if p.cfg.Runtime == "embedded" {
		p.runtimeNote = "embedded, as --runtime says"
		if before == "docker" {
			p.leaveEngine(ctx)
		}
		return p.inProcess, nil
	}
	engine, err := p.engine(ctx, p.log)
	if err != nil {
		return nil, err
	}
	switch {
	case p.cfg.Runtime == "docker":
		p.runtimeNote = "docker, as --runtime says"
		return engine, p.put(ctx, "runtime", "docker")
	case before == "docker":
		p.runtimeNote = "docker, which this installation has used before"
		return engine, nil
	}
	// That there is none may well be meant, so it is nothing to warn of.
	asked, err := p.engine(ctx, slog.New(mild{p.log.Handler()}))
	if err != nil {
		return nil, err
	}
	if err := answers(ctx, asked); err != nil {
		p.runtimeNote = "embedded. " + whyNoEngine(err)
		return p.inProcess, nil
	}
	p.runtimeNote = "docker, because the engine answers"
	return engine, p.put(ctx, "runtime", "docker")
}

// answers asks an engine whether it can be used, and does not wait long for it.
func answers(ctx context.Context, engine *docker.Runtime) error {
	ping, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	return engine.Ping(ping)
}

// whyNoEngine is what people are told of an engine that cannot be used. Only the first sentence is about the engine; what
// follows is about sites that it ran.
func whyNoEngine(err error) string {
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) {
		return "No container engine answers."
	}
	first, _, _ := strings.Cut(refusal.Sentence, ". ")
	return strings.TrimSuffix(first, ".") + "."
}

// leaveEngine removes what an installation that now runs its sites in process has left on the engine: containers that would be
// started again for ever. Where the engine is away the next start tries again.
func (p *program) leaveEngine(ctx context.Context) {
	err := p.uninstall(ctx)
	if err == nil {
		err = p.put(ctx, "runtime", "embedded")
	}
	if err != nil {
		p.log.Warn("removing the containers of the docker runtime failed; it is tried again at the next start", "error", err)
	}
}

// uninstall removes all that the installation has on the engine.
func (p *program) uninstall(ctx context.Context) error {
	engine, err := p.engine(ctx, p.log)
	if err != nil {
		return err
	}
	if err := answers(ctx, engine); err != nil {
		return err
	}
	return engine.Uninstall(ctx)
}

// mild makes information of warnings.
type mild struct{ slog.Handler }

func (m mild) Enabled(ctx context.Context, level slog.Level) bool {
	return m.Handler.Enabled(ctx, min(level, slog.LevelInfo))
}

func (m mild) Handle(ctx context.Context, r slog.Record) error {
	r.Level = min(r.Level, slog.LevelInfo)
	return m.Handler.Handle(ctx, r)
}

func (p *program) engine(ctx context.Context, log *slog.Logger) (*docker.Runtime, error) {
	installation, err := p.installation(ctx)
	if err != nil {
		return nil, fmt.Errorf("installation id: %w", err)
	}
	return docker.New(docker.Config{
		Installation: installation,
		Version:      version,
		Pool:         p.cfg.NetworkPool,
		Logger:       log,
	})
}

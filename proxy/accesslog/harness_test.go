package accesslog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"
)

const patience = 30 * time.Second

// world is a Log with a directory of its own that runs.
type world struct {
	*Log
	t    *testing.T
	dir  string
	said *bytes.Buffer // guarded by the test's own order of things
	stop func()
}

func start(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{t: t, dir: cfg.DataDir, said: &bytes.Buffer{}}
	if w.dir == "" {
		w.dir = t.TempDir()
	}
	cfg.DataDir = w.dir
	if cfg.Format == "" {
		cfg.Format = Combined
	}
	if cfg.SiteBytes == 0 {
		cfg.SiteBytes = 1 << 20
	}
	if cfg.TotalBytes == 0 {
		cfg.TotalBytes = 1 << 30
	}
	cfg.Logger = slog.New(slog.NewTextHandler(w.said, nil))
	w.Log = New(cfg)
	if w.shelf != nil {
		w.shelf.free = func(string) (int64, error) { return 1 << 40, nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	w.stop = func() { cancel(); running.Wait() }
	t.Cleanup(w.stop)
	return w
}

// exist has just these sites exist.
func (w *world) exist(ids ...sites.SiteID) {
	ch := sites.Change{Full: true}
	for _, id := range ids {
		ch.Sites = append(ch.Sites, published(id))
	}
	w.Apply(ch)
}

func published(id sites.SiteID) sites.Published {
	name := siteName(id)
	return sites.Published{ID: id, Name: name, Hosts: []string{name + ".example.org"}}
}

func siteName(id sites.SiteID) string { return fmt.Sprintf("site%d", id) }

func (w *world) visit(id sites.SiteID, targets ...string) {
	hits := make([]sites.Hit, len(targets))
	for i, target := range targets {
		hits[i] = hitOf(id, siteName(id), target)
	}
	w.Take(hits)
}

// targets are what the lines of a text have asked for.
func targets(text string) (all []string) {
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, `"GET `)
		target, _, _ := strings.Cut(rest, " ")
		all = append(all, target)
	}
	return all
}

func (w *world) tail(id sites.SiteID, n int) []string {
	w.t.Helper()
	var out bytes.Buffer
	if err := w.Read(w.t.Context(), id, sites.LogQuery{Tail: n}, &out); err != nil {
		w.t.Fatal(err)
	}
	return targets(out.String())
}

// onDisk is what all files of a site hold together, and how many they are.
func (w *world) onDisk(id sites.SiteID) (bytes int64, files int) {
	w.t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.dir, "logs", dirName(siteName(id), id), "*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just gone
		}
		if err != nil {
			w.t.Fatal(err)
		}
		bytes += info.Size()
		files++
	}
	return bytes, files
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("in vain: %s", what)
		}
	}
}

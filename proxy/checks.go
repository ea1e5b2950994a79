package proxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"berth/proxy/origin"
)

// checksAtOnce bounds the checks under way.
const checksAtOnce = 16

// probe is what an instance is asked for in a check.
type probe struct{ host, path string }

// checkUntil asks the instances of sites that have several whether they answer, time and again until ctx is done. A site's
// only instance is not asked: whatever came of it, there would be no other.
func (u *upstreams) checkUntil(ctx context.Context) {
	tick := time.NewTicker(u.limits.check)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			u.checkAll(ctx)
		}
	}
}

func (u *upstreams) checkAll(ctx context.Context) {
	u.mu.Lock()
	list := slices.Collect(maps.Keys(u.checked))
	u.mu.Unlock()
	turns := make(chan struct{}, checksAtOnce)
	var wg sync.WaitGroup
	for _, up := range list {
		turns <- struct{}{}
		wg.Go(func() {
			u.check(ctx, up)
			<-turns
		})
	}
	wg.Wait()
}

func (u *upstreams) check(ctx context.Context, up *upstream) {
	probe := up.probe.Load()
	if probe == nil || up.closed() {
		return
	}
	err := u.ask(ctx, up, probe)
	switch {
	case ctx.Err() != nil || errors.Is(err, origin.ErrBusy):
		// That is not the instance's fault.
	case err != nil:
		if out := up.missed(time.Now(), u.limits.check); out > 0 {
			u.logger.Warn("an instance that does not answer is left out for a while", "host", probe.host, "address", up.target, "error", err)
		}
	case up.found():
		u.logger.Info("an instance answers again", "host", probe.host, "address", up.target)
	}
}

// ask returns nil when the instance answers with a status below 500.
func (u *upstreams) ask(ctx context.Context, up *upstream, probe *probe) error {
	ctx, cancel := context.WithTimeout(ctx, u.limits.answer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+up.target+probe.path, nil)
	if err != nil {
		return err
	}
	req.Host = probe.host
	req.Header = http.Header{"User-Agent": {"berth"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {probe.host}}
	res, err := u.checks.RoundTrip(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("%s answers %s", probe.path, res.Status)
	}
	return nil
}

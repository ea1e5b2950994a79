package panel

import (
	"context"
	"net/http"
	"sync"
	"time"

	"berth/sites"

	"golang.org/x/sync/singleflight"
)

// DNS is what the DNS server knows and the store does not.
type DNS interface {
	ZoneStatus(zone string) sites.ZoneStatus
	// NameAnswer is what the world is told here of a name.
	NameAnswer(name string) sites.NameAnswer
	// RegistrarLines are the records to enter at the zone's parent, in presentation format.
	RegistrarLines(zone string) (ns, glue, ds []string)
	// CheckDelegation asks the parent's nameservers and those that they name; it takes seconds.
	CheckDelegation(ctx context.Context, zone string) (sites.Delegation, error)
	// WatchQueries tells of the queries for a name and those below it until ctx is done; then the channel is closed. What is
	// not taken in time is dropped.
	WatchQueries(ctx context.Context, name string) <-chan sites.QueryLine
}

const (
	maxChecks    = 4 // delegations that are checked at a time
	checkTimeout = 30 * time.Second
)

// delegations checks how parents delegate the zones, and remembers what it found last. It is kept in memory only: it is a
// glance at the world, and another one is a click away.
type delegations struct {
	room    chan struct{}
	flights singleflight.Group // of recently
	mu      sync.Mutex
	found   map[string]checked
}

type checked struct {
	sites.Delegation
	at time.Time
}

func newDelegations() *delegations {
	return &delegations{room: make(chan struct{}, maxChecks), found: make(map[string]checked)}
}

// check asks the world about the zone; it is refused while too many others do.
func (d *delegations) check(ctx context.Context, dns DNS, zone string) (checked, error) {
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
	default:
		return checked{}, &outcome{status: http.StatusTooManyRequests, sentence: "Other delegations are being checked. Try again in a moment."}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	result, err := dns.CheckDelegation(ctx, zone)
	if err != nil {
		return checked{}, err
	}
	now := checked{Delegation: result, at: time.Now()}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.found[zone] = now
	return now, nil
}

// recent is how old the outcome of a check may be for who wants to know how a delegation is now.
const recent = time.Minute

// recently is what the last check found, or where that is too old, one of now, however many ask for it. Where there is no room for one or it
// fails, it is the last.
func (d *delegations) recently(ctx context.Context, dns DNS, zone string) checked {
	last := d.last(zone)
	if time.Since(last.at) < recent {
		return last
	}
	now, err, _ := d.flights.Do(zone, func() (any, error) { return d.check(ctx, dns, zone) })
	if err != nil {
		return last
	}
	return now.(checked)
}

// last is what the last check found.
func (d *delegations) last(zone string) checked {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.found[zone]
}

// forget drops what was found of a zone that is gone.
func (d *delegations) forget(zone string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.found, zone)
}

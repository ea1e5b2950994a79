package panel

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"berth/sites"
)

// nameserver is what the DNS server knows of the zones. It finds delegations as it is told to.
type nameserver struct {
	mu         sync.Mutex
	status     map[string]sites.ZoneStatus
	delegation sites.Delegation
	refuse     error
	queries    chan sites.QueryLine
	watched    string
}

func newNameserver() *nameserver {
	return &nameserver{status: map[string]sites.ZoneStatus{}, queries: make(chan sites.QueryLine)}
}

func (n *nameserver) ZoneStatus(zone string) sites.ZoneStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.status[zone]
}

// NameAnswer knows all names of the zone.
func (n *nameserver) NameAnswer(name string) sites.NameAnswer {
	if !strings.HasSuffix(name, testZone) {
		return sites.NameAnswer{}
	}
	return sites.NameAnswer{Zone: testZone, Exists: true, Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")}}
}

func (n *nameserver) RegistrarLines(zone string) (ns, glue, ds []string) {
	return []string{zone + ". NS ns1." + zone + "."}, []string{"ns1." + zone + ". A 198.51.100.7"}, []string{zone + ". DS 1 13 2 00FF"}
}

func (n *nameserver) CheckDelegation(context.Context, string) (sites.Delegation, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.delegation, n.refuse
}

func (n *nameserver) WatchQueries(ctx context.Context, name string) <-chan sites.QueryLine {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.watched = name
	lines := make(chan sites.QueryLine)
	go func() {
		defer close(lines)
		for {
			select {
			case line := <-n.queries:
				lines <- line
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}

// find has the next check find this.
func (n *nameserver) find(d sites.Delegation, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delegation, n.refuse = d, err
}

func (n *nameserver) know(zone string, s sites.ZoneStatus) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.status[zone] = s
}

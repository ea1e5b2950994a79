package acme

import "sync/atomic"

// Orders is how orders of certificates, renewals among them, have ended since the start.
type Orders struct {
	Issued uint64
	Failed uint64 // attempts; one order may take several
}

// Orders reads the counters.
func (m *Manager) Orders() Orders {
	return Orders{Issued: m.orders.issued.Load(), Failed: m.orders.failed.Load()}
}

// orders is what Orders is read from.
type orders struct{ issued, failed atomic.Uint64 }

// count counts an attempt at a certificate that the CA was asked for, or that failed before.
func (o *orders) count(asked bool, err error) {
	switch {
	case err != nil:
		o.failed.Add(1)
	case asked:
		o.issued.Add(1)
	}
}

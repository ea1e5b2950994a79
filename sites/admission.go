package sites

import "sync"

// How many uploads may be under way at a time, for one account and in all: each may take the full limit of disk and
// processor time.
const (
	uploadsPerAccount = 3
	uploadsInAll      = 12
)

// admission counts the uploads under way.
type admission struct {
	mu        sync.Mutex
	byAccount map[AccountID]int
	all       int
}

func newAdmission() admission { return admission{byAccount: make(map[AccountID]int)} }

// enter admits an upload, or refuses it. Each enter without an error is followed by one leave.
func (a *admission) enter(account AccountID) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.byAccount[account] >= uploadsPerAccount:
		return Refuse(ErrUnavailable, "%d uploads of yours are under way already. Wait until one has ended, then try again.", uploadsPerAccount)
	case a.all >= uploadsInAll:
		return Refuse(ErrUnavailable, "The server is busy with other uploads. Try again in a moment.")
	}
	a.byAccount[account]++
	a.all++
	return nil
}

// readmit counts an upload that was admitted before berth ended.
func (a *admission) readmit(account AccountID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byAccount[account]++
	a.all++
}

func (a *admission) leave(account AccountID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all--
	if a.byAccount[account]--; a.byAccount[account] == 0 {
		delete(a.byAccount, account)
	}
}

package sites

import (
	"testing"
	"time"
)

func TestExpiring(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		lifetime, left time.Duration
		want           bool
	}{
		{90 * day, 30 * day, false},
		{90 * day, 8 * day, false},
		{90 * day, 6 * day, true},
		{90 * day, -day, true},
		{45 * day, 8 * day, false},
		{45 * day, 6 * day, true},
		{6 * day, 2 * day, false},
		{6 * day, 14 * time.Hour, true},
		{10 * day, 6 * day, false},
	} {
		cert := Certificate{NotBefore: now.Add(c.left - c.lifetime), NotAfter: now.Add(c.left)}
		if got := cert.Expiring(now); got != c.want {
			t.Errorf("of %v, %v before its end: %v", c.lifetime, c.left, got)
		}
	}
	if (Certificate{}).Expiring(now) {
		t.Error("what does not exist is said to end")
	}
}

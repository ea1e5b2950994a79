package zone

import (
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// rolling is a zone with a zone-signing key that is about to follow another one.
func rolling(t *testing.T, names int) (z *Zone, c *clock, next *key) {
	t.Helper()
	c = &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	cfg := testConfig()
	cfg.Now = c.now
	z = newZone(t, cfg)
	before, after := newKeyPlan(t, 2, sites.ZoneSigning, c.at), newKeyPlan(t, 3, sites.ZoneSigning, c.at)
	after.ActiveAt = c.at.Add(time.Hour)
	before.RetiredAt, before.RemovedAt = after.ActiveAt, after.ActiveAt.Add(10*time.Hour)
	ch := signedBy(1, newKeyPlan(t, 1, sites.KeySigning, c.at), before, after)
	ch.Full, ch.Sites = true, published(siteNames(names)...)
	z.Apply(ch)
	next, err := newKey(after)
	if err != nil {
		t.Fatal(err)
	}
	return z, c, next
}

// bySigner counts the names that a key has signed the NSEC record of, and those that others have.
func bySigner(t *testing.T, z *Zone, k *key) (by, others int) {
	t.Helper()
	for key, sigs := range resolved(t, z.Current(), time.Time{}).sigs {
		switch {
		case !strings.HasSuffix(key, ".NSEC"):
		case len(sigs) == 1 && sigs[0].KeyTag == k.tag:
			by++
		default:
			others++
		}
	}
	return by, others
}

// A new key signs a step of the names at a time, so that nobody waits for all of them. Between the steps the zone is valid, changes are
// signed by the new key, and secondaries are told what has changed.
func TestKeysTakeOverInSteps(t *testing.T) {
	z, c, next := rolling(t, 2*renewalStep+50)
	c.at = c.at.Add(time.Hour)
	steps, done := 0, 0
	for ; !z.RenewAt().After(c.at); steps++ {
		before := z.Current()
		z.Renew(before.revision + 1)
		by, others := bySigner(t, z, next)
		if by-done > renewalStep+2 || by == done && others > 0 {
			t.Errorf("step %d signs %d names, and %d are left", steps, by-done, others)
		}
		if _, ok := z.Current().Since(before.Serial()); !ok {
			t.Errorf("step %d is not in the journal", steps)
		}
		if steps == 1 {
			z.Apply(sites.Change{Revision: z.Current().revision + 1, Sites: published("new"), Gone: []string{siteNames(140)[139] + ".example.test"}})
			if by, _ = bySigner(t, z, next); z.RenewAt().After(c.at) {
				t.Error("the rest is forgotten with a change")
			}
		}
		done = by
		allSecured(t, z, c.at)
	}
	if _, others := bySigner(t, z, next); others > 0 || steps < 3 || steps > 4 {
		t.Errorf("after %d steps others have signed %d names", steps, others)
	}
}

func allSecured(t *testing.T, z *Zone, at time.Time) {
	t.Helper()
	h := resolved(t, z.Current(), at)
	for key := range h.sets {
		if !h.secured(key, h.keys, nil, at) {
			t.Fatalf("%s is bogus", key)
		}
	}
}

// What a key has signed that is not published any more is signed anew at once.
func TestGoneKeysAreReplacedAtOnce(t *testing.T) {
	for name, late := range map[string]time.Duration{"both at once": 20 * time.Hour, "in the middle": time.Hour} {
		t.Run(name, func(t *testing.T) {
			z, c, next := rolling(t, 2*renewalStep)
			begin := c.at
			c.at = begin.Add(late)
			z.Renew(2)
			c.at = begin.Add(20 * time.Hour)
			z.Renew(3)
			if by, others := bySigner(t, z, next); others > 0 || by < 2*renewalStep || !z.RenewAt().After(c.at) {
				t.Errorf("%d names are signed by the key, %d by others", by, others)
			}
			if n := len(z.Current().root.get("").set(dns.TypeDNSKEY).Records); n != 2 {
				t.Errorf("%d keys", n)
			}
			allSecured(t, z, c.at)
		})
	}
}

// Signatures that fall due together are made anew in steps, too.
func TestRenewalsAreSteps(t *testing.T) {
	c := &clock{time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	z := newSignedZone(t, c, siteNames(2*renewalStep+50)...)
	c.at = c.at.Add(signaturePeriod) // all are due
	steps := 0
	for ; !z.RenewAt().After(c.at); steps++ {
		before := z.Current()
		z.Renew(before.revision + 1)
		if _, ok := z.Current().Since(before.Serial()); !ok {
			t.Errorf("step %d is not in the journal", steps)
		}
	}
	if steps < 3 || steps > 5 {
		t.Errorf("%d steps", steps)
	}
	allSecured(t, z, c.at)
}

package acme

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/bits"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/acme/acmetest"
	"berth/sites"

	"github.com/miekg/dns"
)

// restrictions is what Restrict was called with.
type restrictions struct {
	mu   sync.Mutex
	said [][]string
}

func (r *restrictions) add(_ context.Context, caa []string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, caa)
	return nil
}

func (r *restrictions) all() [][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.said)
}

// The CAA records name the CA and this installation's account there, for names and wildcards, and are said after a restart that does not reach the CA.
func TestCAANamesTheAccount(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	ca := acmetest.Start(t, acmetest.Options{DNS: zone.addr})
	cfg := Config{Dir: t.TempDir(), CA: at(ca), Challenges: zone}
	var first, second restrictions
	cfg.Restrict = first.add
	m := run(t, cfg)
	m.Apply(full())
	m.zoneValid(t)
	eventually(t, time.Minute, "the restriction is known", func() bool { return len(first.all()) > 0 })
	m.stop()
	if got := m.CAAIdentities(); !slices.Equal(got, []string{"pebble.letsencrypt.org"}) {
		t.Errorf("in CAA records the CA is %q", got)
	}
	caa := first.all()[0]
	if len(caa) != 2 || len(first.all()) != 1 {
		t.Fatalf("CAA data %q", first.all())
	}
	for i, tag := range []string{"issue", "issuewild"} {
		rr, err := dns.NewRR("e. CAA " + caa[i])
		if err != nil {
			t.Fatal(err)
		}
		record := rr.(*dns.CAA)
		if record.Tag != tag || !strings.HasPrefix(record.Value, "pebble.letsencrypt.org; validationmethods=dns-01; accounturi=https://") ||
			!strings.Contains(record.Value, "/my-account/") {
			t.Errorf("%s", caa[i])
		}
	}
	cfg.Restrict = second.add
	cfg.CA.TrustedRoots = x509.NewCertPool() // the CA cannot be asked
	again := run(t, cfg)
	eventually(t, time.Minute, "the restriction is known again", func() bool { return len(second.all()) > 0 })
	if got := again.CAAIdentities(); !slices.Equal(got, m.CAAIdentities()) {
		t.Errorf("after a restart the CA is %q in CAA records", got)
	}
	if !slices.Equal(second.all()[0], caa) {
		t.Errorf("after a restart %q, before %q", second.all()[0], caa)
	}
}

func TestOnlyWhatNeedsNoEscapeStandsInCAA(t *testing.T) {
	for text, want := range map[string]bool{"https://ca.test/acct/1": true, "": false, `a"b`: false, "a;b": false, `a\b`: false, "a b": false, "ä": false} {
		if isParameter(text) != want {
			t.Errorf("isParameter(%q) is %v", text, !want)
		}
	}
}

// sendAway is a fault: requests whose path ends like that get 429 with a Retry-After of an hour.
func sendAway(suffix string) acmetest.Fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		w.Header().Set("Retry-After", "3600")
		return acmetest.Answer(http.StatusTooManyRequests, "rateLimited")(w, r)
	}
}

// away checks that a CA is left alone for the hour that it wants, and gets no request meanwhile.
func (r *runner) away(t *testing.T, ca int, front *acmetest.Front) {
	t.Helper()
	if got := time.Until(r.awayUntil(ca)); got < 59*time.Minute || got > time.Hour {
		t.Fatalf("the CA is left alone for %v, want an hour", got)
	}
	before := front.Requests()
	during(t, 4*time.Second, func() { // pauses of our own would have been of 1 s and 2 s
		if got := front.Requests() - before; got > 0 {
			t.Fatalf("%d requests to a CA that has sent us away", got)
		}
	})
}

func TestCAThatLimitsRegistrationsIsLeftAlone(t *testing.T) {
	t.Parallel()
	first, second, _, cfg := twoCAs(t, acmetest.Options{})
	front := second.NewFront(t)
	cfg.Fallback, cfg.Restrict = at(front), new(restrictions).add
	front.Fail(sendAway("/sign-me-up"))
	m := run(t, cfg)
	m.zoneValid(t)
	eventually(t, wait, "the second CA has sent us away", func() bool { return !m.awayUntil(1).IsZero() })
	m.away(t, 1, front)
	if at := m.awayUntil(0); !at.IsZero() {
		t.Errorf("the first CA is left alone until %v", at)
	}
	m.stop()
	front.Fail(nil)
	m = run(t, cfg)
	m.away(t, 1, front)
	if first.Requests() == 0 {
		t.Error("the first CA was not asked")
	}
}

func TestCAThatLimitsTheLookAtItsNamesIsLeftAlone(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	front := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1}).NewFront(t)
	cfg := Config{Dir: t.TempDir(), CA: at(front), Challenges: zone, PerSite: true}
	m := run(t, cfg)
	m.Apply(full())
	m.zoneValid(t)
	m.stop()
	front.Fail(sendAway("/dir"))
	cfg.Restrict = new(restrictions).add
	m = run(t, cfg)
	eventually(t, wait, "the CA has sent us away", func() bool { return !m.awayUntil(0).IsZero() })
	front.Fail(nil)
	m.Apply(full(site("a")))
	m.away(t, 0, front)
	if err := m.Renew(testZone); err == nil || !strings.Contains(err.Error(), "does not want to be asked") {
		t.Errorf("renewing the zone's: %v", err)
	}
	if got := m.state("a." + testZone); got == sites.CertificateValid {
		t.Errorf("a is %q", got)
	}
}

// However many orders the first CA fulfils, a second one that is in trouble is asked for its names with growing pauses only.
func TestSecondCAInTroubleIsLeftAlone(t *testing.T) {
	t.Parallel()
	zone := newZoneServer(t)
	first, second := acmetest.Start(t, acmetest.Options{DNS: zone.addr, NonceReject: -1}), acmetest.Start(t, acmetest.Options{DNS: zone.addr}).NewFront(t)
	second.Fail(acmetest.Answer(http.StatusForbidden, "externalAccountRequired"))
	m := run(t, Config{CA: at(first), Fallback: at(second), Challenges: zone, PerSite: true, Restrict: new(restrictions).add})
	m.Apply(full())
	m.zoneValid(t)
	if got := m.CAAIdentities(); got != nil {
		t.Errorf("nobody knows the second CA's names, but what must not issue is told by %q", got)
	}
	before := second.Requests()
	began := time.Now()
	for i := range 12 {
		name := fmt.Sprintf("s%d", i)
		m.Apply(create(site(name)))
		m.valid(t, name+"."+testZone)
	}
	pauses := bits.Len(uint(time.Since(began).Seconds())) + 2 // 1 s, 2 s, 4 s …
	if got := second.Requests() - before; got > pauses {
		t.Errorf("%d requests in %v to a CA that refuses us, want at most %d", got, time.Since(began), pauses)
	}
}

package panel

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"

	"github.com/shirou/gopsutil/v4/cpu"
)

func TestANewOwnerDoesNotSeeTheOldOnesActivity(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello", "index.html")
	if err := w.DeleteSite(t.Context(), w.actor("ann"), "hello"); err != nil {
		t.Fatal(err)
	}
	w.site("bob", "hello")
	activity := w.login("bob").open("/sites/hello").Find("#site-aside .happenings li strong")
	if activity.Length() != 1 || activity.Text() != "bob" {
		t.Errorf("bob sees what these did: %s", activity.Text())
	}
}

func TestUrgentCertificatesComeFirst(t *testing.T) {
	soon, late := time.Unix(1000, 0), time.Unix(2000, 0)
	list := []sites.Certificate{
		{Host: "late", State: sites.CertificateValid, NotAfter: late},
		{Host: "soon", State: sites.CertificateValid, NotAfter: soon},
		{Host: "failed", State: sites.CertificateFailed, NotAfter: late},
	}
	var order []string
	for _, c := range urgent(list) {
		order = append(order, c.Host)
	}
	if !slices.Equal(order, []string{"failed", "soon", "late"}) {
		t.Errorf("order %v", order)
	}
	if n := len(first(urgent(make([]sites.Certificate, 1000)), maxCertificates)); n != maxCertificates {
		t.Errorf("%d certificates on the page", n)
	}
}

func TestSecretsAreShownOnceToTheirAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSecrets()
		key := s.keep(1, "carol", "xyz")
		if _, ok := s.take(2, key); ok {
			t.Error("another account takes the secret")
		}
		if got, ok := s.take(1, key); !ok || got.value != "xyz" || got.about != "carol" {
			t.Errorf("took %+v, %v", got, ok)
		}
		if _, ok := s.take(1, key); ok {
			t.Error("the secret is shown twice")
		}
		key = s.keep(1, "carol", "xyz")
		time.Sleep(secretLife + time.Second)
		if _, ok := s.take(1, key); ok {
			t.Error("the secret outlives its time")
		}
		others := s.keep(2, "dora", "abc")
		var keys []string
		for range 3 * maxSecrets {
			keys = append(keys, s.keep(1, "carol", "xyz"))
			time.Sleep(time.Second)
		}
		if len(s.kept) != maxSecrets+1 {
			t.Errorf("%d secrets are kept", len(s.kept))
		}
		if _, ok := s.take(2, others); !ok {
			t.Error("many secrets of one account wipe another's")
		}
		if _, ok := s.take(1, keys[len(keys)-maxSecrets]); !ok {
			t.Error("it is not the oldest that goes")
		}
	})
}

func TestBusyShare(t *testing.T) {
	before := cpu.TimesStat{User: 10, System: 5, Idle: 100, Iowait: 5}
	for _, tc := range []struct {
		after cpu.TimesStat
		want  float64
		ok    bool
	}{
		{cpu.TimesStat{User: 12, System: 6, Idle: 105, Iowait: 7}, 30, true},
		{cpu.TimesStat{User: 20, System: 5, Idle: 100, Iowait: 5}, 100, true},
		{cpu.TimesStat{User: 10, System: 5, Idle: 110, Iowait: 4}, 0, true}, // iowait may go backwards
		{before, 0, false},
	} {
		if got, ok := busyShare(before, tc.after); got != tc.want || ok != tc.ok {
			t.Errorf("busyShare(%+v) = %v, %v, want %v, %v", tc.after, got, ok, tc.want, tc.ok)
		}
	}
}

func TestMetersMeasureThisMachine(t *testing.T) {
	m := newMeters(t.TempDir()).read(t.Context())
	if m.CPUs < 1 || m.MemoryTotal == 0 || m.MemoryUsed == 0 || m.MemoryUsed > m.MemoryTotal || m.DiskTotal == 0 ||
		m.OwnMemory == 0 || m.UpSince.IsZero() || m.CPUPercent < 0 || m.CPUPercent > 100 {
		t.Errorf("measured %+v", m)
	}
}

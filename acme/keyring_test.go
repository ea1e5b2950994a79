package acme

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"
)

func TestKeyringIsBounded(t *testing.T) {
	m := run(t, Config{CA: CA{Directory: "internal"}, PerSite: true})
	m.keyring.mu.Lock()
	m.keyring.size = 3
	m.keyring.mu.Unlock()
	const count = 12
	for i := range count {
		m.Apply(create(site(fmt.Sprintf("s%d", i))))
	}
	for i := range count {
		m.valid(t, fmt.Sprintf("s%d.%s", i, testZone))
	}
	for round := range 3 {
		for i := range count {
			name := fmt.Sprintf("s%d.%s", i, testZone)
			if c := m.presented(t, name); !only(c, name) {
				t.Errorf("round %d: %s gets the certificate of %v", round, name, c.DNSNames)
			}
		}
	}
	if got := inMemory(m.Manager); got != 3 {
		t.Errorf("%d sites' certificates are in memory, want 3", got)
	}
	for i := range count {
		m.Apply(gone(fmt.Sprintf("s%d", i)))
	}
	if got := inMemory(m.Manager); got != 0 {
		t.Errorf("%d deleted sites' certificates are in memory", got)
	}
	if c := m.presented(t, testZone); !only(c, testZone) {
		t.Errorf("the apex gets %v", c.DNSNames)
	}
}

// inMemory counts the sites' key pairs in memory.
func inMemory(m *Manager) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	count := 0
	for _, h := range m.table {
		if !h.zone && h.pair.Load() != nil {
			count++
		}
	}
	return count
}

func TestKeyringTakesNoOutdatedPair(t *testing.T) {
	m := run(t, Config{CA: CA{Directory: "internal"}, PerSite: true})
	m.Apply(create(site("hello")))
	m.valid(t, "hello."+testZone)
	v, _ := m.index.Load("hello." + testZone)
	h := v.(*host)
	old := h.pair.Load()

	renewed := *h.facts.Load()
	renewed.serial = "1"
	h.facts.Store(&renewed)
	h.pair.Store(nil)
	m.keyring.put(h, old) // as a handshake that has read the files before the renewal
	if h.pair.Load() != nil {
		t.Error("an outdated pair is taken into memory")
	}
}

func TestExpiredIsNeverServed(t *testing.T) {
	m := run(t, Config{CA: CA{Directory: "internal"}, PerSite: true})
	m.Apply(create(site("hello")))
	m.valid(t, "hello."+testZone)
	v, _ := m.index.Load("hello." + testZone)
	h := v.(*host)
	if m.pair(h, h.facts.Load().notAfter.Add(time.Second)) != nil {
		t.Error("a certificate is served after its end")
	}
	m.keyring.drop(h)
	if m.pair(h, h.facts.Load().notAfter.Add(time.Second)) != nil {
		t.Error("a certificate is read from storage after its end")
	}
}

func BenchmarkGetCertificate(b *testing.B) {
	m, err := New(Config{Zone: testZone, Dir: b.TempDir(), CA: CA{Directory: "internal"}})
	if err != nil {
		b.Fatal(err)
	}
	defer m.close()
	hello := &tls.ClientHelloInfo{ServerName: "hello." + testZone}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.GetCertificate(hello); err != nil {
				b.Error(err)
			}
		}
	})
}

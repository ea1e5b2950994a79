package transfer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	mathrand "math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

// lives is a zone through one life of the process after the other, and what its secondaries hold.
type lives struct {
	t        *testing.T
	dir      string
	now      time.Time
	zone     sites.PublishedZone
	revision int64
	hosts    map[string]bool
	sets     map[string]sites.RRSet
	copies   map[uint32][]string // of the versions that somebody holds, as sorted lines

	service *Service
	current *zone.Zone
	end     func()
}

func newLives(t *testing.T) *lives {
	l := &lives{
		t: t, dir: t.TempDir(), now: time.Now(), hosts: make(map[string]bool), sets: make(map[string]sites.RRSet), copies: make(map[uint32][]string),
	}
	l.zone = sites.PublishedZone{
		Zone: sites.Zone{Name: "example.test", Kind: sites.ZonePrimary, Signed: true, Peers: []sites.Peer{
			{Name: "friend", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}},
		}},
		Keys: []sites.ZoneKey{l.key(1, sites.KeySigning), l.key(2, sites.ZoneSigning)},
	}
	for i := range 40 {
		l.hosts[fmt.Sprintf("host-%d.example.test", i)] = true
	}
	return l
}

func (l *lives) key(id int64, role sites.KeyRole) sites.ZoneKey {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		l.t.Fatal(err)
	}
	return sites.ZoneKey{ID: id, Role: role, Private: der, PublishedAt: l.now.Add(-time.Hour), ActiveAt: l.now.Add(-time.Hour)}
}

// begin is a start of the process.
func (l *lives) begin() {
	l.t.Helper()
	z, err := zone.New(zone.Config{
		Name: "example.test", IPv4: []netip.Addr{netip.MustParseAddr("192.0.2.1")}, Now: func() time.Time { return l.now },
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.current, l.service = z, New(Config{Journals: l.dir})
	l.revision++
	change := sites.Change{Revision: l.revision, Full: true, Zones: []sites.PublishedZone{l.zone}}
	for host := range l.hosts {
		change.Sites = append(change.Sites, sites.Published{Hosts: []string{host}})
	}
	for _, set := range l.sets {
		change.RRSets = append(change.RRSets, set)
	}
	z.Apply(change)
	l.service.Put(l.zone, z)
	ctx, cancel := context.WithCancel(l.t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.service.Run(ctx) })
	l.end = func() {
		cancel()
		running.Wait()
	}
	l.t.Cleanup(l.end)
}

// change makes one change at random, and a secondary holds what comes of it.
func (l *lives) change(random *mathrand.Rand) {
	l.t.Helper()
	l.revision++
	ch := sites.Change{Revision: l.revision}
	host := fmt.Sprintf("host-%d.example.test", random.IntN(60))
	switch random.IntN(5) {
	case 0:
		l.hosts[host] = true
		ch.Sites = []sites.Published{{Hosts: []string{host}}}
	case 1:
		delete(l.hosts, host)
		ch.Gone = []string{host}
	case 2, 3:
		set := sites.RRSet{Name: host, TTL: uint32(60 * (1 + random.IntN(3))), Type: "TXT"}
		for range random.IntN(4) {
			set.Data = append(set.Data, fmt.Sprintf(`"text %d"`, random.IntN(4)))
		}
		l.sets[host] = set
		ch.RRSets = []sites.RRSet{set}
	default: // of which the next life knows nothing
		if err := l.current.SetChallenge("_acme-challenge."+host, fmt.Sprint(random.IntN(3)), random.IntN(3) > 0, l.revision); err != nil {
			l.t.Fatal(err)
		}
	}
	l.current.Apply(ch)
	l.service.Changed("example.test")
	l.hold()
}

// hold has a secondary hold the current version.
func (l *lives) hold() { l.copies[l.current.Current().Serial()] = l.whole() }

// whole is the zone as sorted lines.
func (l *lives) whole() []string {
	l.t.Helper()
	rrs, _ := answers(l.t, serve(l.t, l.service, friend, false, pack(l.t, axfr())))
	var lines []string
	for _, rr := range rrs[1:] {
		lines = append(lines, rr.String())
	}
	slices.Sort(lines)
	return lines
}

// journaled waits until the file has the current version.
func (l *lives) journaled() {
	l.t.Helper()
	eventually(l.t, "the journal has the current version", func() bool {
		file, err := os.Open(l.path())
		if err != nil {
			return false
		}
		defer file.Close()
		was, err := readFormer(file)
		return err == nil && was.serial == l.current.Current().Serial()
	})
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("does not happen: %s", what)
		}
	}
}

func (l *lives) path() string { return filepath.Join(l.dir, "example.test.journal") }

// follow has everybody who holds a version ask for what has changed; it counts those who get it, as against the whole zone.
func (l *lives) follow() (incremental int) {
	l.t.Helper()
	want := l.whole()
	for serial, lines := range l.copies {
		rrs, _ := answers(l.t, serve(l.t, l.service, friend, false, pack(l.t, ixfr(serial))))
		if len(rrs) == 1 {
			continue
		}
		if soa, ok := rrs[1].(*dns.SOA); !ok || soa.Serial != serial {
			continue
		}
		incremental++
		if got := patched(l.t, lines, rrs); !slices.Equal(got, want) {
			l.t.Fatalf("who holds %d comes to another zone than %d: %d records, want %d", serial, l.current.Current().Serial(), len(got), len(want))
		}
	}
	return incremental
}

// patched carries out the steps of an incremental transfer on the lines of a zone.
func patched(t *testing.T, lines []string, rrs []dns.RR) []string {
	t.Helper()
	content := make(map[string]bool)
	for _, line := range lines {
		content[line] = true
	}
	adding := true
	for _, rr := range rrs[1 : len(rrs)-1] {
		if rr.Header().Rrtype == dns.TypeSOA {
			adding = !adding
		}
		if content[rr.String()] == adding {
			t.Fatalf("adding %t, and it is there: %t: %s", adding, content[rr.String()], rr)
		}
		if content[rr.String()] = adding; !adding {
			delete(content, rr.String())
		}
	}
	var left []string
	for line := range content {
		left = append(left, line)
	}
	slices.Sort(left)
	return left
}

// Through restarts, crashes that take the end of the file, changes that nobody noted and signatures that are made anew, who asks for
// what has changed since any version comes to the zone as it is.
func TestJournalsSurviveRestarts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := mathrand.New(mathrand.NewPCG(seed, 0))
	l := newLives(t)
	total, older := 0, 0
	for life := range 12 {
		before := len(l.copies)
		l.begin()
		incremental := l.follow()
		if life%3 == 1 && incremental < before-older { // of the life before, everybody
			t.Errorf("life %d: %d of %d get what has changed", life, incremental, before-older)
		}
		older = before
		l.hold()
		total += incremental
		for range random.IntN(20) {
			l.change(random)
		}
		l.follow()
		l.journaled()
		l.end()
		switch info, err := os.Stat(l.path()); {
		case err != nil:
			t.Fatal(err)
		case life%3 == 1: // a crash
			if err := os.Truncate(l.path(), info.Size()-random.Int64N(min(3000, info.Size()/3))); err != nil {
				t.Fatal(err)
			}
		case life%3 == 2: // changes by somebody else, and time
			l.sets["other.example.test"] = sites.RRSet{Name: "other.example.test", TTL: 60, Type: "A", Data: []string{fmt.Sprint("192.0.2.", life)}}
			l.now = l.now.Add(time.Duration(random.Int64N(int64(20 * 24 * time.Hour))))
		}
		l.revision += random.Int64N(3)
	}
	t.Logf("%d transfers were incremental, of %d versions", total, len(l.copies))
}

// What is damaged, or does not belong to the zone, is thrown away, and the journal begins anew.
func TestUselessJournals(t *testing.T) {
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for name, spoil := range map[string]func(l *lives, text []byte) []byte{
		"empty":                    func(_ *lives, _ []byte) []byte { return nil },
		"something else":           func(_ *lives, _ []byte) []byte { return []byte(strings.Repeat("berth journal 2\n", 100)) },
		"without an end":           func(_ *lives, text []byte) []byte { return text[:2000] },
		"one bit of the whole":     func(_ *lives, text []byte) []byte { text[1000] ^= 1; return text },
		"only zeros":               func(_ *lives, text []byte) []byte { return make([]byte, len(text)) },
		"a serial that comes back": func(l *lives, text []byte) []byte { l.revision = 0; return text },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLives(t)
			l.revision = 100
			l.begin()
			for range 5 {
				l.change(random)
			}
			l.journaled()
			l.end()
			text, err := os.ReadFile(l.path())
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(l.path(), spoil(l, text), 0o600); err != nil {
				t.Fatal(err)
			}
			l.begin()
			if n := l.follow(); n != 0 {
				t.Errorf("%d transfers are incremental", n)
			}
			l.hold()
			l.change(random)
			l.journaled()
			l.end()
			l.begin()
			if l.follow() == 0 {
				t.Error("the journal does not begin anew")
			}
		})
	}
}

// Every file that is cut somewhere, or has a wrong bit, is read up to there or not at all.
func TestDamagedJournals(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.hold()
	random := mathrand.New(mathrand.NewPCG(3, 4))
	for range 10 {
		l.change(random)
	}
	l.journaled()
	l.end()
	text, err := os.ReadFile(l.path())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "damaged")
	read := func(text []byte) uint32 {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		was, err := readFormer(file)
		if err != nil {
			return 0
		}
		if l.copies[was.serial] == nil || len(l.copies[was.serial]) != len(was.content)+2 { // the SOA record and its signature
			t.Fatalf("serial %d with %d records", was.serial, len(was.content))
		}
		return was.serial
	}
	last, seen := read(text), make(map[uint32]bool)
	for at := 0; at < len(text); at += 1 + random.IntN(150) {
		seen[read(text[:at])] = true
		wrong := slices.Clone(text)
		wrong[at] ^= 1 << random.IntN(8)
		if read(wrong) == last {
			t.Errorf("a wrong bit at %d is not seen", at)
		}
	}
	if len(seen) < 8 || seen[last] {
		t.Errorf("cut files had the versions %v, and the last is %d", seen, last)
	}
}

// A file with more steps than the zone is large gives way to another, a zone without peers has none, and what has gone leaves none.
func TestJournalFilesAreBounded(t *testing.T) {
	l := newLives(t)
	l.begin()
	set := sites.RRSet{Name: "long.example.test", TTL: 60, Type: "TXT"}
	largest := int64(0)
	for round := range 60 {
		set.Data = nil
		for i := range 100 {
			set.Data = append(set.Data, fmt.Sprintf(`"%0200d"`, 100*round+i))
		}
		l.revision++
		l.current.Apply(sites.Change{Revision: l.revision, RRSets: []sites.RRSet{set}})
		l.service.Changed("example.test")
		l.journaled()
		info, err := os.Stat(l.path())
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	if largest < minSteps || largest > minSteps+200_000 {
		t.Errorf("the file came to %d bytes", largest)
	}
	alone := l.zone
	alone.Peers = nil
	l.service.Put(alone, l.current)
	l.service.Changed("example.test")
	eventually(t, "a zone without peers has no journal", func() bool { return len(filesIn(t, l.dir)) == 0 })
	l.service.Put(l.zone, l.current)
	l.service.Changed("example.test")
	l.journaled()
	l.service.Drop("example.test")
	eventually(t, "a zone that has gone has no journal", func() bool { return len(filesIn(t, l.dir)) == 0 })
}

// Where the disk takes no journal, peers are served all the same.
func TestJournalsWithoutADisk(t *testing.T) {
	l := newLives(t)
	l.dir = filepath.Join(l.dir, "file", "below")
	if err := os.WriteFile(filepath.Dir(l.dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l.begin()
	l.hold()
	random := mathrand.New(mathrand.NewPCG(5, 6))
	for range 5 {
		l.change(random)
	}
	began := time.Now()
	if n := l.follow(); n == 0 || time.Since(began) > l.service.limits.wait {
		t.Errorf("%d transfers are incremental, after %v", n, time.Since(began))
	}
}

package zone

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

// history is a zone to which random things happen, and what is known of it otherwise.
type history struct {
	t      *testing.T
	random *rand.Rand
	clock  *clock
	zone   *Zone

	revision   int64
	hosts      map[string]bool
	sets       map[string]sites.RRSet
	challenges map[string]bool
	issuers    []string
	signed     bool
	keys       []sites.ZoneKey
}

func newHistory(t *testing.T, seed uint64, start time.Time) *history {
	h := &history{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), clock: &clock{start}, revision: 1,
		hosts: map[string]bool{}, sets: map[string]sites.RRSet{}, challenges: map[string]bool{}, signed: true,
	}
	h.keys = []sites.ZoneKey{newKeyPlan(t, 1, sites.KeySigning, start), newKeyPlan(t, 2, sites.ZoneSigning, start)}
	h.zone = h.fresh()
	return h
}

// fresh is a zone that comes to know all of it at once.
func (h *history) fresh() *Zone {
	cfg := testConfig()
	cfg.Now = h.clock.now
	z := newZone(h.t, cfg)
	ch := signedBy(h.revision, h.keys...)
	ch.Zones[0].Signed, ch.Full = h.signed, true
	for host := range h.hosts {
		ch.Sites = append(ch.Sites, sites.Published{Hosts: []string{host}})
	}
	ch.RRSets = slices.Collect(maps.Values(h.sets))
	z.SetIssuers(h.issuers, 0)
	for host := range h.challenges {
		if err := z.SetChallenge(host, "token", true, 0); err != nil {
			h.t.Fatal(err)
		}
	}
	z.Apply(ch)
	return z
}

func (h *history) name() string {
	labels := []string{"a", "ab", "b", "c", "*"}
	var text strings.Builder
	for range 1 + h.random.IntN(3) {
		text.WriteString(labels[h.random.IntN(len(labels)-1)] + ".")
	}
	if h.random.IntN(6) == 0 {
		return "*." + text.String() + "example.test"
	}
	return text.String() + "example.test"
}

var randomData = map[string][]string{
	"NS":        {"ns.elsewhere.test.", "ns.a.example.test."},
	"DS":        {"1 13 2 " + strings.Repeat("AB", 32), "2 13 2 " + strings.Repeat("CD", 32)},
	"TXT":       {`"one"`, `"two"`, `"v=spf1 mx -all"`},
	"MX":        {"10 Mail.example.test.", "20 mail.elsewhere.test."},
	"A":         {"192.0.2.7", "192.0.2.8"},
	"SRV":       {"1 2 3 Target.example.test.", "1 2 4 target.example.test."},
	"CAA":       {`0 issue "ca.test"`, `0 issuewild ";"`},
	"TYPE65400": {`\# 3 010203`, `\# 1 00`},
	"CNAME":     {"elsewhere.test."},
}

// step lets something happen.
func (h *history) step() {
	h.revision++
	ch := sites.Change{Revision: h.revision}
	switch h.random.IntN(9) {
	case 0, 1:
		seen := map[string]bool{}
		for range 1 + h.random.IntN(3) {
			host := h.name()
			if seen[host] || host[0] == '*' {
				continue
			}
			seen[host] = true
			if h.hosts[host] {
				ch.Gone = append(ch.Gone, host)
				delete(h.hosts, host)
			} else {
				ch.Sites = append(ch.Sites, sites.Published{Hosts: []string{host}})
				h.hosts[host] = true
			}
		}
	case 2, 3, 4:
		for range 1 + h.random.IntN(3) {
			ch.RRSets = append(ch.RRSets, h.someSet())
		}
	case 5:
		host := h.name()
		h.challenges[host] = !h.challenges[host]
		if err := h.zone.SetChallenge(host, "token", h.challenges[host], h.revision); err != nil {
			h.t.Fatal(err)
		}
		maps.DeleteFunc(h.challenges, func(_ string, running bool) bool { return !running })
		return
	case 6:
		h.issuers = [][]string{nil, {`0 issue "ca.test"`}, {`0 issue "other.test"`, `0 issuewild ";"`}}[h.random.IntN(3)]
		h.zone.SetIssuers(h.issuers, h.revision)
		return
	case 7:
		h.clock.at = h.clock.at.Add(time.Duration(h.random.IntN(72)) * time.Hour)
		return
	case 8:
		h.roll()
		ch = signedBy(h.revision, h.keys...)
		ch.Zones[0].Signed = h.signed
	}
	h.zone.Apply(ch)
}

// someSet is a set that comes, changes or goes.
func (h *history) someSet() sites.RRSet {
	types := slices.Sorted(maps.Keys(randomData))
	set := sites.RRSet{Name: h.name(), Type: types[h.random.IntN(len(types))], TTL: uint32(60 * (1 + h.random.IntN(2)))}
	if h.random.IntN(2) == 0 && len(h.sets) > 0 {
		held := slices.Sorted(maps.Keys(h.sets))
		set = h.sets[held[h.random.IntN(len(held))]]
	}
	set.Data = nil
	if data := randomData[set.Type]; h.random.IntN(3) > 0 {
		set.Data = data[h.random.IntN(len(data)):]
	}
	key := set.Name + " " + set.Type
	if h.sets[key] = set; set.Data == nil {
		delete(h.sets, key)
	}
	return set
}

// roll plans a rollover, or lets signing go and come.
func (h *history) roll() {
	if h.random.IntN(4) == 0 {
		h.signed = !h.signed
		return
	}
	role := []sites.KeyRole{sites.KeySigning, sites.ZoneSigning}[h.random.IntN(2)]
	next := newKeyPlan(h.t, int64(len(h.keys)+1), role, h.clock.at)
	next.ActiveAt = h.clock.at.Add(48 * time.Hour)
	for i := range h.keys {
		if k := &h.keys[i]; k.Role == role && k.RetiredAt.IsZero() {
			k.RetiredAt = next.ActiveAt.Add(24 * time.Hour)
			k.RemovedAt = k.RetiredAt.Add(48 * time.Hour)
		}
	}
	h.keys = append(h.keys, next)
}

// patched is an older dump with differences carried out exactly.
func patched(t *testing.T, lines []string, differences []Difference) []string {
	t.Helper()
	have := map[string]bool{}
	for _, line := range lines {
		have[line] = true
	}
	move := func(present bool, list ...Placed) {
		for _, p := range list {
			for _, line := range text(t, p) {
				if have[line] == present {
					t.Fatalf("present %v already: %s", present, line)
				}
				have[line] = present
			}
		}
	}
	for _, d := range differences {
		move(false, d.FromSOA)
		move(false, d.Removed...)
		move(true, d.ToSOA)
		move(true, d.Added...)
	}
	maps.DeleteFunc(have, func(_ string, present bool) bool { return !present })
	return slices.Sorted(maps.Keys(have))
}

// Whatever happens to a zone, step by step, it is what a new zone would be that learns all of it at once, down to the
// signatures; the journal tells exactly how it came about; and others' programs find it in order, whatever the time.
func TestRandomHistory(t *testing.T) {
	seeds := uint64(2)
	if soaking() {
		seeds = 100
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			h := newHistory(t, seed, time.Now().Add(-time.Duration(seed)*40*24*time.Hour))
			older, olderLines := h.zone.Current(), sortedDump(t, h.zone.Current())
			for i := range 80 {
				h.step()
				if at := h.zone.RenewAt(); !at.IsZero() && !at.After(h.clock.at) {
					h.revision++
					h.zone.Renew(h.revision)
				}
				if at := h.zone.RenewAt(); h.signed == at.IsZero() || !at.IsZero() && !at.After(h.clock.at) {
					t.Fatalf("signed %v at %v, to be renewed at %v", h.signed, h.clock.at, at)
				}
				now := h.zone.Current()
				lines := sortedDump(t, now)
				if got, want := withoutSOA(lines), withoutSOA(sortedDump(t, h.fresh().Current())); !slices.Equal(got, want) {
					t.Fatalf("step %d differs from a new zone:\n%s", i, lineDifference(got, want))
				}
				differences, ok := now.Since(older.Serial())
				if !ok {
					t.Fatalf("step %d: the journal does not reach back", i)
				}
				if got := patched(t, olderLines, differences); !slices.Equal(got, lines) {
					t.Fatalf("step %d: the journal tells of another zone:\n%s", i, lineDifference(got, lines))
				}
				if i%5 == 0 {
					older, olderLines = now, lines
				}
				if i%8 == 0 && h.signed {
					verify(t, now, h.clock.at)
				}
				if t.Failed() {
					t.FailNow()
				}
			}
		})
	}
}

func sortedDump(t *testing.T, s *Snapshot) []string {
	lines := dump(t, s)
	slices.Sort(lines)
	return lines
}

// withoutSOA leaves the SOA record and its signature away, which the serial is in.
func withoutSOA(lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
		return strings.Contains(line, "\tSOA\t") || strings.Contains(line, "\tRRSIG\tSOA ")
	})
}

func lineDifference(got, want []string) string {
	var text strings.Builder
	for _, line := range got {
		if !slices.Contains(want, line) {
			fmt.Fprintln(&text, "+", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			fmt.Fprintln(&text, "-", line)
		}
	}
	return text.String()
}

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"iter"
	"log/slog"
	mathrand "math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"berth/dnsserver/dnstest"
	"berth/sites"
	"berth/sites/sqlite"
)

const (
	plainZone  = "plain.test"
	signedZone = "signed.test"
	manyNames  = 10_000
	mostNames  = 1_000_000
	dnsRounds  = 5
	dnsQueries = 50_000 // of one measurement
)

// BenchmarkDNS measures the processor time of the whole process per query, beside other nameservers with the same zones,
// the same queries and as many workers. The rounds are interleaved, and medians reported.
func BenchmarkDNS(b *testing.B) {
	load := dnsLoad{program: dnstest.Need(b, "dnsperf"), spent: make(map[string][]float64)}
	plain, signed := benchZone{name: plainZone, names: manyNames}, benchZone{name: signedZone, names: manyNames, signed: true}
	servers := besideOthers(b, plain, signed)
	most := benchZone{name: plainZone, names: mostNames}
	berth := startWithZones(b, most)
	large := nameserver{"berth-1M", berth.dnsAddr(b), berth.cmd.Process.Pid}
	files := map[string]string{"plain": plain.queries(b), "DO": signed.queries(b), "most": most.queries(b)}
	for range dnsRounds {
		for _, s := range servers {
			load.measure(b, s, "plain", files["plain"])
			load.measure(b, s, "DO", files["DO"], "-D")
		}
		load.measure(b, large, "plain", files["most"])
	}
	for _, s := range servers {
		load.report(b, s.name+"-plain")
		load.report(b, s.name+"-DO")
	}
	load.report(b, large.name+"-plain")
	load.ratio(b, "berth-plain", "nsd-plain")
	load.ratio(b, "berth-DO", "nsd-DO")
	load.ratio(b, "berth-1M-plain", "berth-plain")
}

// besideOthers runs a berth with zones, and other nameservers with what a transfer from it gives.
func besideOthers(b *testing.B, zones ...benchZone) []nameserver {
	b.Helper()
	berth := startWithZones(b, zones...)
	files := dnstest.Config{Workers: runtime.GOMAXPROCS(0)}
	for _, z := range zones {
		files.Zones = append(files.Zones, dnstest.Zone{Name: z.name, File: z.transfer(b, berth.dnsAddr(b))})
	}
	servers := []nameserver{{"berth", berth.dnsAddr(b), berth.cmd.Process.Pid}}
	for _, peer := range []struct {
		name  string
		start func(testing.TB, dnstest.Config) *dnstest.Server
	}{{"nsd", dnstest.NSD}, {"knot", dnstest.Knot}, {"bind", dnstest.Named}} {
		s := peer.start(b, files)
		servers = append(servers, nameserver{peer.name, s.Addr, s.PID()})
		for _, z := range zones {
			z.await(b, s.Addr)
		}
	}
	return servers
}

// BenchmarkDNSMemory measures what a name takes of the process's resident memory, plain and signed.
func BenchmarkDNSMemory(b *testing.B) {
	memory := func(zones ...benchZone) float64 {
		p := startWithZones(b, zones...)
		defer p.kill()
		return p.settledMemory() * (1 << 20)
	}
	const names = 10 * manyNames
	none := memory()
	b.ReportMetric((memory(benchZone{name: plainZone, names: names})-none)/names, "B/name-plain")
	b.ReportMetric((memory(benchZone{name: signedZone, names: names, signed: true})-none)/names, "B/name-signed")
}

// nameserver is a running server, berth or another.
type nameserver struct {
	name string
	addr netip.AddrPort
	pid  int
}

// dnsLoad runs dnsperf and keeps what the servers spent.
type dnsLoad struct {
	program string
	spent   map[string][]float64 // µs of processor time per query, by server and kind of query
}

// measure has a server answer all queries of a file.
func (l *dnsLoad) measure(b *testing.B, s nameserver, kind, queries string, args ...string) {
	b.Helper()
	args = append([]string{"-s", s.addr.Addr().String(), "-p", fmt.Sprint(s.addr.Port()), "-d", queries, "-n", "1", "-c", "20", "-q", "100"}, args...)
	before := treeTime(b, s.pid)
	out, err := exec.Command(l.program, args...).CombinedOutput()
	spent := treeTime(b, s.pid) - before
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("Queries completed:    %d (100.00%%)", dnsQueries)) {
		b.Fatalf("dnsperf %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	l.spent[s.name+"-"+kind] = append(l.spent[s.name+"-"+kind], float64(spent.Nanoseconds())/1e3/dnsQueries)
}

func (l *dnsLoad) median(of string) float64 {
	sorted := slices.Sorted(slices.Values(l.spent[of]))
	return sorted[len(sorted)/2]
}

func (l *dnsLoad) report(b *testing.B, of string) {
	if len(l.spent[of]) == 0 {
		return
	}
	b.Logf("%-16s %.2f µs of processor time per query; rounds %.2f", of, l.median(of), l.spent[of])
	b.ReportMetric(l.median(of), "µs-cpu/query-"+of)
}

func (l *dnsLoad) ratio(b *testing.B, of, to string) {
	b.ReportMetric(l.median(of)/l.median(to), "ratio-"+of+"/"+to)
}

// treeTime is the processor time that a process and those below it have used so far.
func treeTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	total := processorTime(b, pid)
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		b.Fatal(err)
	}
	for _, thread := range threads {
		text, _ := os.ReadFile(thread) // a thread may have ended
		for child := range strings.FieldsSeq(string(text)) {
			id, err := strconv.Atoi(child)
			if err != nil {
				b.Fatal(err)
			}
			total += treeTime(b, id)
		}
	}
	return total
}

// benchZone is a zone with addresses at many names: an A record at each, an AAAA record at every tenth.
type benchZone struct {
	name   string
	names  int
	signed bool
}

func (z benchZone) host(i int) string { return fmt.Sprintf("h%07d.%s", i, z.name) }

// queries writes a file with a fixed mixture: 16 of 20 ask for an A record that is there, one for an AAAA record that is
// there, two for a name that is not, one for a type that is not.
func (z benchZone) queries(b *testing.B) (path string) {
	var text strings.Builder
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for i := range dnsQueries {
		n := random.IntN(z.names)
		switch i % 20 {
		case 16:
			fmt.Fprintln(&text, z.host(n-n%10), "AAAA")
		case 17, 18:
			fmt.Fprintln(&text, "x"+z.host(n), "A")
		case 19:
			fmt.Fprintln(&text, z.host(n), "MX")
		default:
			fmt.Fprintln(&text, z.host(n), "A")
		}
	}
	path = filepath.Join(b.TempDir(), "queries")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// insert puts the zone into the store, as if people had entered it.
func (z benchZone) insert(ctx context.Context, tx sites.Tx) error {
	id, err := tx.InsertZone(ctx, sites.Zone{
		Name: z.name, Kind: sites.ZonePrimary, Signed: z.signed,
		Peers: []sites.Peer{{Name: "peers", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}},
	})
	if err != nil {
		return err
	}
	for _, role := range []sites.KeyRole{sites.KeySigning, sites.ZoneSigning} {
		if !z.signed {
			break
		}
		if err := insertKey(ctx, tx, id, role); err != nil {
			return err
		}
	}
	for owner, data := range z.records() {
		rrtype, data, _ := strings.Cut(data, " ")
		if _, err := tx.InsertRecord(ctx, sites.Record{Zone: id, Name: owner, Type: rrtype, TTL: 300, Data: data}); err != nil {
			return err
		}
	}
	return nil
}

// records yields the owner of each record, and its type and data.
func (z benchZone) records() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for i := range z.names {
			if !yield(z.host(i), fmt.Sprintf("A 198.51.%d.%d", i>>8&255, i&255)) {
				return
			}
			if i%10 == 0 && !yield(z.host(i), fmt.Sprintf("AAAA 2001:db8::%x:%x", i>>16, i&0xffff)) {
				return
			}
		}
	}
}

func insertKey(ctx context.Context, tx sites.Tx, zone sites.ZoneID, role sites.KeyRole) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	at := time.Now().Add(-time.Hour)
	_, err = tx.InsertZoneKey(ctx, sites.ZoneKey{Zone: zone, Role: role, Private: der, PublishedAt: at, ActiveAt: at})
	return err
}

// startWithZones runs a berth that has the zones, and waits until it answers for them.
func startWithZones(b *testing.B, zones ...benchZone) *process {
	b.Helper()
	dir := b.TempDir()
	store, err := sqlite.Open(b.Context(), databasePath(dir), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	event := &sites.Event{Actor: "benchmark", Action: "zone.create"}
	if _, err = store.Write(b.Context(), event, func(tx sites.Tx) error {
		for _, z := range zones {
			if err := z.insert(b.Context(), tx); err != nil {
				return fmt.Errorf("fill %s: %w", z.name, err)
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	if err := store.Close(); err != nil {
		b.Fatal(err)
	}
	p := startBerthIn(b, dir, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	for _, z := range zones {
		z.await(b, p.dnsAddr(b))
	}
	return p
}

func (p *process) dnsAddr(b *testing.B) netip.AddrPort {
	addr, err := netip.ParseAddrPort(p.dns)
	if err != nil {
		b.Fatal(err)
	}
	return addr
}

// await waits until a server answers for the last name of the zone.
func (z benchZone) await(b *testing.B, addr netip.AddrPort) {
	b.Helper()
	query := new(dns.Msg)
	query.SetQuestion(dns.Fqdn(z.host(z.names-1)), dns.TypeA)
	query.SetEdns0(1232, z.signed)
	eventually(b, 4*time.Minute, z.name+" is answered for", func() error {
		answer, err := dns.Exchange(query, addr.String())
		if err != nil {
			return err
		}
		if len(answer.Answer) == 0 || z.signed != (len(answer.Answer) > 1) {
			return fmt.Errorf("answered %v", answer)
		}
		return nil
	})
}

// transfer is the zone as a server gives it away, as a file.
func (z benchZone) transfer(b *testing.B, addr netip.AddrPort) string {
	b.Helper()
	rrs, err := dnstest.Transfer(addr, z.name, nil)
	if err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	for _, rr := range rrs {
		text.WriteString(rr.String())
		text.WriteByte('\n')
	}
	return text.String()
}

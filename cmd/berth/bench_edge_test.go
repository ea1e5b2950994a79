package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/dnsserver/dnstest"
)

const (
	edgeRounds    = 5
	edgeRequests  = 40_000 // of one measurement
	edgeHandshake = 1_500
	smallPage     = 4 << 10
	largePage     = 64 << 10
)

// onServerCPU runs a program on the first processor alone; what loads it runs on the second.
func onServerCPU(program string, args ...string) *exec.Cmd {
	return exec.Command("taskset", append([]string{"-c", "0", program}, args...)...)
}

// BenchmarkEdge measures the processor time of the whole process per request, and the slowest in a hundred, beside nginx
// and Caddy as reverse proxies in front of the same instance: over TLS 1.3, on one processor each, with the same bodies. The
// rounds are interleaved, and medians reported.
func BenchmarkEdge(b *testing.B) {
	needDocker(b)
	load := edgeLoad{program: dnstest.Need(b, "h2load"), spent: make(map[string][]float64), slow: make(map[string][]float64)}
	cached, instance := startEdgeSite(b, "10.86.0.0/20")
	uncached, _ := startEdgeSite(b, "10.87.0.0/20", "--cache-mb", "0")
	nginx, caddy := startNginx(b, instance), startCaddy(b, instance)
	for range edgeRounds {
		for _, version := range []string{"h1", "h2"} {
			for _, s := range []edgeServer{cached, uncached, nginx, caddy} {
				load.measure(b, s, version, "/")
				load.measure(b, s, version, "/large.html")
			}
		}
	}
	for _, version := range []string{"h1", "h2"} {
		load.compare(b, version, "/", cached, nginx)
		load.compare(b, version, "/", uncached, caddy)
		load.compare(b, version, "/large.html", uncached, nginx)
	}
}

// BenchmarkEdgeManySites measures a static site alone, beside one among 10,000 others in another process, in interleaved rounds; and
// the latter while others are made and changed.
func BenchmarkEdgeManySites(b *testing.B) {
	load := edgeLoad{program: dnstest.Need(b, "h2load"), spent: make(map[string][]float64), slow: make(map[string][]float64)}
	start := func(name string) (*process, edgeServer) {
		p := pinnedBerth(b, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard", "--access-log", "off")
		return p, p.withPages(b, name)
	}
	_, alone := start("alone")
	p, among := start("among-10000")
	client := p.client(nil)
	for i := range manySites {
		p.api(client, "POST", "/sites", map[string]string{"name": fmt.Sprint("site", i)}, http.StatusCreated, nil)
	}
	for range edgeRounds {
		load.measure(b, alone, "h1", "/")
		load.measure(b, among, "h1", "/")
	}
	among.name = "while-others-change"
	changing, stop := context.WithCancel(b.Context())
	var changes sync.WaitGroup
	changes.Go(func() {
		if err := p.changeOthers(changing); err != nil {
			b.Error(err)
		}
	})
	for range edgeRounds {
		load.measure(b, among, "h1", "/")
	}
	stop()
	changes.Wait()
	for _, name := range []string{"alone", "among-10000", "while-others-change"} {
		load.log(b, name+" h1/")
	}
	b.ReportMetric(middle(load.spent["among-10000 h1/"])/middle(load.spent["alone h1/"]), "ratio-among-10000/alone")
	b.ReportMetric(middle(load.slow["while-others-change h1/"])/middle(load.slow["among-10000 h1/"]), "ratio-p99-while-others-change")
}

// changeOthers makes, swaps and deletes sites until ctx is done, two changes a second: their own work is not what is measured.
func (p *process) changeOthers(ctx context.Context) error {
	client := p.client(nil)
	release := zipped(p.t, "index.html", "another")
	turn := time.NewTicker(time.Second / 2)
	defer turn.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		site := fmt.Sprint("/sites/other", n)
		for _, step := range []struct {
			method, path string
			body         any
		}{
			{"POST", "/sites", map[string]string{"name": fmt.Sprint("other", n)}},
			{"POST", site + "/releases?wait=live", release},
			{"POST", site + "/releases?wait=live", release},
			{"DELETE", site, nil},
		} {
			<-turn.C
			if status, text, err := p.call(client, step.method, step.path, step.body); err != nil || status >= 300 {
				return fmt.Errorf("%s %s: %d %s: %w", step.method, step.path, status, text, err)
			}
		}
	}
	return nil
}

// BenchmarkHandshakes measures the processor time of a full TLS 1.3 handshake beside Caddy and nginx, with the key exchange that
// Debian's builds of them know, too; and what berth needs with the one that today's browsers ask for (ML-KEM).
func BenchmarkHandshakes(b *testing.B) {
	needDocker(b)
	berth, instance := startEdgeSite(b, "10.86.0.0/20")
	servers := []edgeServer{berth, startNginx(b, instance), startCaddy(b, instance)}
	spent := make(map[string][]float64)
	for range edgeRounds {
		for _, s := range servers {
			spent[s.name] = append(spent[s.name], s.handshakes(b, tls.X25519))
		}
		spent["berth-ML-KEM"] = append(spent["berth-ML-KEM"], berth.handshakes(b, tls.X25519MLKEM768))
	}
	for name, rounds := range spent {
		b.ReportMetric(middle(rounds), "µs-cpu/handshake-"+name)
	}
	b.ReportMetric(middle(spent["berth"])/middle(spent["caddy"]), "ratio-berth/caddy")
}

// edgeServer is a server that has the two pages, at an address that the name of the URL need not lead to.
type edgeServer struct {
	name string
	pid  int
	addr string
	host string
}

func (s edgeServer) url(path string) string {
	_, port, _ := net.SplitHostPort(s.addr)
	return "https://" + net.JoinHostPort(s.host, port) + path
}

// handshakes returns the µs of processor time of one.
func (s edgeServer) handshakes(b *testing.B, exchange tls.CurveID) float64 {
	b.Helper()
	config := &tls.Config{
		ServerName: s.host, InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{exchange},
	}
	before := treeTime(b, s.pid)
	for range edgeHandshake {
		conn, err := tls.Dial("tcp", s.addr, config)
		if err != nil {
			b.Fatal(err)
		}
		_ = conn.Close()
	}
	return float64((treeTime(b, s.pid) - before).Microseconds()) / edgeHandshake
}

// await waits until the server has the pages.
func (s edgeServer) await(b *testing.B) edgeServer {
	b.Helper()
	client := &http.Client{Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			dialer := tls.Dialer{Config: &tls.Config{ServerName: s.host, InsecureSkipVerify: true}}
			return dialer.DialContext(ctx, "tcp", s.addr)
		},
	}}
	eventually(b, time.Minute, s.name+" serves", func() error { return checkPage(client, s.url("/"), http.StatusOK, "0123456789abcdef") })
	return s
}

// startEdgeSite runs a berth with a static site in a container, and returns the container's address, too.
func startEdgeSite(b *testing.B, pool string, args ...string) (s edgeServer, instance string) {
	b.Helper()
	p := pinnedBerth(b, append([]string{"--runtime", "docker", "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", pool, "--access-log", "off"}, args...)...)
	name := "berth"
	if len(args) > 0 {
		name = "berth-uncached"
	}
	return p.withPages(b, name), openEngine(b).instance(b, p).addr
}

// withPages gives the process a site with the two pages.
func (p *process) withPages(b *testing.B, name string) edgeServer {
	b.Helper()
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "load"}, http.StatusCreated, nil)
	page := func(size int) string { return strings.Repeat("0123456789abcdef", size/16) }
	release := zipped(b, "index.html", page(smallPage), "large.html", page(largePage))
	p.api(client, "POST", "/sites/load/releases?wait=live", release, http.StatusCreated, nil)
	return edgeServer{name, p.cmd.Process.Pid, p.https, "load." + testZone}.await(b)
}

func pinnedBerth(b *testing.B, args ...string) *process {
	b.Helper()
	p := newProcess(b, b.TempDir(), args...)
	p.pinned = true
	p.begin()
	return p
}

// edgeLoad runs h2load and keeps what the servers spent.
type edgeLoad struct {
	program string
	spent   map[string][]float64 // µs of processor time per request, by server, version and path
	slow    map[string][]float64 // µs that 99 of 100 requests stayed below
}

func (l *edgeLoad) measure(b *testing.B, s edgeServer, version, path string) {
	b.Helper()
	args := []string{"-c", "16", "-n", strconv.Itoa(edgeRequests), "--connect-to", s.addr}
	if version == "h1" {
		args = append(args, "--h1")
	} else {
		args = append(args, "-m", "4")
	}
	times := filepath.Join(b.TempDir(), "times")
	args = append(args, "--log-file", times, s.url(path))
	before := treeTime(b, s.pid)
	out, err := exec.Command("taskset", append([]string{"-c", "1", l.program}, args...)...).CombinedOutput()
	spent := treeTime(b, s.pid) - before
	if err != nil || !strings.Contains(string(out), fmt.Sprintf("%d succeeded, 0 failed", edgeRequests)) {
		b.Fatalf("h2load %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	key := s.name + " " + version + path
	l.spent[key] = append(l.spent[key], float64(spent.Microseconds())/edgeRequests)
	l.slow[key] = append(l.slow[key], ninetyNinth(b, times))
}

// ninetyNinth reads the third field of each line, the µs that a request took.
func ninetyNinth(b *testing.B, times string) float64 {
	f, err := os.Open(times)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var all []float64
	for lines := bufio.NewScanner(f); lines.Scan(); {
		took, err := strconv.ParseFloat(strings.Fields(lines.Text())[2], 64)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, took)
	}
	slices.Sort(all)
	return all[len(all)*99/100]
}

func (l *edgeLoad) log(b *testing.B, key string) {
	b.Logf("%-32s %6.1f µs of processor time per request, p99 %6.0f µs; rounds %.1f", key, middle(l.spent[key]), middle(l.slow[key]), l.spent[key])
}

// compare reports two servers' figures and their ratio in a line of its own.
func (l *edgeLoad) compare(b *testing.B, version, path string, of, to edgeServer) {
	b.Run(version+path+" of "+of.name+" and "+to.name, func(b *testing.B) {
		for _, s := range []edgeServer{of, to} {
			key := s.name + " " + version + path
			l.log(b, key)
			b.ReportMetric(middle(l.spent[key]), "µs-cpu/req-"+s.name)
			b.ReportMetric(middle(l.slow[key]), "µs-p99-"+s.name)
		}
		b.ReportMetric(middle(l.spent[of.name+" "+version+path])/middle(l.spent[to.name+" "+version+path]), "ratio")
		b.ReportMetric(0, "ns/op") // which is nothing here
	})
}

func middle(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// startNginx runs Debian's nginx with one worker in front of an instance.
func startNginx(b *testing.B, instance string) edgeServer {
	b.Helper()
	dir, addr := b.TempDir(), freePort(b)
	cert, key := benchPair(b, dir)
	conf := filepath.Join(dir, "nginx.conf")
	write(b, conf, fmt.Sprintf(`
daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
	access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	upstream instance { server %[2]s; keepalive 64; keepalive_requests 100000000; }
	server {
		listen %[3]s ssl http2;
		ssl_certificate %[4]s; ssl_certificate_key %[5]s; ssl_protocols TLSv1.3;
		location / { proxy_pass http://instance; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
	}
}`, dir, instance, addr, cert, key))
	return startPeer(b, "nginx", addr, dnstest.Need(b, "nginx"), "-c", conf)
}

// startCaddy runs Debian's Caddy in front of an instance.
func startCaddy(b *testing.B, instance string) edgeServer {
	b.Helper()
	dir, addr := b.TempDir(), freePort(b)
	cert, key := benchPair(b, dir)
	conf := filepath.Join(dir, "Caddyfile")
	write(b, conf, fmt.Sprintf(`
{
	admin off
	auto_https off
	storage file_system %s
}
https://%s {
	tls %s %s
	reverse_proxy %s
}`, dir, net.JoinHostPort("peer."+testZone, addr[strings.LastIndex(addr, ":")+1:]), cert, key, instance))
	return startPeer(b, "caddy", addr, dnstest.Need(b, "caddy"), "run", "--config", conf)
}

func startPeer(b *testing.B, name, addr, program string, args ...string) edgeServer {
	b.Helper()
	cmd := onServerCPU(program, args...)
	cmd.Env = append(os.Environ(), "HOME="+b.TempDir())
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	return edgeServer{name, cmd.Process.Pid, addr, "peer." + testZone}.await(b)
}

// benchPair writes a certificate of the kind that berth has: P-256.
func benchPair(b *testing.B, dir string) (cert, key string) {
	b.Helper()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	out, err := exec.Command(dnstest.Need(b, "openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
		"-days", "30", "-subj", "/CN=peer."+testZone, "-addext", "subjectAltName=DNS:peer."+testZone, "-keyout", key, "-out", cert).CombinedOutput()
	if err != nil {
		b.Fatalf("openssl: %v\n%s", err, out)
	}
	return cert, key
}

func write(b *testing.B, path, text string) {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The benchmarks measure the real process from outside. Their figures are ReportMetric's; ns/op says nothing here.

// BenchmarkCreate measures how long a new site takes to be there for resolvers and visitors.
func BenchmarkCreate(b *testing.B) {
	p := startBerth(b, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	client := p.client(nil)
	var dns, https []time.Duration
	for i := range 50 {
		name := fmt.Sprint("new", i)
		start := time.Now()
		p.api(client, "POST", "/sites", map[string]string{"name": name}, http.StatusCreated, nil)
		eventually(b, time.Minute, "the name is answered", func() error {
			_, err := p.resolver().LookupNetIP(b.Context(), "ip4", name+"."+testZone+".")
			return err
		})
		dns = append(dns, time.Since(start))
		visitor := p.client(nil) // a new connection, with its handshake
		eventually(b, time.Minute, "the placeholder is served", func() error {
			return checkPage(visitor, p.url(name, "/"), http.StatusOK, "")
		})
		https = append(https, time.Since(start))
		visitor.CloseIdleConnections()
	}
	b.ReportMetric(milliseconds(median(dns)), "ms-POST-to-DNS-answer")
	b.ReportMetric(milliseconds(median(https)), "ms-POST-to-HTTPS-200")
}

// BenchmarkUploadToLive measures an upload until its release serves, beside what the engine alone needs to create and
// start a container of the same image.
func BenchmarkUploadToLive(b *testing.B) {
	needDocker(b)
	p := startBerth(b, "--runtime", "docker", "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.85.0.0/20")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "up"}, http.StatusCreated, nil)
	zip := zipped(b, "index.html", strings.Repeat("<p>Hello</p>", 1000), "style.css", "p{color:red}")
	live := func() time.Duration {
		start := time.Now()
		p.api(client, "POST", "/sites/up/releases?wait=live", zip, http.StatusCreated, nil)
		return time.Since(start)
	}
	live() // the first one loads the image
	engine := openEngine(b)
	at := engine.instance(b, p)
	var uploads, alone []time.Duration
	for range 10 {
		uploads = append(uploads, live())
		alone = append(alone, engine.createAndStart(b, at))
	}
	b.ReportMetric(milliseconds(median(uploads)), "ms-upload-to-live")
	b.ReportMetric(milliseconds(median(alone)), "ms-engine-alone")
	b.ReportMetric(milliseconds(median(uploads)-median(alone)), "ms-above-engine")
	client.CloseIdleConnections()
	b.ReportMetric(p.settledMemory(), "MiB-idle-with-docker")
}

// manySites is the number of sites that must not matter.
const manySites = 10_000

// BenchmarkManySites measures memory idle and with many sites in the store, and the time of the last create beside an early one.
func BenchmarkManySites(b *testing.B) {
	args := []string{"--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard"}
	p := startBerth(b, args...)
	idle := p.settledMemory()
	client := p.client(nil)
	created := make([]time.Duration, manySites+10)
	for i := range created {
		start := time.Now()
		p.api(client, "POST", "/sites", map[string]string{"name": fmt.Sprint("site", i)}, http.StatusCreated, nil)
		created[i] = time.Since(start)
	}
	early, late := median(created[5:25]), median(created[manySites-10:])
	client.CloseIdleConnections()
	if err := p.terminate(); err != nil {
		b.Fatal(err)
	}
	p.start()
	p.awaitReady()
	many := p.settledMemory()
	b.ReportMetric(idle, "MiB-idle")
	b.ReportMetric(many-idle, "MiB-for-10000-sites")
	b.ReportMetric(milliseconds(early), "ms-10th-create")
	b.ReportMetric(milliseconds(late), "ms-10001st-create")
	b.ReportMetric(float64(late)/float64(early), "ratio-10001st/10th")
}

// processorTime is the user and system time that a process has used so far.
func processorTime(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		tb.Fatal(err1, err2)
	}
	const ticksPerSecond = 100 // Linux's USER_HZ
	return time.Duration(user+system) * (time.Second / ticksPerSecond)
}

// settledMemory is the resident memory in MiB once it no longer changes from second to second.
func (p *process) settledMemory() float64 {
	p.t.Helper()
	last, steady := -1.0, 0
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for steady < 5 {
		<-tick.C
		now := p.memory()
		if now > last*1.01 || now < last*0.99 {
			steady = 0
		}
		last, steady = now, steady+1
	}
	return last
}

func (p *process) memory() float64 {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kb, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.ParseFloat(strings.Fields(kb)[0], 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return n / 1024
		}
	}
	p.t.Fatal("no VmRSS")
	return 0
}

func median[T ~int64](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// engine speaks to the container engine with no library between.
type engine struct{ client *http.Client }

func openEngine(b *testing.B) engine {
	return engine{&http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", "/var/run/docker.sock")
	}}}}
}

func (e engine) call(b *testing.B, method, path string, in, out any) {
	b.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.Context(), method, "http://engine/v1.41"+path, bytes.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := e.client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if resp.StatusCode >= 300 {
		b.Fatalf("%s %s: %s", method, path, text)
	}
	if out != nil {
		if err := json.Unmarshal(text, out); err != nil {
			b.Fatal(err)
		}
	}
}

// instanceAt is the one container of an installation, with its image, network and address.
type instanceAt struct{ image, network, addr string }

func (e engine) instance(b *testing.B, p *process) instanceAt {
	b.Helper()
	var list []struct {
		ImageID         string
		NetworkSettings struct {
			Networks map[string]struct{ IPAddress string }
		}
	}
	e.call(b, "GET", `/containers/json?filters={"label":["`+strings.TrimPrefix(p.engineLabel(), "label=")+`"]}`, nil, &list)
	if len(list) != 1 {
		b.Fatalf("%d containers of the installation, want 1", len(list))
	}
	for name, n := range list[0].NetworkSettings.Networks {
		return instanceAt{list[0].ImageID, name, net.JoinHostPort(n.IPAddress, "8080")}
	}
	b.Fatal("the container has no network")
	return instanceAt{}
}

// apart is an address of the same network, too far on for berth to come to it during a benchmark.
func (at instanceAt) apart() string {
	ip := netip.MustParseAddrPort(at.addr).Addr().As4()
	ip[3] ^= 0x80
	return netip.AddrFrom4(ip).String()
}

// createAndStart measures a container of the same image on the same network, its address fixed too, with nothing of berth's around it.
func (e engine) createAndStart(b *testing.B, at instanceAt) time.Duration {
	b.Helper()
	content := b.TempDir()
	if err := os.WriteFile(filepath.Join(content, "index.html"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
	var made struct{ ID string }
	start := time.Now()
	e.call(b, "POST", "/containers/create", map[string]any{
		"Image":      at.image,
		"HostConfig": map[string]any{"Binds": []string{content + ":/content:ro"}, "ReadonlyRootfs": true, "NetworkMode": at.network},
		"NetworkingConfig": map[string]any{"EndpointsConfig": map[string]any{
			at.network: map[string]any{"IPAMConfig": map[string]string{"IPv4Address": at.apart()}},
		}},
	}, &made)
	defer e.call(b, "DELETE", "/containers/"+made.ID+"?force=1", nil, nil)
	e.call(b, "POST", "/containers/"+made.ID+"/start", nil, nil)
	return time.Since(start)
}

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// lastingTraffic is the part of the API's answer that the tests look at.
type lastingTraffic struct {
	Total struct {
		Requests, Visitors, Bytes int64
		Statuses                  map[string]int64
	}
	Paths, Referrers []struct {
		Name     string
		Requests int64
	}
}

// accessLines reads the access log of the only site of that name.
func (p *process) accessLines(site string) []string {
	p.t.Helper()
	paths, err := filepath.Glob(filepath.Join(p.dir, "logs", site+"-*", "access.log"))
	if err != nil || len(paths) != 1 {
		return nil
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func (p *process) awaitLines(site string, n int) []string {
	p.t.Helper()
	eventually(p.t, time.Minute, fmt.Sprintf("%d lines of %s", n, site), func() error {
		if lines := p.accessLines(site); len(lines) != n {
			return fmt.Errorf("there are %q", lines)
		}
		return nil
	})
	return p.accessLines(site)
}

// visit asks as someone who came from elsewhere.
func visit(t *testing.T, client *http.Client, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Referer", "https://News.Example.org/today?user=1")
	req.Header.Set("User-Agent", "tester \"1\"")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestTrafficOutlivesStopAndCrash visits a site, and wants the visits in its log at once and among the counts after a stop; a crash may lose the
// counts of the last minute, and nothing else.
func TestTrafficOutlivesStopAndCrash(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "shop"}, http.StatusCreated, nil)
	p.api(client, "POST", "/sites/shop/releases?wait=live", zipped(t, "index.html", "hello"), http.StatusCreated, nil)
	day := time.Now().UTC().Day()
	for _, path := range []string{"/", "/?secret=1", "/missing"} {
		visit(t, client, p.url("shop", path))
	}
	lines := p.awaitLines("shop", 3)
	want := `"GET /?secret=1 HTTP/2.0" 200 5 "https://News.Example.org/today?user=1" "tester \x221\x22"`
	if !strings.HasPrefix(lines[1], "127.0.0.1 - - [") || !strings.HasSuffix(lines[1], want) {
		t.Errorf("the second line is %s", lines[1])
	}
	status, text, err := p.call(client, "GET", "/sites/shop/access?tail=2", nil)
	if err != nil || status != http.StatusOK || string(text) != lines[1]+"\n"+lines[2]+"\n" {
		t.Errorf("the API tells status %d, %v: %s", status, err, text)
	}

	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.awaitReady()
	client = p.client(nil)
	var told lastingTraffic
	p.api(client, "GET", "/sites/shop/traffic", nil, http.StatusOK, &told)
	if n := told.Total; n.Requests != 3 || n.Visitors != 1 || n.Statuses["2xx"] != 2 || n.Statuses["4xx"] != 1 || n.Bytes < 10 {
		t.Errorf("after a stop the total is %+v", n)
	}
	if len(told.Paths) != 1 || told.Paths[0].Name != "/" || told.Paths[0].Requests != 2 {
		t.Errorf("the paths are %+v", told.Paths)
	}
	if len(told.Referrers) != 1 || told.Referrers[0].Name != "news.example.org" || told.Referrers[0].Requests != 3 {
		t.Errorf("the referrers are %+v", told.Referrers)
	}

	visit(t, client, p.url("shop", "/after"))
	p.awaitLines("shop", 4)
	if err := p.terminate(); err != nil {
		t.Fatal(err)
	}
	p.start()
	p.awaitReady()
	client = p.client(nil)
	p.api(client, "GET", "/sites/shop/traffic", nil, http.StatusOK, &told)
	if n := told.Total; n.Requests != 4 || n.Visitors != 1 && time.Now().UTC().Day() == day {
		t.Errorf("of one visitor who came before and after a stop is told %+v", n)
	}

	visit(t, client, p.url("shop", "/meanwhile"))
	p.awaitLines("shop", 5)
	p.kill()
	p.start()
	p.awaitReady()
	client = p.client(nil)
	p.api(client, "GET", "/sites/shop/traffic?step=hour", nil, http.StatusOK, &told)
	if n := told.Total.Requests; n != 4 && n != 5 {
		t.Errorf("after a crash there are %d requests", n)
	}
	visit(t, client, p.url("shop", "/again"))
	p.awaitLines("shop", 6)

	p.api(client, "DELETE", "/sites/shop", nil, http.StatusNoContent, nil)
	eventually(t, time.Minute, "the log is gone with its site", func() error {
		if left, _ := filepath.Glob(filepath.Join(p.dir, "logs", "shop-*")); len(left) > 0 {
			return fmt.Errorf("there is %v", left)
		}
		return nil
	})
}

// TestAccessLogIsFollowed reads along while a site is visited.
func TestAccessLogIsFollowed(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard", "--access-log", "json")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "shop"}, http.StatusCreated, nil)
	visit(t, client, p.url("shop", "/before"))
	p.awaitLines("shop", 1)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url("", "/api/v1/sites/shop/access?follow=1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	in := bufio.NewScanner(resp.Body)
	for _, path := range []string{"/before", "/meanwhile"} {
		if path == "/meanwhile" {
			visit(t, client, p.url("shop", path))
		}
		var line struct {
			Target, Host string
			Status       int
		}
		if !in.Scan() {
			t.Fatalf("the log ends before %s: %v", path, in.Err())
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil || line.Target != path || line.Host != "shop."+testZone || line.Status != http.StatusOK {
			t.Errorf("the line is %s, %v", in.Text(), err)
		}
	}
}

func TestMetricsAreForPrometheus(t *testing.T) {
	p := startBerth(t, "--runtime", "embedded", "--acme-ca", "internal", "--certificates", "wildcard", "--admin-addr", "127.0.0.1:0")
	client := p.client(nil)
	p.api(client, "POST", "/sites", map[string]string{"name": "shop"}, http.StatusCreated, nil)
	visit(t, client, p.url("shop", "/"))
	p.awaitLines("shop", 1)
	base := "http://" + p.log.admin
	for path, want := range map[string]int{
		"/healthz": http.StatusOK, "/debug/pprof/": http.StatusOK, "/debug/pprof/goroutine?debug=1": http.StatusOK, "/": http.StatusNotFound,
	} {
		if status, _, err := get(http.DefaultClient, base+path); err != nil || status != want {
			t.Errorf("%s: status %d, %v", path, status, err)
		}
	}
	resp, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"berth_build_info", "berth_ready", "berth_http_requests_total", "berth_http_responses_total", "berth_http_requests_in_flight", "berth_instances",
		"berth_access_log_lines_total", "berth_access_dropped_total", "berth_certificates", "berth_certificate_expiry_timestamp_seconds",
		"berth_acme_orders_total", "berth_dns_queries_total", "berth_dns_queries_by_type_total", "berth_dns_answers_total",
		"berth_dns_transfers_total",
		"go_goroutines", "process_open_fds",
	} {
		if families[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if strings.Contains(label.GetValue(), "shop") {
					t.Errorf("%s is told apart by site: %v", name, m)
				}
			}
		}
	}
	if n := families["berth_access_log_lines_total"].GetMetric()[0].GetCounter().GetValue(); n != 1 {
		t.Errorf("%v lines are counted", n)
	}
}

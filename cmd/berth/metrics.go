package main

import (
	"runtime"
	"strconv"
	"time"

	"berth/sites"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics reads the servers' counters when it is asked: nothing is counted twice, and nothing costs while nobody asks. No metric is told
// apart by site, of which there may be thousands.
type metrics struct {
	program *program
	all     map[string]*prometheus.Desc
}

// metric is one family: its name without the prefix berth_, and what it is told apart by.
type metric struct {
	name, help string
	labels     []string
}

func newMetrics(p *program) *metrics {
	m := &metrics{program: p, all: make(map[string]*prometheus.Desc)}
	for _, f := range families() {
		m.all[f.name] = prometheus.NewDesc("berth_"+f.name, f.help, f.labels, nil)
	}
	return m
}

func families() []metric {
	return []metric{
		{"build_info", "The version of berth and of Go; the value is 1.", []string{"version", "goversion"}},
		{"ready", "1 once names and routes are being served.", nil},
		{"start_timestamp_seconds", "When berth was started.", nil},

		{"http_requests_total", "Requests over HTTPS, those for the panel among them.", nil},
		{"http_requests_in_flight", "Requests over HTTPS now, upgraded connections among them.", nil},
		{"http_responses_total", "Answers to requests for sites, by version of HTTP and class of status; 4xx holds clients that left.", []string{"version", "class"}},
		{"http_unanswered_total", "Requests that no instance could answer.", nil},
		{"http_retries_total", "Requests that were sent to another instance when the first did not answer.", nil},
		{"http_hosts", "Host names that route to a site.", nil},
		{"instances", "Addresses of instances that requests go to, or still run at after they were replaced.", []string{"state"}},

		{"cache_requests_total", "Requests that the cache answered, in part with what was past its time, or might have.", []string{"outcome"}},
		{"cache_entries", "Responses in the cache.", nil},
		{"cache_bytes", "Bytes that they take.", nil},

		{"access_log_lines_total", "Lines written to access logs.", nil},
		{"access_log_lost_total", "Lines that the disk did not take.", nil},
		{"access_log_bytes", "Bytes that all access logs take.", nil},
		{"access_dropped_total", "Requests that are in no log and no statistics, as there were too many at once.", nil},

		{"certificates", "Certificates that exist or are to exist, by state.", []string{"state"}},
		{"certificate_expiry_timestamp_seconds", "When the certificates of the zone's own names expire.", []string{"host"}},
		{"certificates_earliest_expiry_timestamp_seconds", "When the next of all certificates expires.", nil},
		{"acme_orders_total", "Orders of certificates, renewals among them: issued ones, and attempts that failed.", []string{"outcome"}},

		{"dns_queries_total", "DNS queries by transport.", []string{"transport"}},
		{"dns_queries_by_type_total", "DNS queries by type.", []string{"type"}},
		{"dns_answers_total", "DNS answers by code.", []string{"rcode"}},
		{"dns_rate_limited_total", "DNS answers that rate limiting has cut short or left out.", []string{"action"}},
		{"dns_truncated_total", "DNS answers that did not fit.", nil},
		{"dns_dropped_total", "Packets that were no DNS queries.", nil},
		{"dns_failed_total", "DNS queries that ended in a fault of berth's.", nil},
		{"dns_transfers_total", "AXFR, IXFR and NOTIFY, out to peers and in from primaries, and what came of them.", []string{"direction", "kind", "result"}},
		{"dns_connections", "TCP and TLS connections of the DNS server now.", nil},
		{"dns_zones", "Zones that are answered for.", nil},
		{"dns_names", "Existing names of all zones.", nil},
		{"dns_serial", "Serial of the main zone.", nil},
	}
}

// Describe is prometheus.Collector's.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range m.all {
		to <- desc
	}
}

// Collect is prometheus.Collector's.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	s := scrape{m.all, to}
	m.process(s)
	m.edge(s)
	m.visits(s)
	m.certificates(s)
	m.dns(s)
}

// scrape is one asking.
type scrape struct {
	all map[string]*prometheus.Desc
	to  chan<- prometheus.Metric
}

func (s scrape) counter(name string, n uint64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(s.all[name], prometheus.CounterValue, float64(n), labels...)
}

func (s scrape) gauge(name string, n float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(s.all[name], prometheus.GaugeValue, n, labels...)
}

func (m *metrics) process(s scrape) {
	s.gauge("build_info", 1, version, runtime.Version())
	s.gauge("start_timestamp_seconds", seconds(m.program.started))
	ready := 0.0
	if m.program.service.Ready() {
		ready = 1
	}
	s.gauge("ready", ready)
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

func (m *metrics) edge(s scrape) {
	stats := m.program.edge.Stats()
	s.counter("http_requests_total", stats.Served)
	s.gauge("http_requests_in_flight", float64(stats.InFlight))
	s.counter("http_unanswered_total", stats.Failures)
	s.counter("http_retries_total", stats.Retries)
	s.gauge("http_hosts", float64(stats.Hosts))
	s.counter("cache_requests_total", stats.Cache.Hits-stats.Cache.Stale, "hit")
	s.counter("cache_requests_total", stats.Cache.Stale, "stale")
	s.counter("cache_requests_total", stats.Cache.Misses, "miss")
	s.gauge("cache_entries", float64(stats.Cache.Entries))
	s.gauge("cache_bytes", float64(stats.Cache.Bytes))
	s.gauge("instances", float64(stats.Instances-stats.Draining-stats.LeftOut), "serving")
	s.gauge("instances", float64(stats.Draining), "draining")
	s.gauge("instances", float64(stats.LeftOut), "left_out")
	s.counter("access_dropped_total", stats.Unlogged)
	for _, r := range m.program.edge.Responses() {
		s.counter("http_responses_total", r.Count, strconv.Itoa(r.Major), strconv.Itoa(r.Class)+"xx")
	}
}

func (m *metrics) visits(s scrape) {
	stats := m.program.visits.Stats()
	s.counter("access_log_lines_total", stats.Lines)
	s.counter("access_log_lost_total", stats.Lost)
	s.gauge("access_log_bytes", float64(stats.Bytes))
}

func (m *metrics) certificates(s scrape) {
	states := map[sites.CertificateState]int{sites.CertificateValid: 0, sites.CertificatePending: 0, sites.CertificateFailed: 0}
	own := map[string]bool{m.program.cfg.Zone: true, "*." + m.program.cfg.Zone: true, m.program.cfg.PanelHost: true}
	var earliest time.Time
	for _, c := range m.program.certs.Certificates() {
		states[c.State]++
		if c.State != sites.CertificateValid {
			continue
		}
		if own[c.Host] {
			s.gauge("certificate_expiry_timestamp_seconds", seconds(c.NotAfter), c.Host)
		}
		if earliest.IsZero() || c.NotAfter.Before(earliest) {
			earliest = c.NotAfter
		}
	}
	for state, n := range states {
		s.gauge("certificates", float64(n), string(state))
	}
	if !earliest.IsZero() {
		s.gauge("certificates_earliest_expiry_timestamp_seconds", seconds(earliest))
	}
	orders := m.program.certs.Orders()
	s.counter("acme_orders_total", orders.Issued, "issued")
	s.counter("acme_orders_total", orders.Failed, "failed")
}

func (m *metrics) dns(s scrape) {
	stats := m.program.dns.Stats()
	s.counter("dns_queries_total", stats.UDP, "udp")
	s.counter("dns_queries_total", stats.TCP, "tcp")
	s.counter("dns_queries_total", stats.TLS, "tls")
	for name, n := range stats.Types {
		s.counter("dns_queries_by_type_total", n, name)
	}
	for name, n := range stats.Rcodes {
		s.counter("dns_answers_total", n, name)
	}
	s.counter("dns_rate_limited_total", stats.Slipped, "slipped")
	s.counter("dns_rate_limited_total", stats.Limited, "dropped")
	s.counter("dns_truncated_total", stats.Truncated)
	s.counter("dns_dropped_total", stats.Dropped)
	s.counter("dns_failed_total", stats.Failed)
	for o, n := range stats.Transfers {
		s.counter("dns_transfers_total", n, o.Direction, o.Kind, o.Result)
	}
	s.gauge("dns_connections", float64(stats.Connections))
	s.gauge("dns_zones", float64(stats.Zones))
	s.gauge("dns_names", float64(stats.Names))
	s.gauge("dns_serial", float64(stats.Serial))
}

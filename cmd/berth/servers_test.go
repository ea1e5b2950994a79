package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

func TestMissingCertificate(t *testing.T) {
	valid := func(host string) sites.Certificate {
		return sites.Certificate{Host: host, State: sites.CertificateValid}
	}
	failed := sites.Certificate{Host: "*.a.example", State: sites.CertificateFailed, LastError: "The CA says no."}
	for _, tc := range []struct {
		name string
		list []sites.Certificate
		want string
	}{
		{"both", []sites.Certificate{valid("*.a.example"), valid("a.example")}, ""},
		{"a site's does not matter", []sites.Certificate{valid("*.a.example"), valid("a.example"), {Host: "b.a.example", State: sites.CertificateFailed}}, ""},
		{"the wildcard failed", []sites.Certificate{failed, valid("a.example")}, "There is no certificate for *.a.example yet. The CA says no."},
		{"the apex is ordered", []sites.Certificate{valid("*.a.example"), {Host: "a.example", State: sites.CertificatePending}}, "There is no certificate for a.example yet."},
		{"none is known", nil, "There is no certificate for *.a.example yet."},
	} {
		if got := missingCertificate("a.example", tc.list); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// TestStatusTellsOfCertificates asks the status of a server whose CA is away, and of one whose CA is there.
func TestStatusTellsOfCertificates(t *testing.T) {
	for _, tc := range []struct{ ca, want string }{
		{"https://127.0.0.1:1/directory", "There is no certificate for *." + testZone + " yet. "},
		{"internal", ""},
	} {
		p := startBerth(t, "--runtime", "embedded", "--acme-ca", tc.ca, "--certificates", "wildcard")
		client := p.client(nil)
		eventually(t, time.Minute, "the status of the certificates with --acme-ca "+tc.ca, func() error {
			var status struct {
				Servers []struct{ Name, Error string }
			}
			p.api(client, "GET", "/status", nil, http.StatusOK, &status)
			for _, s := range status.Servers {
				if s.Name == "Certificates" && strings.HasPrefix(s.Error, tc.want) && (s.Error == "") == (tc.want == "") {
					return nil
				}
			}
			return fmt.Errorf("%+v", status.Servers)
		})
	}
}

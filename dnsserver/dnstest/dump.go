package dnstest

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// Transfer asks a server for a whole zone (RFC 5936) and returns its records, the SOA record first and once.
func Transfer(addr netip.AddrPort, zone string, key *Key) ([]dns.RR, error) {
	query := new(dns.Msg)
	query.SetAxfr(dns.Fqdn(zone))
	transfer := &dns.Transfer{ReadTimeout: 10 * time.Second}
	if key != nil {
		name := dns.Fqdn(key.Name)
		query.SetTsig(name, dns.Fqdn(key.Algorithm), 300, time.Now().Unix())
		transfer.TsigSecret = map[string]string{name: base64.StdEncoding.EncodeToString(key.Secret)}
	}
	envelopes, err := transfer.In(query, addr.String())
	if err != nil {
		return nil, fmt.Errorf("transfer %s: %w", zone, err)
	}
	var all []dns.RR
	for envelope := range envelopes {
		if envelope.Error != nil {
			err = envelope.Error
			continue
		}
		all = append(all, envelope.RR...)
	}
	if err != nil {
		return nil, fmt.Errorf("transfer %s: %w", zone, err)
	}
	if len(all) < 2 {
		return nil, fmt.Errorf("transfer %s: %d records", zone, len(all))
	}
	return all[:len(all)-1], nil
}

// Dump is a whole zone as text: a sorted line for each record.
func Dump(t testing.TB, addr netip.AddrPort, zone string, key *Key) []string {
	t.Helper()
	rrs, err := Transfer(addr, zone, key)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]string, len(rrs))
	for i, rr := range rrs {
		text[i] = rr.String()
	}
	slices.Sort(text)
	return text
}

// Serial asks a server for the serial of a zone; it is 0 as long as there is none.
func Serial(addr netip.AddrPort, zone string) uint32 {
	query := new(dns.Msg)
	query.SetQuestion(dns.Fqdn(zone), dns.TypeSOA)
	client := &dns.Client{Timeout: time.Second}
	answer, _, err := client.Exchange(query, addr.String())
	if err != nil || len(answer.Answer) == 0 {
		return 0
	}
	if soa, ok := answer.Answer[0].(*dns.SOA); ok {
		return soa.Serial
	}
	return 0
}

package transfer

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"berth/dnsserver/zone"
	"berth/sites"

	"github.com/miekg/dns"
)

var testKeys = []sites.TSIGKey{
	{Name: "sha256.test", Algorithm: sites.TSIGSHA256, Secret: []byte("0123456789abcdef0123456789abcdef")},
	{Name: "sha512.test", Algorithm: sites.TSIGSHA512, Secret: []byte("fedcba9876543210fedcba9876543210")},
}

func secretOf(k sites.TSIGKey) string { return base64.StdEncoding.EncodeToString(k.Secret) }

const (
	friend   = "192.0.2.10:5300"     // may transfer without a key
	keyed    = "198.51.100.10:5300"  // may with the first
	stranger = "203.0.113.100:53000" // may with the second, as from anywhere
)

// newPrimary returns a service with the zone example.test, which has so many further names.
func newPrimary(t testing.TB, names int) (*Service, *zone.Zone) {
	t.Helper()
	z, err := zone.New(zone.Config{Name: "example.test", IPv4: []netip.Addr{netip.MustParseAddr("192.0.2.1")}})
	if err != nil {
		t.Fatal(err)
	}
	change := sites.Change{Revision: 1, Full: true}
	for i := range names {
		change.RRSets = append(change.RRSets, addressSet(i))
	}
	z.Apply(change)
	s := New(Config{})
	s.Put(sites.PublishedZone{TSIG: testKeys, Zone: sites.Zone{Name: "example.test", Kind: sites.ZonePrimary, Peers: []sites.Peer{
		{Name: "friend", From: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}},
		{Name: "keyed", From: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}, Key: testKeys[0].Name},
		{Name: "anywhere", Key: testKeys[1].Name},
	}}}, z)
	return s, z
}

func addressSet(i int) sites.RRSet {
	return sites.RRSet{Name: fmt.Sprintf("host-%d.example.test", i), Type: "A", TTL: 60, Data: []string{fmt.Sprintf("192.0.2.%d", i%250)}}
}

// serve gives a packet to the service and returns the messages of the answer.
func serve(t testing.TB, s *Service, client string, datagram bool, packet []byte) (messages [][]byte) {
	t.Helper()
	err := s.Serve(context.Background(), Request{
		Packet: packet, Client: netip.MustParseAddrPort(client), Datagram: datagram,
		Answer: func(out, packet []byte, reserve int) []byte {
			out = append(out, packet...)
			out[2] |= 0x80
			return out
		},
		Write: func(message []byte) error {
			messages = append(messages, bytes.Clone(message))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func axfr() *dns.Msg { return new(dns.Msg).SetAxfr("example.test.") }

func ixfr(serial uint32) *dns.Msg {
	return new(dns.Msg).SetIxfr("example.test.", serial, "ns1.example.test.", "hostmaster.example.test.")
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	packet, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func unpack(t testing.TB, packet []byte) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	if err := m.Unpack(packet); err != nil {
		t.Fatalf("%x: %v", packet, err)
	}
	return m
}

// signedBy signs with the library, at a time.
func signedBy(t testing.TB, m *dns.Msg, k sites.TSIGKey, at time.Time) (packet []byte, mac string) {
	t.Helper()
	m.SetTsig(dns.Fqdn(k.Name), dns.Fqdn(k.Algorithm), 300, at.Unix())
	packet, mac, err := dns.TsigGenerate(m, secretOf(k), "", false)
	if err != nil {
		t.Fatal(err)
	}
	return packet, mac
}

// fakeNet answers whatever is dialed by a function, without sockets: so the clock of synctest is that of both sides.
type fakeNet struct {
	answer func(network, addr string, q *dns.Msg) []*dns.Msg // nil: no answer
}

func (f *fakeNet) dial(_ context.Context, network, addr string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go f.serve(theirs, network, addr)
	return ours, nil
}

func (f *fakeNet) serve(conn net.Conn, network, addr string) {
	defer conn.Close()
	for {
		packet, err := f.read(conn, network)
		if err != nil {
			return
		}
		q := new(dns.Msg)
		if q.Unpack(packet) != nil {
			return
		}
		for _, m := range f.answer(network, addr, q) {
			out, err := m.Pack()
			if err != nil {
				return
			}
			if network == "tcp" {
				out = append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)
			}
			if _, err := conn.Write(out); err != nil {
				return
			}
		}
	}
}

func (f *fakeNet) read(conn net.Conn, network string) ([]byte, error) {
	packet := make([]byte, 65535)
	if network == "udp" {
		n, err := conn.Read(packet)
		return packet[:n], err
	}
	if _, err := io.ReadFull(conn, packet[:2]); err != nil {
		return nil, err
	}
	packet = packet[:binary.BigEndian.Uint16(packet)]
	_, err := io.ReadFull(conn, packet)
	return packet, err
}

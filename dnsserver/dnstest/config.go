package dnstest

import (
	"encoding/base64"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Config is what a nameserver serves.
type Config struct {
	Addr    netip.AddrPort // to listen on; default: a free port
	Zones   []Zone
	Keys    []Key
	Workers int  // processes or threads that answer over UDP; default 1
	Debug   bool // BIND logs more, among it which transfers are incremental
}

func (c Config) workers() int { return max(c.Workers, 1) }

func (c Config) debug() string {
	if c.Debug {
		return "3"
	}
	return "0"
}

// Zone is one zone of a nameserver: a primary when File is set, else a secondary.
type Zone struct {
	Name      string // without trailing dot
	File      string // content, in presentation format
	Primaries []Peer // of a secondary
	Peers     []Peer // that are notified and may transfer the zone
	Allow     []Peer // that may transfer it and are not notified
}

// Peer is another nameserver.
type Peer struct {
	Addr netip.AddrPort
	Key  string // name of a TSIG key, empty for none
}

// Key is a TSIG key.
type Key struct {
	Name      string // without trailing dot
	Algorithm string // such as hmac-sha256
	Secret    []byte
}

func (k Key) base64() string { return base64.StdEncoding.EncodeToString(k.Secret) }

// ZoneFile is the path of a zone's file, which a primary reads at its start and at Reload.
func (s *Server) ZoneFile(zone string) string { return filepath.Join(s.Dir, zone+".zone") }

// Replace puts new content in place of a primary zone's and makes the server read it.
func (s *Server) Replace(t testing.TB, zone, content string) {
	t.Helper()
	write(t, s.ZoneFile(zone), content)
	s.Reload(t)
}

// writeZones writes the files of primary zones, unless they are there from an earlier start.
func (s *Server) writeZones(t testing.TB, cfg Config) {
	t.Helper()
	for _, z := range cfg.Zones {
		if _, err := os.Stat(s.ZoneFile(z.Name)); err != nil && z.File != "" {
			write(t, s.ZoneFile(z.Name), z.File)
		}
	}
}

// lines collects a configuration file.
type lines struct{ strings.Builder }

func (l *lines) add(parts ...string) {
	l.WriteString(strings.Join(parts, " "))
	l.WriteByte('\n')
}

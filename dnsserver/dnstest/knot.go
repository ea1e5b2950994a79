package dnstest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Knot starts knotd. It makes IXFR from the differences between zone files.
func Knot(t testing.TB, cfg Config) *Server {
	t.Helper()
	path := Need(t, "knotd")
	return launch(t, cfg.Addr, func(s *Server) *exec.Cmd {
		conf := filepath.Join(s.Dir, "knot.conf")
		s.writeZones(t, cfg)
		write(t, conf, s.knotConf(cfg))
		return exec.Command(path, "-c", conf)
	})
}

func (s *Server) knotConf(cfg Config) string {
	var l lines
	l.add(fmt.Sprintf(`server:
    rundir: %q
    listen: 127.0.0.1@%d
    udp-workers: %d
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: debug
database:
    storage: %q
    journal-db-max-size: 50M
    kasp-db-max-size: 10M
    timer-db-max-size: 10M
    catalog-db-max-size: 10M`, s.Dir, s.Addr.Port(), cfg.workers(), s.Dir))
	if len(cfg.Keys) > 0 {
		l.add("key:")
	}
	for _, k := range cfg.Keys {
		l.add(fmt.Sprintf("  - id: %s.\n    algorithm: %s\n    secret: %s", k.Name, k.Algorithm, k.base64()))
	}
	remotes, acls, zones := s.knotZones(cfg)
	if remotes != "" {
		l.add("remote:\n" + remotes + "acl:\n" + acls)
	}
	l.add("zone:\n" + zones)
	return l.String()
}

func (s *Server) knotZones(cfg Config) (remotes, acls, zones string) {
	for i, z := range cfg.Zones {
		var ids [3][]string // primaries, peers, allowed
		for kind, peers := range [][]Peer{z.Primaries, z.Peers, z.Allow} {
			for j, p := range peers {
				id := fmt.Sprintf("z%d-%d-%d", i, kind, j)
				ids[kind] = append(ids[kind], id)
				remotes += fmt.Sprintf("  - id: %s\n    address: %s@%d\n", id, p.Addr.Addr(), p.Addr.Port())
				acls += fmt.Sprintf("  - id: %s\n    address: %s\n    action: [transfer, notify]\n", id, p.Addr.Addr())
				if p.Key != "" {
					remotes += fmt.Sprintf("    key: %s.\n", p.Key)
					acls += fmt.Sprintf("    key: %s.\n", p.Key)
				}
			}
		}
		zones += fmt.Sprintf("  - domain: %s.\n    storage: %q\n    file: %q\n    zonefile-load: difference\n", z.Name, s.Dir, s.ZoneFile(z.Name))
		if len(ids[0]) > 0 {
			zones += fmt.Sprintf("    master: [%s]\n", strings.Join(ids[0], ", "))
		}
		if len(ids[1]) > 0 {
			zones += fmt.Sprintf("    notify: [%s]\n", strings.Join(ids[1], ", "))
		}
		if all := slices.Concat(ids[0], ids[1], ids[2]); len(all) > 0 {
			zones += fmt.Sprintf("    acl: [%s]\n", strings.Join(all, ", "))
		}
	}
	return remotes, acls, zones
}

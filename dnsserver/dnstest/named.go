package dnstest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Named starts BIND. It makes IXFR from the differences between zone files.
func Named(t testing.TB, cfg Config) *Server {
	t.Helper()
	path := Need(t, "named")
	return launch(t, cfg.Addr, func(s *Server) *exec.Cmd {
		conf := filepath.Join(s.Dir, "named.conf")
		s.writeZones(t, cfg)
		write(t, conf, s.namedConf(cfg))
		return exec.Command(path, "-g", "-d", cfg.debug(), "-n", strconv.Itoa(cfg.workers()), "-c", conf)
	})
}

func (s *Server) namedConf(cfg Config) string {
	var l lines
	l.add(fmt.Sprintf(`options {
	directory %q; pid-file none; session-keyfile none; lock-file none;
	listen-on port %d { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; allow-transfer { none; }; allow-query { any; };
	notify explicit; notify-delay 0; serial-query-rate 200; ixfr-from-differences yes; masterfile-format text;
	min-refresh-time 1; min-retry-time 1;
};
controls { };
logging { category default { default_stderr; }; category xfer-in { default_debug; default_stderr; }; };`, s.Dir, s.Addr.Port()))
	for _, k := range cfg.Keys {
		l.add(fmt.Sprintf("key %q { algorithm %s; secret %q; };", k.Name, k.Algorithm, k.base64()))
	}
	for _, z := range cfg.Zones {
		l.add(fmt.Sprintf("zone %q {", z.Name))
		kind := "primary"
		if z.File == "" {
			kind = "secondary"
			l.add("primaries {", namedPeers(z.Primaries), "};")
		}
		l.add(fmt.Sprintf("type %s; file %q;", kind, s.ZoneFile(z.Name)))
		l.add("also-notify {", namedPeers(z.Peers), "};")
		l.add("allow-transfer {", namedAllowed(z.Peers), namedAllowed(z.Allow), "};")
		l.add("};")
	}
	return l.String()
}

func namedPeers(peers []Peer) (text string) {
	for _, p := range peers {
		text += fmt.Sprintf("%s port %d", p.Addr.Addr(), p.Addr.Port())
		if p.Key != "" {
			text += fmt.Sprintf(" key %q", p.Key)
		}
		text += "; "
	}
	return text
}

func namedAllowed(peers []Peer) (text string) {
	for _, p := range peers {
		if p.Key != "" {
			text += fmt.Sprintf("key %q; ", p.Key)
		} else {
			text += p.Addr.Addr().String() + "; "
		}
	}
	return text
}

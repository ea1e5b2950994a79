package dnstest

import (
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"testing"
)

// Unbound starts the resolver. Config has further lines of its server clause, then clauses such as stub-zone.
func Unbound(t testing.TB, config string) *Server {
	t.Helper()
	path := Need(t, "unbound")
	return launch(t, netip.AddrPort{}, func(s *Server) *exec.Cmd {
		conf := filepath.Join(s.Dir, "unbound.conf")
		write(t, conf, fmt.Sprintf(`server:
	interface: 127.0.0.1
	port: %d
	directory: %q
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	logfile: ""
	verbosity: 1
	num-threads: 1
	do-not-query-localhost: no
	do-daemonize: no
	access-control: 127.0.0.0/8 allow
%s
remote-control:
	control-enable: no
`, s.Addr.Port(), s.Dir, config))
		return exec.Command(path, "-d", "-c", conf)
	})
}

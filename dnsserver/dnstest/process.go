package dnstest

import (
	"bytes"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// patience is how long a condition may take to hold.
const patience = 20 * time.Second

// Need returns the path of a program. Without it the test is skipped, unless the environment's BERTH_REQUIRE, a list
// with commas, demands it.
func Need(t testing.TB, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	if slices.Contains(strings.Split(os.Getenv("BERTH_REQUIRE"), ","), program) {
		t.Fatalf("BERTH_REQUIRE asks for %s, and it is not installed", program)
	}
	t.Skipf("%s is not installed", program)
	return ""
}

// Server is a nameserver that runs until the test ends.
type Server struct {
	Addr netip.AddrPort // of UDP and TCP
	Dir  string         // of its files

	mu     sync.Mutex
	log    bytes.Buffer
	child  *exec.Cmd
	exited chan struct{}
	make   func(s *Server) *exec.Cmd
}

// Write takes what the program prints.
func (s *Server) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(p)
}

// Log is all that the program has printed.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// launch starts a server with the command that build returns, and waits until it answers. Without an address it takes a free port.
func launch(t testing.TB, addr netip.AddrPort, build func(s *Server) *exec.Cmd) *Server {
	t.Helper()
	s := &Server{Dir: t.TempDir(), make: build}
	t.Cleanup(s.Stop)
	for range 3 {
		if s.Addr = addr; !addr.IsValid() {
			s.Addr = FreePort(t)
		}
		s.Start(t)
		if s.answers() {
			return s
		}
		s.Stop()
		if !strings.Contains(s.Log(), "in use") { // else another process was quicker to take the port
			break
		}
	}
	t.Fatalf("the nameserver does not answer:\n%s", s.Log())
	return nil
}

// Start starts the program, on the same port with the same files. It does not wait until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.child = s.make(s)
	s.child.Dir, s.child.Stdout, s.child.Stderr = s.Dir, s, s
	s.child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.child.Start(); err != nil {
		t.Fatal(err)
	}
	exited, child := make(chan struct{}), s.child
	s.exited = exited
	go func() {
		_ = child.Wait()
		close(exited)
	}()
}

// PID is the process that was started; it may have children.
func (s *Server) PID() int { return s.child.Process.Pid }

// Stop ends the program and waits for it. It may be started again.
func (s *Server) Stop() {
	if s.child == nil {
		return
	}
	_ = s.child.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(-s.child.Process.Pid, syscall.SIGKILL) // its children, if it has left any
	<-s.exited
	s.child = nil
}

// Reload makes the program read its zone files again.
func (s *Server) Reload(t testing.TB) {
	t.Helper()
	if err := s.child.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// answers waits until the server answers anything at all.
func (s *Server) answers() bool {
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	probe := new(dns.Msg)
	probe.SetQuestion("probe.invalid.", dns.TypeSOA)
	for {
		select {
		case <-s.exited:
			return false
		case <-deadline:
			return false
		case <-tick.C:
		}
		client := &dns.Client{Net: "tcp", Timeout: time.Second}
		if _, _, err := client.Exchange(probe, s.Addr.String()); err != nil {
			continue
		}
		client.Net = "udp"
		if _, _, err := client.Exchange(probe, s.Addr.String()); err == nil {
			return true
		}
	}
}

// FreePort returns an address of 127.0.0.1 whose port nobody has bound, for UDP or TCP. It lies below those that the system
// gives to sockets which ask for any, so that it is still free a moment later.
func FreePort(t testing.TB) netip.AddrPort {
	t.Helper()
	for range 100 {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(10_000+rand.N(22_000)))
		listener, err := net.Listen("tcp", addr.String())
		if err != nil {
			continue
		}
		conn, err := net.ListenPacket("udp", addr.String())
		_ = listener.Close()
		if err == nil {
			_ = conn.Close()
			return addr
		}
	}
	t.Fatal("no port is free for both transports")
	return netip.AddrPort{}
}

// Eventually polls until a condition holds, and fails the test with what it is when that takes too long.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("%s: not within %s", what, patience)
		case <-tick.C:
		}
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

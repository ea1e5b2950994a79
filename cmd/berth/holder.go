package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	psnet "github.com/shirou/gopsutil/v4/net"
	processes "github.com/shirou/gopsutil/v4/process"
)

// lockHolder is the process that has the lock of a data directory open: the service that runs there. It is 0 where there is none that can
// be seen, as to see those of others takes root.
func lockHolder(dataDir string) int {
	path, err := filepath.Abs(lockPath(dataDir))
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return 0
	}
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == path {
			pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
			return pid
		}
	}
	return 0
}

// portsTaken says, in a sentence each, which of the addresses to listen on other programs have, over TCP or UDP.
func portsTaken(ctx context.Context, addrs ...string) (said []string) {
	found, err := psnet.ConnectionsWithContext(ctx, "inet")
	if err != nil {
		return nil
	}
	for _, addr := range addrs {
		for _, conn := range found {
			network := map[uint32]string{1: "TCP", 2: "UDP"}[conn.Type]
			if network == "TCP" && conn.Status != "LISTEN" || network == "UDP" && conn.Raddr.Port != 0 || !meet(addr, conn.Laddr) {
				continue
			}
			said = append(said, fmt.Sprintf("%s, which it listens on, is taken over %s by %s.", addr, network, programOf(ctx, conn.Pid)))
		}
	}
	slices.Sort(said)
	return slices.Compact(said)
}

// meet reports whether nobody else can listen on addr while somebody listens on taken.
func meet(addr string, taken psnet.Addr) bool {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port != strconv.Itoa(int(taken.Port)) {
		return false
	}
	at, there := net.ParseIP(host), net.ParseIP(taken.IP)
	return at == nil || at.IsUnspecified() || there == nil || there.IsUnspecified() || at.Equal(there)
}

func programOf(ctx context.Context, pid int32) string {
	p, err := processes.NewProcessWithContext(ctx, pid)
	if err != nil {
		return "another program"
	}
	name, err := p.NameWithContext(ctx)
	if err != nil {
		name = "another program"
	}
	return fmt.Sprintf("%s (process %d)", name, pid)
}

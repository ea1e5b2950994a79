package proxy

import "syscall"

// descriptors bounds the open files of the three that visitors can have opened, so that the rest of the process always
// finds some left: databases, DNS over TCP, the engine, the panel's uploads.
type descriptors struct {
	clients     int // connections of clients
	perClient   int // those of one client
	instances   int // connections to instances
	perInstance int // those to one instance
	files       int // requests that are answered from a release's files, with one open at most
}

// What a server is taken to bear, however many files it may open: a client's connection costs some 40 KiB of memory.
const mostConnections = 16 << 10

// shares divides the limit of open files: a quarter for clients, a quarter for instances, an eighth for files.
func shares(limit uint64) descriptors {
	d := descriptors{
		clients:   int(min(limit/4, mostConnections)),
		instances: int(min(limit/4, mostConnections)),
		files:     int(min(limit/8, mostConnections)),
	}
	d.perClient = min(512, d.clients/4) // many people can share an address
	d.perInstance = min(256, d.instances/2)
	return d
}

// openFiles is how many files the process may have open. The runtime has raised the limit as far as it could.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what is usual
	}
	return limit.Cur
}

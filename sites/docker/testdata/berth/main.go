// Command berth stands in for the real one inside the containers of this package's tests: it has the same command line
// and, beside the files, answers requests about what can be done from in there.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"berth/sites/docker"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 4 && args[0] == "static" && args[2] == "--listen":
		return static(args[1], args[3])
	case len(args) == 3 && args[0] == "isolate":
		pool, err := netip.ParsePrefix(args[2])
		if err != nil {
			return err
		}
		return docker.Isolate(args[1], pool, os.Stdout)
	case len(args) == 4 && args[0] == "isolate" && args[1] == "--remove":
		return docker.Unisolate(args[2])
	case len(args) == 2 && args[0] == "listen":
		return listen(args[1])
	case len(args) == 2 && args[0] == "dial":
		_, err := io.WriteString(os.Stdout, dial(args[1]))
		return err
	}
	return fmt.Errorf("unknown command line %q", args)
}

func static(dir, addr string) error {
	if code, err := os.ReadFile(dir + "/exit-code"); err == nil {
		n, err := strconv.Atoi(strings.TrimSpace(string(code)))
		if err != nil {
			return err
		}
		fmt.Println("cannot go on")
		os.Exit(n)
	}
	if _, err := os.Stat(dir + "/hungry"); err == nil {
		for eaten := [][]byte{}; ; {
			bite := make([]byte, 1<<20)
			for i := range bite {
				bite[i] = 1
			}
			eaten = append(eaten, bite)
		}
	}
	if _, err := os.Stat(dir + "/mute"); err == nil {
		return listen(":9000")
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("/-/dial", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, dial(r.FormValue("to"))) })
	mux.HandleFunc("/-/lookup", func(w http.ResponseWriter, r *http.Request) {
		addrs, err := net.DefaultResolver.LookupHost(r.Context(), r.FormValue("name"))
		fmt.Fprintln(w, addrs, err)
	})
	mux.HandleFunc("/-/say", func(_ http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(os.Stdout, r.FormValue("out"))
		fmt.Fprintln(os.Stderr, r.FormValue("err"))
	})
	mux.HandleFunc("/-/exit", func(http.ResponseWriter, *http.Request) { os.Exit(7) })
	mux.HandleFunc("/-/facts", facts(dir))
	return http.ListenAndServe(addr, mux)
}

// facts tells what the process is and may do.
func facts(dir string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, _ := os.ReadFile("/proc/self/status")
		hostname, _ := os.Hostname()
		_ = json.NewEncoder(w).Encode(map[string]string{
			"uid": strconv.Itoa(os.Getuid()), "gid": strconv.Itoa(os.Getgid()), "hostname": hostname, "status": string(status),
			"writeRoot": said(os.WriteFile("/file", nil, 0o600)), "writeContent": said(os.WriteFile(dir+"/file", nil, 0o600)),
			"writeTmp": said(os.WriteFile("/tmp/file", nil, 0o600)),
		})
	}
}

func said(err error) string {
	if err != nil {
		return err.Error()
	}
	return "done"
}

func dial(to string) string {
	conn, err := net.DialTimeout("tcp", to, 700*time.Millisecond)
	if err != nil {
		return "blocked: " + err.Error()
	}
	defer conn.Close()
	return "connected"
}

func listen(addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		_ = conn.Close()
	}
}

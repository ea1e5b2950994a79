package http2_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/summerwind/h2spec/config"
	"github.com/summerwind/h2spec/generic"
	"github.com/summerwind/h2spec/hpack"
	"github.com/summerwind/h2spec/http2"
	"github.com/summerwind/h2spec/spec"
)

// TestH2Spec runs all of h2spec, the strict cases too.
func TestH2Spec(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d bytes", n)
	})
	host, port, _ := net.SplitHostPort(s.addr)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{
		Host: host, Port: number, Path: "/", Timeout: patience, MaxHeaderLen: 4000, Strict: true, TLS: true, Insecure: true,
	}
	silence(t)
	passed := 0
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		group.Test(cfg)
		passed += group.PassedCount
		report(t, group)
	}
	if passed < 146 {
		t.Errorf("%d cases passed", passed)
	}
}

// silence turns off standard output, which h2spec writes to, until the test ends.
func silence(t *testing.T) {
	t.Helper()
	nothing, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdout
	os.Stdout = nothing
	t.Cleanup(func() { os.Stdout = before; nothing.Close() })
}

func report(t *testing.T, group *spec.TestGroup) {
	t.Helper()
	for _, c := range slices.Concat(group.Tests, group.StrictTests) {
		if c.Result != nil && (c.Result.Failed || c.Result.Skipped) {
			t.Errorf("%s %s: %s: %v", group.ID(), group.Name, c.Desc, c.Result.Error)
		}
	}
	for _, g := range group.Groups {
		report(t, g)
	}
}

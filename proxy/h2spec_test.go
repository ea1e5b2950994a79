package proxy

import (
	"net"
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

// lenient are the cases of h2spec in which Go's HTTP/2 server does something else than h2spec expects, on purpose and before it
// asks anybody. TestHTTP2BesidesTheSpec holds what it does.
var lenient = []string{
	// These are malformed requests, which RFC 9113 section 8.1.1 lets a server answer before it closes the stream: with a 400. The
	// cases know a reset only.
	"Sends a HEADERS frame that contains the connection-specific header field",
	`Sends a HEADERS frame that contains the TE header field with any value other than "trailers"`,
	// A setting that is there twice is taken for a flood, and the connection is closed with PROTOCOL_ERROR.
	"Sends multiple values of SETTINGS_INITIAL_WINDOW_SIZE",
}

// TestH2Spec runs h2spec, the strict cases too.
func TestH2Spec(t *testing.T) {
	e := startEdge(t, func(c *Config, _ *limits) { c.PanelHost = "127.0.0.1" }, withPanel(countsBody))
	host, port, _ := net.SplitHostPort(e.secure)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{
		Host: host, Port: number, Path: "/", Timeout: patience, MaxHeaderLen: 4000, Strict: true, TLS: true, Insecure: true,
	}
	silence(t)
	passed, left := 0, slices.Clone(lenient)
	for _, group := range []*spec.TestGroup{generic.Spec(), http2.Spec(), hpack.Spec()} {
		left = prune(group, left)
		group.Test(cfg)
		passed += group.PassedCount
		report(t, group)
	}
	if passed < 140 || len(left) != 0 {
		t.Errorf("%d cases passed; not found: %q", passed, left)
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

// prune takes cases out of a group and returns the descriptions that were not found.
func prune(group *spec.TestGroup, descriptions []string) []string {
	keep := func(cases []*spec.TestCase) []*spec.TestCase {
		return slices.DeleteFunc(cases, func(c *spec.TestCase) bool {
			at := slices.Index(descriptions, c.Desc)
			if at >= 0 {
				descriptions = slices.Delete(descriptions, at, at+1)
			}
			return at >= 0
		})
	}
	group.Tests, group.StrictTests = keep(group.Tests), keep(group.StrictTests)
	for _, g := range group.Groups {
		descriptions = prune(g, descriptions)
	}
	return descriptions
}

func report(t *testing.T, group *spec.TestGroup) {
	t.Helper()
	for _, c := range slices.Concat(group.Tests, group.StrictTests) {
		if c.Result != nil && c.Result.Failed {
			t.Errorf("%s %s: %s: %v", group.ID(), group.Name, c.Desc, c.Result.Error)
		}
	}
	for _, g := range group.Groups {
		report(t, g)
	}
}

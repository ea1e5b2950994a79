package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// parseServe parses the command line as run does and returns the configuration.
func parseServe(t *testing.T, args ...string) (*config, error) {
	t.Helper()
	var cli commands
	parser, err := newParser(t.Context(), &cli, console{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return &cli.Serve.config, err
}

func tomlFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "berth.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandLineThenEnvironmentThenFile(t *testing.T) {
	file := tomlFile(t, "zone = \"file.example\"\nnameserver = [\"a.example\", \"b.example\"]\nmax-files = 7\nacme-email = \"file@example.org\"\n")
	t.Setenv("BERTH_ACME_EMAIL", "env@example.org")
	t.Setenv("BERTH_MAX_FILES", "8")
	cfg, err := parseServe(t, "--config", file, "--max-files", "9")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Zone != "file.example" || !slices.Equal(cfg.Nameserver, []string{"a.example", "b.example"}) {
		t.Errorf("from the file: %q, %q", cfg.Zone, cfg.Nameserver)
	}
	if cfg.ACMEEmail != "env@example.org" {
		t.Errorf("the environment must win over the file: %q", cfg.ACMEEmail)
	}
	if cfg.MaxFiles != 9 {
		t.Errorf("the command line must win over the environment: %d", cfg.MaxFiles)
	}
}

func TestUnknownKeyInTheFile(t *testing.T) {
	if _, err := parseServe(t, "--config", tomlFile(t, "zone = \"a.example\"\nzome = 1\n")); err == nil || !strings.Contains(err.Error(), "zome") {
		t.Errorf("err = %v, want one that names the key", err)
	}
}

func TestHTTP3CanBeTurnedOff(t *testing.T) {
	for _, tc := range []struct {
		file, env string
		args      []string
		want      bool
	}{
		{want: true},
		{args: []string{"--no-http3"}},
		{env: "false"},
		{file: "http3 = false\n"},
		{file: "http3 = false\n", env: "true", want: true},
		{env: "false", args: []string{"--http3"}, want: true},
	} {
		if tc.env != "" {
			t.Setenv("BERTH_HTTP3", tc.env)
		} else if err := os.Unsetenv("BERTH_HTTP3"); err != nil {
			t.Fatal(err)
		}
		cfg, err := parseServe(t, append(tc.args, "--config", tomlFile(t, "zone = \"a.example\"\n"+tc.file))...)
		if err != nil || cfg.HTTP3 != tc.want {
			t.Errorf("%+v: %v, %v", tc, cfg.HTTP3, err)
		}
	}
}

// TestEveryFlagOfTheDesign keeps the names that others rely on, in all three forms.
func TestEveryFlagOfTheDesign(t *testing.T) {
	flags := serveFlags(t)
	for _, name := range strings.Fields(`zone panel-host data-dir http-addr https-addr dns-addr public-ipv4 public-ipv6 nameserver
		acme-ca acme-email acme-root acme-renew-interval acme-eab-kid acme-eab-hmac acme-profile acme-weekly-limit
		acme-fallback-ca acme-fallback-root acme-fallback-eab-kid acme-fallback-eab-hmac acme-fallback-profile certificates network-pool runtime log-level log-format config`) {
		f, ok := flags[name]
		env := "BERTH_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if !ok || !slices.Contains(f.Envs, env) {
			t.Errorf("--%s with %s is missing", name, env)
		}
	}
}

func TestEnvironmentMakesNoAdmin(t *testing.T) {
	t.Setenv("BERTH_ADMIN", "1")
	var cli commands
	parser, err := newParser(t.Context(), &cli, console{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"user", "add", "carl"}); err != nil || cli.User.Add.Admin {
		t.Errorf("admin %v, %v", cli.User.Add.Admin, err)
	}
}

func TestCompleteRefuses(t *testing.T) {
	for _, tc := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--zone", "local"}, "--zone"},
		{[]string{"--zone", "a b.example"}, "--zone"},
		{[]string{"--zone", "a.example", "--public-ipv4", "::1"}, "--public-ipv4"},
		{[]string{"--zone", "a.example", "--public-ipv6", "192.0.2.1"}, "--public-ipv6"},
		{[]string{"--zone", "a.example", "--acme-renew-interval", "0s"}, "--acme-renew-interval"},
		{[]string{"--zone", "a.example", "--acme-eab-kid", "k"}, "--acme-eab-hmac"},
		{[]string{"--zone", "a.example", "--acme-weekly-limit=-1"}, "--acme-weekly-limit"},
		{[]string{"--zone", "a.example", "--acme-fallback-profile", "p"}, "--acme-fallback-ca"},
		{[]string{"--zone", "a.example", "--acme-fallback-ca", "letsencrypt"}, "--acme-fallback-ca"},
		{[]string{"--zone", "a.example", "--acme-fallback-ca", "internal"}, "--acme-fallback-ca"},
		{[]string{"--zone", "a.example", "--acme-fallback-ca", "https://ca.test/dir", "--acme-fallback-eab-hmac", "k"}, "--acme-fallback-eab-kid"},
		{[]string{"--zone", "a.example", "--max-files", "0"}, "--max-files"},
		{[]string{"--zone", "a.example", "--max-upload-mb", "-1"}, "--max-upload-mb"},
		{[]string{"--zone", "a.example", "--max-instances", "9"}, "--max-instances"},
		{[]string{"--zone", "a.example", "--audit-log-days", "0"}, "--audit-log-days"},
		{[]string{"--zone", "a.example", "--audit-log-days", "1000000"}, "--audit-log-days"},
		{[]string{"--zone", "a.example", "--public-ipv6", "::ffff:192.0.2.1"}, "--public-ipv6"},
		{[]string{"--zone", "a.example", "--certificates", "some"}, "--certificates"},
		{[]string{"--zone", "a.example", "--dns-rate-limit=-1"}, "--dns-rate-limit"},
		{[]string{"--zone", "a.example", "--dns-rate-limit-exempt", "192.0.2.0"}, "--dns-rate-limit-exempt"},
		{[]string{"--zone", "a.example", "--dns-nsid", strings.Repeat("x", 129)}, "--dns-nsid"},
		{[]string{"--zone", "a.example", "--runtime", "podman"}, "--runtime"},
		{nil, "--zone"},
	} {
		cfg, err := parseServe(t, tc.flags...)
		if err == nil {
			err = cfg.complete()
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want an error that names %s", tc.flags, err, tc.want)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	var addrs []net.Addr
	for _, a := range []string{"127.0.0.1/8", "10.0.0.1/8", "100.64.3.4/10", "198.51.100.7/24", "::1/128", "fe80::1/64", "fd00::1/64", "2001:db8::7/64"} {
		ip, network, err := net.ParseCIDR(a)
		if err != nil {
			t.Fatal(err)
		}
		addrs = append(addrs, &net.IPNet{IP: ip, Mask: network.Mask})
	}
	v4, v6 := publicAddresses(addrs)
	if !slices.Equal(v4, []netip.Addr{netip.MustParseAddr("198.51.100.7")}) || !slices.Equal(v6, []netip.Addr{netip.MustParseAddr("2001:db8::7")}) {
		t.Errorf("v4 %v, v6 %v", v4, v6)
	}
}

func TestTheDataDirectoryTakesOneService(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockDataDir(dir); err == nil || !strings.Contains(err.Error(), "another berth") {
		t.Errorf("second lock: %v", err)
	}
	unlock()
	if unlock, err = lockDataDir(dir); err != nil {
		t.Fatalf("after the first has ended: %v", err)
	}
	unlock()
}

func TestHelpIsNoError(t *testing.T) {
	for _, args := range [][]string{{"serve", "--help"}, {"help", "serve"}} {
		var out strings.Builder
		if err := run(context.Background(), args, console{out: &out, err: &out}); err != nil || !strings.Contains(out.String(), "--network-pool") {
			t.Errorf("%v: %v: %s", args, err, out.String())
		}
	}
}

func TestWrongMovesAreExplained(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	nowhere := filepath.Join(dir, "nowhere")
	for _, tc := range []struct{ args, want string }{
		{"serve", "--zone=DOMAIN (berth serve --help shows"},
		{"sreve", `"serve"? (berth --help shows`},
		{"user add", `"<name>" (berth user add --help shows`},
		{"serve --zone a.example --config " + nowhere, "--config: open " + nowhere},
		{"dev --https-port 0 --dns-port 0 --data-dir " + dir + " --http-port " + port, "--http-port " + port + ": another program has this TCP port"},
		{"token add --user ann --name test --data-dir " + nowhere, nowhere + " holds no data of berth"},
		{"user password ann --data-dir " + nowhere, nowhere + " holds no data of berth"},
	} {
		err := run(t.Context(), strings.Fields(tc.args), console{strings.NewReader(testPassword), io.Discard, io.Discard})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("berth %s: %v, want %q", tc.args, err, tc.want)
		}
	}
	if _, err := os.Stat(nowhere); err == nil {
		t.Error("a directory that was mistyped is there now")
	}
}

// TestConfigFileByEnvironment names the file by BERTH_CONFIG, for the service and for what is run beside it.
func TestConfigFileByEnvironment(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("BERTH_CONFIG", tomlFile(t, "zone = \"file.example\"\ndata-dir = \""+dir+"\"\n"))
	cfg, err := parseServe(t)
	if err != nil || cfg.Zone != "file.example" || cfg.DataDir != dir {
		t.Errorf("serve: %q, %q, %v", cfg.Zone, cfg.DataDir, err)
	}
	if err := run(t.Context(), []string{"user", "add", "ann"}, console{strings.NewReader(testPassword), io.Discard, io.Discard}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(databasePath(dir)); err != nil {
		t.Errorf("the account is not in the service's database: %v", err)
	}
}

func TestASecondServiceIsOneClearLine(t *testing.T) {
	dir := t.TempDir()
	unlock, err := lockDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for _, args := range [][]string{
		{"serve", "--zone", testZone, "--public-ipv4", "127.0.0.1", "--http-addr", "127.0.0.1:0", "--https-addr", "127.0.0.1:0", "--dns-addr", "127.0.0.1:0"},
		{"dev", "--http-port", "0", "--https-port", "0", "--dns-port", "0"},
	} {
		err := run(t.Context(), append(args, "--data-dir", dir), console{out: io.Discard, err: io.Discard})
		if err == nil || !strings.Contains(err.Error(), "another berth is running there") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", args[0], err)
		}
	}
	if err := run(t.Context(), []string{"user", "add", "ann", "--data-dir", dir}, console{strings.NewReader(testPassword), io.Discard, io.Discard}); err != nil {
		t.Errorf("user add beside the service: %v", err)
	}
}

// TestIsolateTakesWhatDockerGives is how package docker calls the command in a container.
func TestIsolateTakesWhatDockerGives(t *testing.T) {
	for _, remove := range []bool{false, true} {
		args := []string{"isolate", "abc", "10.1.0.0/16"}
		if remove {
			args = []string{"isolate", "--remove", "abc", "10.1.0.0/16"}
		}
		var cli commands
		parser, err := newParser(t.Context(), &cli, console{})
		if err != nil {
			t.Fatal(err)
		}
		want := isolateCommand{Remove: remove, Installation: "abc", Pool: netip.MustParsePrefix("10.1.0.0/16")}
		if _, err := parser.Parse(args); err != nil || cli.Isolate != want {
			t.Errorf("%v: %+v, %v", args, cli.Isolate, err)
		}
	}
}

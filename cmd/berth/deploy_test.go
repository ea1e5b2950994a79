package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// longestStop is what the drain of the edge and the creation of a container take at most, one after the other.
const longestStop = 45 * time.Second

// deployed is the text of a file in deploy.
func deployed(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheUnit parses what the systemd unit runs, and compares its patience with what a stop takes.
func TestTheUnit(t *testing.T) {
	values := map[string]string{}
	for line := range strings.Lines(deployed(t, "berth.service")) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			values[key] = value
		}
	}
	wantPatience(t, "TimeoutStopSec", values["TimeoutStopSec"]+"s")
	wantServes(t, values, "zone = \"sites.example.org\"\nacme-email = \"ann@example.org\"\n")
}

// wantPatience compares a limit on a stop with what it takes.
func wantPatience(t *testing.T, what, limit string) {
	t.Helper()
	if limit, err := time.ParseDuration(limit); err != nil || limit <= longestStop {
		t.Errorf("%s: %s, %v; a stop takes up to %v", what, limit, err, longestStop)
	}
}

// wantServes parses the unit's command with the text of its configuration file.
func wantServes(t *testing.T, unit map[string]string, toml string) {
	t.Helper()
	args := strings.Fields(strings.ReplaceAll(unit["ExecStart"], "/etc/berth.toml", tomlFile(t, toml)))
	if len(args) < 2 || args[1] != "serve" {
		t.Fatalf("ExecStart=%s", unit["ExecStart"])
	}
	cfg, err := parseServe(t, args[2:]...)
	if err != nil || cfg.Zone != "sites.example.org" || cfg.ACMEEmail != "ann@example.org" || cfg.DataDir != "/var/lib/"+unit["StateDirectory"] {
		t.Errorf("ExecStart=%s: %+v, %v", unit["ExecStart"], cfg, err)
	}
}

// TestTheComposeFileIsPatient is about its limit on a stop; TestTheComposeFile does the rest.
func TestTheComposeFileIsPatient(t *testing.T) {
	found := regexp.MustCompile(`stop_grace_period: (\S+)`).FindStringSubmatch(deployed(t, "compose.yaml"))
	if found == nil {
		t.Fatal("it has no stop_grace_period")
	}
	wantPatience(t, "stop_grace_period", found[1])
}

// TestTheUserData compares what cloud-init is to write with the unit and with what the service takes.
func TestTheUserData(t *testing.T) {
	data := deployed(t, "cloud-init.yaml")
	unit := deployed(t, "berth.service")
	if written := literal(t, data, "- path: /etc/systemd/system/berth.service\n    content: |\n"); written != unit {
		t.Errorf("the unit in it is not that of deploy/berth.service:\n%s", written)
	}
	wantServes(t, map[string]string{
		"ExecStart": "berth serve --config /etc/berth.toml", "StateDirectory": "berth",
	}, literal(t, data, "- path: /etc/berth.toml\n    permissions: \"0600\"\n    content: |\n"))
	script := exec.Command("sh", "-n")
	script.Stdin = strings.NewReader(literal(t, data, "runcmd:\n  - |\n"))
	if out, err := script.CombinedOutput(); err != nil {
		t.Errorf("the script: %v\n%s", err, out)
	}
}

func TestTheUserDataIsWhatCloudInitTakes(t *testing.T) {
	program, err := exec.LookPath("cloud-init")
	need(t, "cloud-init", err)
	if out, err := exec.Command(program, "schema", "--config-file", filepath.Join(moduleRoot, "deploy", "cloud-init.yaml")).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// literal is the block of YAML that follows a heading, without its indentation.
func literal(t *testing.T, yaml, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(yaml, heading)
	if !ok {
		t.Fatalf("there is no %q", heading)
	}
	indent := rest[:len(rest)-len(strings.TrimLeft(rest, " "))]
	var block strings.Builder
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, indent) && strings.TrimSpace(line) != "" {
			break
		}
		block.WriteString(strings.TrimPrefix(line, indent))
	}
	return strings.TrimRight(block.String(), "\n") + "\n"
}

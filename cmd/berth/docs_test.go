package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"berth/sites/static/rules"

	"github.com/alecthomas/kong"
)

// manuals are what people read, below the module's root.
var manuals = []string{"README.md", "ARCHITECTURE.md", "docs/api.md", "docs/dns.md", "docs/operating.md", "docs/sites.md"}

const flagManual = "docs/operating.md"

func readManual(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(moduleRoot, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// serveFlags are the flags of berth serve by name.
func serveFlags(t *testing.T) map[string]*kong.Flag {
	t.Helper()
	parser, err := newParser(t.Context(), &commands{}, console{})
	if err != nil {
		t.Fatal(err)
	}
	flags := map[string]*kong.Flag{}
	for _, node := range parser.Model.Children {
		if node.Name == "serve" {
			for _, f := range node.Flags {
				flags[f.Name] = f
			}
		}
	}
	return flags
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// flagRows are the rows of a manual's table of flags, with their first two cells.
func flagRows(manual string) (rows []string, flags, defaults [][]string) {
	spans := func(cell string) (all []string) {
		for _, span := range codeSpan.FindAllStringSubmatch(cell, -1) {
			all = append(all, span[1])
		}
		return all
	}
	for row := range strings.Lines(manual) {
		cells := strings.Split(row, "|")
		if len(cells) < 4 || !strings.HasPrefix(cells[1], " `--") {
			continue
		}
		rows, flags, defaults = append(rows, row), append(flags, spans(cells[1])), append(defaults, spans(cells[2]))
	}
	return rows, flags, defaults
}

// TestTableOfFlags compares the manual with the command line: the same flags, and as code their defaults.
func TestTableOfFlags(t *testing.T) {
	missing := serveFlags(t)
	_, flags, defaults := flagRows(readManual(t, flagManual))
	for i, names := range flags {
		var want []string
		for _, name := range names {
			name = strings.TrimPrefix(name, "--")
			flag, ok := missing[name]
			if !ok {
				t.Errorf("%s has --%s, which berth serve does not have, or has twice", flagManual, name)
				continue
			}
			delete(missing, name)
			if flag.HasDefault {
				want = append(want, flag.Default)
			}
		}
		if !slices.Equal(defaults[i], want) {
			t.Errorf("%s gives %v the defaults %q; they are %q", flagManual, names, defaults[i], want)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%s does not have the flags %v", flagManual, slices.Sorted(maps.Keys(missing)))
	}
}

// TestFlagsOfREADME keeps the short table a part of the full one.
func TestFlagsOfREADME(t *testing.T) {
	all, _, _ := flagRows(readManual(t, flagManual))
	short, _, _ := flagRows(readManual(t, "README.md"))
	if len(short) < 5 {
		t.Errorf("README.md has %d rows of flags", len(short))
	}
	for _, row := range short {
		if !slices.Contains(all, row) {
			t.Errorf("README.md says of a flag what %s does not: %s", flagManual, row)
		}
	}
}

// maxREADME is two screens of lines.
const maxREADME = 100

func TestREADMEIsShort(t *testing.T) {
	if n := strings.Count(readManual(t, "README.md"), "\n"); n > maxREADME {
		t.Errorf("README.md has %d lines; more than %d belong into docs/", n, maxREADME)
	}
}

// TestRulesInTheManual reads the examples of _redirects and _headers as a release's.
func TestRulesInTheManual(t *testing.T) {
	examples, name := map[string]string{}, ""
	for line := range strings.Lines(readManual(t, "docs/sites.md")) {
		text, indented := strings.CutPrefix(line, "    ")
		if named := strings.TrimPrefix(text, "# _"); named != text {
			name, _, _ = strings.Cut("_"+named, ":")
		} else if !indented && strings.TrimSpace(line) != "" {
			name = ""
		}
		if name != "" {
			examples[name] += strings.TrimRight(text, "\n") + "\n"
		}
	}
	for _, name := range rules.Names() {
		_, faults, err := rules.Read(fstest.MapFS{name: {Data: []byte(examples[name])}})
		if err != nil || len(faults) > 0 || strings.Count(examples[name], "\n") < 5 {
			t.Errorf("%s reads %q: %v, %v", name, examples[name], faults, err)
		}
	}
}

var (
	manualLink    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	manualHeading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInAnchors  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors are what links to a manual's headings end in, as code hosts make them.
func anchors(manual string) map[string]bool {
	found := map[string]bool{}
	for _, heading := range manualHeading.FindAllStringSubmatch(manual, -1) {
		plain := notInAnchors.ReplaceAllString(strings.ToLower(heading[1]), "")
		found[strings.ReplaceAll(plain, " ", "-")] = true
	}
	return found
}

// TestLinksOfTheManuals follows the links between files, to headings too.
func TestLinksOfTheManuals(t *testing.T) {
	followed := 0
	for _, manual := range manuals {
		for _, link := range manualLink.FindAllStringSubmatch(readManual(t, manual), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			followed++
			path, anchor, _ := strings.Cut(link[1], "#")
			target := manual
			if path != "" {
				target = filepath.Join(filepath.Dir(manual), path)
			}
			if _, err := os.Stat(filepath.Join(moduleRoot, target)); err != nil {
				t.Errorf("%s links to %s, which is not there", manual, link[1])
			} else if anchor != "" && !anchors(readManual(t, target))[anchor] {
				t.Errorf("%s links to %s; %s has no such heading", manual, link[1], target)
			}
		}
	}
	if followed < 5 {
		t.Errorf("followed %d links only", followed)
	}
}

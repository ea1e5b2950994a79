package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// arrows are the imports inside the module that each package may have. What is not listed may import none.
var arrows = map[string][]string{
	"cmd/berth":            {"*"},
	"sites/sqlite":         {"sites"},
	"sites/docker":         {"sites"},
	"sites/embedded":       {"sites", "sites/static"},
	"sites/static":         {"sites/static/rules"},
	"sites/diagnosis":      {"sites"},
	"dnsserver":            {"sites", "dnsserver/zone", "dnsserver/transfer", "dnsserver/dnsclient"},
	"dnsserver/zone":       {"sites"},
	"dnsserver/transfer":   {"sites", "dnsserver/zone"},
	"dnsserver/zonefile":   {"sites"},
	"dnsserver/delegation": {"sites", "dnsserver/dnsclient"},
	"dnsserver/lookup":     {"sites", "dnsserver/dnsclient"},
	"proxy/accesslog":      {"sites"},
	"proxy/analytics":      {"sites"},
	"proxy":                {"sites", "proxy/http1", "proxy/http2", "proxy/origin", "proxy/cache"},
	"proxy/cache":          {"proxy/compress"},
	"acme":                 {"sites"},
	"panel":                {"sites", "sites/diagnosis", "templates", "panel/auth"},
}

// homes are the only packages that may import a library.
var homes = map[string][]string{
	"database/sql":                     {"sites/sqlite"},
	"modernc.org/sqlite":               {"sites/sqlite"},
	"github.com/pressly/goose":         {"sites/sqlite"},
	"github.com/docker/":               {"sites/docker"},
	"github.com/google/nftables":       {"sites/docker"},
	"github.com/caddyserver/certmagic": {"acme"},
	"github.com/mholt/acmez":           {"acme"},
	"github.com/miekg/dns":             {"dnsserver", "dnsserver/zone", "dnsserver/transfer", "dnsserver/zonefile", "dnsserver/delegation", "dnsserver/lookup", "dnsserver/dnsclient"},
	"github.com/quic-go/":              {"proxy"},
	"github.com/labstack/echo":         {"panel"},
	"github.com/alexedwards/scs":       {"panel", "panel/auth"},
	"github.com/alecthomas/kong":       {"cmd/berth"},
	"github.com/prometheus/":           {"cmd/berth"},
	"github.com/maypok86/otter":        {"proxy/cache"},
	"github.com/klauspost/compress":    {"proxy/compress"},
	"github.com/andybalholm/brotli":    {"proxy/compress"},
	"net/http":                         {"cmd/berth", "panel", "panel/auth", "proxy", "proxy/http1", "proxy/http2", "proxy/origin", "proxy/cache", "proxy/compress", "acme", "sites/static", "sites/embedded", "sites/docker", "templates"},
}

const moduleRoot = "../.."

// goPackage is a package as its source files tell it.
type goPackage struct {
	dir     string
	doc     string
	imports []string
}

func TestImportArrows(t *testing.T) {
	for _, p := range packages(t) {
		if forTests(p.dir) {
			continue
		}
		for _, path := range p.imports {
			if inside, ok := strings.CutPrefix(path, "berth/"); ok {
				allowed := arrows[p.dir]
				if !slices.Contains(allowed, inside) && !slices.Contains(allowed, "*") {
					t.Errorf("%s imports %s; its arrows are %v", p.dir, inside, allowed)
				}
				continue
			}
			for library, allowed := range homes {
				if strings.HasPrefix(path, library) && !slices.Contains(allowed, p.dir) {
					t.Errorf("%s imports %s, which only %v may", p.dir, path, allowed)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	for _, p := range packages(t) {
		doc := strings.ToLower(p.doc)
		for _, promise := range []string{"own", "must not know", "concurrent"} {
			if !strings.Contains(doc, promise) {
				t.Errorf("the doc comment of %s does not say: %q", p.dir, promise)
			}
		}
	}
}

// TestTopLevelFolders holds the list of folders that DESIGN gives.
func TestTopLevelFolders(t *testing.T) {
	given := []string{"acme", "cmd", "deploy", "dnsserver", "panel", "proxy", "sites", "templates"}
	for _, p := range packages(t) {
		if top, _, _ := strings.Cut(p.dir, "/"); !slices.Contains(given, top) {
			t.Errorf("%s lies outside the given top-level folders %v", p.dir, given)
		}
	}
}

// forTests tells packages that only tests import.
func forTests(dir string) bool { return strings.HasSuffix(dir, "test") }

func packages(t *testing.T) []goPackage {
	t.Helper()
	byDir := map[string]*goPackage{}
	err := filepath.WalkDir(moduleRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != moduleRoot && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			return addFile(byDir, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := make([]goPackage, 0, len(byDir))
	for _, p := range byDir {
		all = append(all, *p)
	}
	if len(all) < 10 {
		t.Fatalf("found %d packages only; is %s the module?", len(all), moduleRoot)
	}
	return all
}

func addFile(byDir map[string]*goPackage, path string) error {
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	dir, err := filepath.Rel(moduleRoot, filepath.Dir(path))
	if err != nil {
		return err
	}
	p, ok := byDir[filepath.ToSlash(dir)]
	if !ok {
		p = &goPackage{dir: filepath.ToSlash(dir)}
		byDir[p.dir] = p
	}
	p.doc += docOf(file)
	for _, spec := range file.Imports {
		p.imports = append(p.imports, strings.Trim(spec.Path.Value, `"`))
	}
	return nil
}

func docOf(file *ast.File) string {
	if file.Doc == nil {
		return ""
	}
	return strings.Join(strings.Fields(file.Doc.Text()), " ")
}

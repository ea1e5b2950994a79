package rules

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// read reads a release of the two files.
func read(t testing.TB, redirects, headers string) (*Set, []Fault) {
	t.Helper()
	set, faults, err := Read(fstest.MapFS{
		RedirectsFile: {Data: []byte(redirects)}, HeadersFile: {Data: []byte(headers)}, "index.html": {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, faults
}

// TestRedirects asks for a path and a query and wants what the rules say, or nothing.
func TestRedirects(t *testing.T) {
	tests := []struct {
		promise string
		rules   string
		asked   string
		want    string // status, ! for force, where; empty: no rule
	}{
		{"a moved page is moved for good", "/old /new", "/old", "301 /new"},
		{"a status can be given", "/old /new 302", "/old", "302 /new"},
		{"a slash at the end makes no difference", "/old /new", "/old/", "301 /new"},
		{"nor one in the rule", "/old/ /new", "/old", "301 /new"},
		{"case does", "/old /new", "/Old", ""},
		{"another path is left alone", "/old /new", "/older", ""},
		{"force is told", "/old /new 307!", "/old", "307! /new"},
		{"spaces and tabs separate, comments end a line", "  /old\t/new   303  # since May", "/old", "303 /new"},
		{"lines end as on Windows", "/a /b\r\n/old /new\r\n", "/old", "301 /new"},
		{"a byte order mark is no part of the path", "\ufeff/old /new", "/old", "301 /new"},
		{"the first rule that is met counts", "/a/* /x\n/a/b /y", "/a/b", "301 /x"},
		{"also when it is the exact one", "/a/b /y\n/a/* /x", "/a/b", "301 /y"},
		{"a rule for any first segment keeps its place", "/:x/b /y\n/a/* /x", "/a/b", "301 /y"},
		{"placeholders are filled in", "/news/:year/:slug /blog/:year-:slug", "/news/2026/hello", "301 /blog/2026-hello"},
		{"a placeholder is one segment", "/news/:slug /blog/:slug", "/news/2026/hello", ""},
		{"and not an empty one", "/news/:slug /blog/:slug", "/news/", ""},
		{"* is all that follows", "/docs/* /manual/:splat", "/docs/a/b", "301 /manual/a/b"},
		{"* can be nothing", "/docs/* /manual/:splat", "/docs", "301 /manual/"},
		{"* after a placeholder can be nothing", "/:lang/* /x/:lang/:splat", "/en", "301 /x/en/"},
		{"* within a segment", "/old* /new:splat", "/old-page/x", "301 /new-page/x"},
		{"* within a segment needs its beginning", "/old* /new:splat", "/ol", ""},
		{"a single-page application", "/* /index.html 200", "/any/where", "200 /index.html"},
		{"and its front page", "/* /index.html 200", "/", "200 /index.html"},
		{"a missing page by language", "/de/* /de/404.html 404", "/de/nix", "404 /de/404.html"},
		{"a rewrite forced", "/app/* /app/index.html 200!", "/app/x", "200! /app/index.html"},
		{"another host", "/chat https://chat.example.org/join?x=1#top 302", "/chat", "302 https://chat.example.org/join?x=1#top"},
		{"another host with what was asked", "/blog/* https://blog.example.org/:splat", "/blog/a b/ü", "301 https://blog.example.org/a%20b/%C3%BC"},
		{"another host without a path", "/home https://example.org", "/home", "301 https://example.org/"},
		{"another port", "/x https://example.org:8443/:8080", "/x", "301 https://example.org:8443/:8080"},
		{"the query goes along", "/old /new", "/old?a=1&b=2", "301 /new?a=1&b=2"},
		{"unless the target has one", "/old /new?c=3", "/old?a=1", "301 /new?c=3"},
		{"a fragment comes last", "/old /new#part", "/old?a=1", "301 /new?a=1#part"},
		{"parameters are captured", "/store id=:id /blog/:id", "/store?id=my-post", "301 /blog/my-post"},
		{"and escaped", "/store id=:id /blog/:id", "/store?id=..%2F%3F%23", "301 /blog/../%3F%23"},
		{"into a query, too", "/s q=:q /find?what=:q", "/s?q=a%26b", "301 /find?what=a%26b"},
		{"what the rule did not look at goes along", "/store id=:id /blog/:id", "/store?utm=x&id=7", "301 /blog/7?utm=x"},
		{"without the parameter the rule is not met", "/store id=:id /blog/:id", "/store", ""},
		{"nor with an empty one", "/store id=:id /blog/:id", "/store?id=", ""},
		{"the next one may be", "/store id=:id /blog/:id\n/store /blog", "/store", "301 /blog"},
		{"parameters in any order", "/s a=:a b=:b /:b/:a", "/s?b=2&a=1", "301 /2/1"},
		{"a parameter with a value", "/s v=old /archive", "/s?v=old", "301 /archive"},
		{"and no other", "/s v=old /archive", "/s?v=new", ""},
		{"a value may be an address", "/s u=https://a.b/ /archive", "/s?u=https://a.b/", "301 /archive"},
		{"percent escapes are read in rules", "/caf%C3%A9 /%C3%BC", "/café", "301 /%C3%BC"},
		{"and are not needed", "/café /ü", "/café", "301 /%C3%BC"},
		{"an escaped * is one", "/a%2Ab /c", "/a*b", "301 /c"},
		{"a colon in a name is a colon", "/wiki/Talk:Ann /talk/:8080/Foo:Bar", "/wiki/Talk:Ann", "301 /talk/:8080/Foo:Bar"},
		{"no capture leads to another host", "/go* /:splat", "/go//evil.test", "301 /evil.test"},
		{"nor one with a backslash", "/go/* /:splat", `/go/\evil.test`, "301 /%5Cevil.test"},
		{"nor one with a line break", "/go/* /:splat", "/go/a\r\nX: y", "301 /a%0D%0AX:%20y"},
		{"well-known paths can move", "/.well-known/x /y", "/.well-known/x", "301 /y"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			set, faults := read(t, tt.rules, "")
			if len(faults) > 0 {
				t.Errorf("faults: %v", faults)
			}
			if got := describe(set, tt.asked); got != tt.want {
				t.Errorf("%s gets %q, want %q", tt.asked, got, tt.want)
			}
		})
	}
}

// describe writes what the rules say of a request as the tables do.
func describe(set *Set, asked string) string {
	path, query, _ := strings.Cut(asked, "?")
	r, ok := set.Redirect(mergeSlashes(path), query)
	if !ok {
		return ""
	}
	force, where := "", r.Location
	if r.Force {
		force = "!"
	}
	if r.Rewrites() {
		where = r.Path
	}
	return fmt.Sprintf("%d%s %s", r.Status, force, where)
}

// TestFaultyRedirects wants a fault in the last line, which says what is wrong, and that the rule has no effect.
func TestFaultyRedirects(t *testing.T) {
	tests := []struct{ rules, says string }{
		{"/old", "no target"},
		{"/old 301", "no target"},
		{"/old new", "no target"},
		{"old /new", "begins with a path"},
		{"https://example.org/old /new", "path of this site"},
		{"/old /new 418", "no status"},
		{"/old /new permanent", "no status"},
		{"/old /new 301 302", "not understood"},
		{"/old /new 301 Country=de", "Country"},
		{"/old /new Language=de", "Language"},
		{"/old /new 200! Role=admin", "Role"},
		{"/old id /new", "parameters"},
		{"/old id= /new", "parameters"},
		{"/old id=:id /new/:other", ":other"},
		{"/old /new/:splat", "no *"},
		{"/:a/:a /new", "twice"},
		{"/:a a=:a /new", "twice"},
		{"/:splat /new", ":splat"},
		{"/a:b/:c-d /new", "whole segment"},
		{"/a/*/b /new", "last of a path"},
		{"/*/* /new", "more than one *"},
		{"/old?id=1 /new", "before ?"},
		{"/old%zz /new", "hexadecimal"},
		{"/old /new%zz", "hexadecimal"},
		{"/.git/* /new", "dot"},
		{"/old //evil.test", "two slashes"},
		{`/old /\evil.test`, "two slashes"},
		{"/old javascript://x", "no web page"},
		{"/old https:///x", "no host name"},
		{"/old https://ann@example.org/", "no host name"},
		{"/go/:host https://:host/", "no host name"},
		{"/go/* https://example.org:splat", "no host name"},
		{"/api/* https://api.example.org/:splat 200", "not fetched"},
		{"/api/* /.netlify/functions/:splat 200", "Netlify"},
		{"/x /.env 200", "never served"},
		{"/x /_headers 200", "never served"},
		{"/x /y?z 200", "no ?"},
		{"/x /y#z 404", "no ?"},
		{"/x /x/", "itself"},
		{"/* /en/:splat 301!", "itself"},
		{"/s id=:id /s?id=:id", "itself"},
		{"/a /b\n/b /a", "circle with line 1"},
		{"/a/* /b/:splat\n/b/* /c/:splat\n/c/* /a/:splat", "circle with line 2"},
		{"/a /b\n/a /c", "Line 1"},
		{"/* /index.html 200\n/a /b", "Line 1"},
		{"/a\xff /b", "UTF-8"},
		{"/a\x00 /b", "control"},
		{"/" + strings.Repeat("a", mostRuleLine) + " /b", "longer"},
		{placeholders(mostNames+1) + " /b", "placeholders"},
	}
	for _, tt := range tests {
		t.Run(tt.rules[:min(len(tt.rules), 40)], func(t *testing.T) {
			_, faults := read(t, tt.rules, "")
			last := 1 + strings.Count(tt.rules, "\n")
			if len(faults) != 1 || faults[0].Line != last || faults[0].File != RedirectsFile || !strings.Contains(faults[0].Sentence, tt.says) {
				t.Errorf("faults: %v; want one in line %d about %q", faults, last, tt.says)
			}
		})
	}
}

// placeholders is a path of n of them.
func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "/:p%d", i)
	}
	return b.String()
}

// TestFaultyLinesHaveNoEffect wants the lines around a faulty one to hold.
func TestFaultyLinesHaveNoEffect(t *testing.T) {
	set, faults := read(t, "/a /b\n/c /d 999\n\n# what follows is right\n/e /f\n/g", "")
	if len(faults) != 2 || faults[0].Line != 2 || faults[1].Line != 6 {
		t.Errorf("faults: %v", faults)
	}
	for asked, want := range map[string]string{"/a": "301 /b", "/c": "", "/e": "301 /f", "/g": ""} {
		if got := describe(set, asked); got != want {
			t.Errorf("%s gets %q, want %q", asked, got, want)
		}
	}
}

// TestRedirectsThatComeBack tells rules that a file must end from those that lead on.
func TestRedirectsThatComeBack(t *testing.T) {
	set, faults := read(t, "/a/* /a/b/:splat\n/c/* /d/:splat\n/e/* https://example.org/e/:splat", "")
	if len(faults) > 0 {
		t.Errorf("faults: %v", faults)
	}
	for path, again := range map[string]bool{"/a/x": true, "/c/x": false, "/e/x": false} {
		if r, ok := set.Redirect(path, ""); !ok || r.Again != again {
			t.Errorf("%s: %+v; want Again %v", path, r, again)
		}
	}
}

func TestBounds(t *testing.T) {
	many := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+"\n", i)
		}
		return b.String()
	}
	tests := []struct {
		promise   string
		redirects string
		headers   string
		line      int
		says      string
	}{
		{"rules", many(mostRules+5, "/old-%d /new"), "", mostRules + 1, "more than 2000 rules"},
		{"patterns", many(mostPatterns+1, "/old-%d/* /new"), "", mostPatterns + 1, "more than 1000 rules"},
		{"bytes", strings.Repeat("# much\n", mostBytes/7+1), "", 0, "larger than 512 KB"},
		{"encoding", "\xff\xfe/\x00a\x00", "", 0, "UTF-16"},
		{"paths", "", many(mostPaths+1, "/p-%d\nX-A: 1"), 2*mostPaths + 1, "more than 100 paths"},
		{"fields of an answer", "", "/*\n" + many(mostSent+1, "X-%d: y"), mostSent + 2, "more than 50 header fields"},
		{"bytes of an answer", "", "/*\n" + many(9, "X-%d: "+strings.Repeat("y", mostHeaderLine-10)), 10, "16 KB"},
		{"lines of headers", "", "/*\nX-Long: " + strings.Repeat("y", mostHeaderLine), 2, "longer than 2000"},
		{"fields that add up", "", many(mostSent+1, "/p-%d\nVary: y"), 2*mostSent + 2, "more than 50 header fields"},
		{"bytes that add up", "", many(9, "/p-%d\nVary: "+strings.Repeat("y", mostHeaderLine-10)), 18, "16 KB"},
		{"bytes that add up in one path", "", "/a\nVary: y\n/b\n" + many(9, "Vary: %d"+strings.Repeat("y", mostHeaderLine-10)), 12, "16 KB"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			_, faults := read(t, tt.redirects, tt.headers)
			if len(faults) != 1 || faults[0].Line != tt.line || !strings.Contains(faults[0].Sentence, tt.says) {
				t.Errorf("faults: %.300v; want one in line %d about %q", faults, tt.line, tt.says)
			}
		})
	}
	t.Run("faults", func(t *testing.T) {
		_, faults := read(t, many(1000, "faulty-%d"), "")
		if last := faults[len(faults)-1]; len(faults) != mostFaults+1 || last.Line != mostFaults+1 || !strings.Contains(last.Sentence, "those below") {
			t.Errorf("%d faults, the last is %v", len(faults), last)
		}
	})
}

// TestNoFiles wants a release without the files, or with folders of their names, to have no rules.
func TestNoFiles(t *testing.T) {
	for name, release := range map[string]fstest.MapFS{
		"no files": {"index.html": {}}, "folders": {RedirectsFile + "/x": {}, HeadersFile + "/x": {}},
	} {
		set, faults, err := Read(release)
		if err != nil || len(faults) > 0 {
			t.Fatalf("%s: %v, %v", name, faults, err)
		}
		if _, ok := set.Redirect("/", ""); ok {
			t.Errorf("%s: a rule is met", name)
		}
	}
}

func BenchmarkRedirect(b *testing.B) {
	var rules strings.Builder
	for i := range mostPatterns {
		fmt.Fprintf(&rules, "/old-%d/:slug/* /new/%d/:slug/:splat\n/exact-%d /there\n", i, i, i)
	}
	set, faults := read(b, rules.String(), "")
	if len(faults) > 0 {
		b.Fatal(faults)
	}
	for b.Loop() {
		if _, ok := set.Redirect("/old-999/a/b", ""); !ok {
			b.Fatal("not met")
		}
	}
}

// Reading takes no longer for rules that lead to each other than for others.
func TestRulesAreReadInBoundedTime(t *testing.T) {
	var file strings.Builder
	for i := range mostPatterns - 1 {
		fmt.Fprintf(&file, "/:a/:b/:c/x%d /:a/b/c/x%d\n", i, i-1)
	}
	for i := range mostRules - mostPatterns {
		fmt.Fprintf(&file, "/s%d /1/b/c/x%d\n", i, mostPatterns-2)
	}
	r, faults := parseRedirects([]byte(file.String()))
	if len(faults) > 0 || len(r.rules) != mostRules-1 {
		t.Fatalf("%d rules, faults %v", len(r.rules), faults)
	}
	if r.compared > mostCompared+mostPatterns {
		t.Errorf("rules were compared %d times", r.compared)
	}
	if _, faults := parseRedirects([]byte("/a /b\n/b /a\n")); len(faults) != 1 {
		t.Errorf("a circle of two is faulted %v", faults)
	}
}

package rules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestHeaders asks for a path and wants the fields that the rules give it.
func TestHeaders(t *testing.T) {
	tests := []struct {
		promise string
		rules   string
		asked   string
		want    []string
	}{
		{"all paths", "/*\n  X-Frame-Options: DENY", "/a/b", []string{"X-Frame-Options: DENY"}},
		{"the front page is one", "/*\n  X-Frame-Options: DENY", "/", []string{"X-Frame-Options: DENY"}},
		{"one path", "/a\n  X-A: 1\n/b\n  X-B: 2", "/b", []string{"X-B: 2"}},
		{"a slash at the end makes no difference", "/a\n  X-A: 1", "/a/", []string{"X-A: 1"}},
		{"names are written as usual", "/a\n  x-frame-options : DENY  ", "/a", []string{"X-Frame-Options: DENY"}},
		{"fields need not be indented", "/a\nX-A: 1", "/a", []string{"X-A: 1"}},
		{"comments and empty lines are nothing", "# a\n\n/a # b\n  # c\n\n  X-A: 1", "/a", []string{"X-A: 1"}},
		{"values keep their colons and addresses", "/a\n  Link: <https://a.b/c>; rel=preload", "/a", []string{"Link: <https://a.b/c>; rel=preload"}},
		{"values of one name are a list", "/a\n  Cache-Control: public\n  X-A: 1\n  cache-control: max-age=60", "/a", []string{"Cache-Control: public, max-age=60", "X-A: 1"}},
		{"of two paths the later counts", "/*\n  X-A: 1\n/a\n  X-A: 2", "/a", []string{"X-A: 2"}},
		{"a path can be written twice", "/a\n  X-A: 1\n/a\n  X-B: 2", "/a", []string{"X-A: 1", "X-B: 2"}},
		{"by ending", "/*.js\n  X-A: 1", "/assets/app.js", []string{"X-A: 1"}},
		{"and no other", "/*.js\n  X-A: 1", "/assets/app.json", nil},
		{"by folder", "/assets/*\n  X-A: 1", "/assets/css/a.css", []string{"X-A: 1"}},
		{"a placeholder is a segment", "/blog/:slug\n  X-A: 1", "/blog/hello", []string{"X-A: 1"}},
		{"and no more", "/blog/:slug\n  X-A: 1", "/blog/hello/x", nil},
		{"placeholders on both sides of a *", "/:lang/*/:file/edit\n  X-A: 1", "/en/a/b/page/edit", []string{"X-A: 1"}},
		{"what is before and behind a * does not overlap", "/aba*ba\n  X-A: 1", "/aba", nil},
		{"escapes are read", "/%C3%BC\n  X-A: 1", "/ü", []string{"X-A: 1"}},
		{"transport security is the owner's", "/*\n  Strict-Transport-Security: max-age=1", "/", []string{"Strict-Transport-Security: max-age=1"}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			set, faults := read(t, "", tt.rules)
			if len(faults) > 0 {
				t.Errorf("faults: %v", faults)
			}
			if got := fieldsOf(set, tt.asked); !slices.Equal(got, tt.want) {
				t.Errorf("%s gets %q, want %q", tt.asked, got, tt.want)
			}
		})
	}
}

// fieldsOf writes the fields of a path as the tables do.
func fieldsOf(set *Set, path string) []string {
	last := map[string]string{}
	var order []string
	for f := range set.Fields(path) {
		if _, ok := last[f.Name]; !ok {
			order = append(order, f.Name)
		}
		last[f.Name] = f.Value
	}
	for i, name := range order {
		order[i] = name + ": " + last[name]
	}
	return order
}

// TestFaultyHeaders wants a fault in the last line, which says what is wrong, and no field.
func TestFaultyHeaders(t *testing.T) {
	tests := []struct{ rules, says string }{
		{"X-A: 1", "below no path"},
		{"/a\nX-A", "no colon"},
		{"/a\nX A: 1", "no name"},
		{"/a\n: 1", "no name"},
		{"/a\nX-Ä: 1", "no name"},
		{"/a\nX-A:", "no value"},
		{"/a\nX-A: ä", "ASCII"},
		{"/a\n! X-A", "not supported"},
		{"/a\nBasic-Auth: ann:secret", "Settings → password"},
		{"/a\nset-cookie: a=b", "cookies"},
		{"/a\nTransfer-Encoding: chunked", "connection"},
		{"/a\nConnection: close", "connection"},
		{"/a\nContent-Length: 5", "follows from the file"},
		{"/a\nContent-Encoding: br", "follows from the file"},
		{"/a\nETag: \"x\"", "follows from the file"},
		{"/a\nDate: x", "server alone"},
		{"/a\nAlt-Svc: h3=x", "server alone"},
		{"/a\nLocation: /x", "server alone"},
		{"/*/*\nX-A: 1", "more than one *"},
		{"https://example.org/*\nX-A: 1", "without a host"},
		{"/a b\nX-A: 1", "alone in its line"},
		{"/a%zz\nX-A: 1", "hexadecimal"},
	}
	for _, tt := range tests {
		t.Run(tt.rules, func(t *testing.T) {
			set, faults := read(t, "", tt.rules)
			if len(faults) != 1 || faults[0].File != HeadersFile || !strings.Contains(faults[0].Sentence, tt.says) {
				t.Fatalf("faults: %v; want one about %q", faults, tt.says)
			}
			lines := strings.Split(tt.rules, "\n")
			if at := faults[0].Line; at != len(lines) && !strings.Contains(faults[0].Sentence, "lines below it") {
				t.Errorf("line %d is told: %v", at, faults)
			}
			if got := fieldsOf(set, "/a"); got != nil {
				t.Errorf("fields: %q", got)
			}
		})
	}
}

// TestEachFieldTooManyIsTold fills _headers to its bounds and beyond, and wants a fault for each line too many.
func TestEachFieldTooManyIsTold(t *testing.T) {
	const each = mostFields / mostPaths
	var file strings.Builder
	for path := range mostPaths + 3 {
		fmt.Fprintf(&file, "/p-%d*\n", path)
		for field := range each {
			fmt.Fprintf(&file, "X-%d: %d\n", field, path)
		}
	}
	set, faults := read(t, "", file.String())
	if len(faults) != 3 {
		t.Fatalf("%d faults for 3 paths too many: %v", len(faults), faults)
	}
	for i, fault := range faults {
		if want := (mostPaths+i)*(each+1) + 1; fault.Line != want || !strings.Contains(fault.Sentence, "lines below it") {
			t.Errorf("%+v, want one of line %d", fault, want)
		}
	}
	if got := fieldsOf(set, "/p-99"); len(got) != each || got[0] != "X-0: 99" {
		t.Errorf("the last path that is taken has %q", got)
	}
	if got := fieldsOf(set, "/p-100"); len(got) != each || got[0] != "X-0: 10" { // /p-10* is met, /p-100* is one too many
		t.Errorf("the first that is not has %q", got)
	}

	_, faults = read(t, "", strings.Replace(file.String(), "/p-50*\n", "/p-50*\nX-A: 1\nX-B: 1\n", 1))
	var lines []int
	for _, fault := range faults {
		lines = append(lines, fault.Line)
		if fault.Line <= mostPaths*(each+1)+2 && !strings.Contains(fault.Sentence, "more than 500 header fields") {
			t.Errorf("%+v", fault)
		}
	}
	last := mostPaths*(each+1) + 2
	if want := []int{last - 1, last, last + 1, last + 1 + (each + 1), last + 1 + 2*(each+1)}; !slices.Equal(lines, want) {
		t.Errorf("faults in the lines %v, want %v", lines, want)
	}
}

// TestFieldsOfFiles tells what describes a file from what is for every answer.
func TestFieldsOfFiles(t *testing.T) {
	set, faults := read(t, "", "/*\nCache-Control: no-store\nContent-Type: text/plain\nContent-Disposition: attachment\nContent-Security-Policy: default-src 'self'\nX-A: 1")
	if len(faults) > 0 {
		t.Error(faults)
	}
	for f := range set.Fields("/") {
		if want := f.Name != "Content-Security-Policy" && f.Name != "X-A"; f.OfFile != want {
			t.Errorf("%s: OfFile %v", f.Name, f.OfFile)
		}
	}
}

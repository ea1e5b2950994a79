package rules

import (
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

// FuzzRedirects holds for any file and any request: a redirect leads to this site by exactly one slash, or to an origin that
// the file has written out; a file is named by an absolute path; nothing breaks out of a header.
func FuzzRedirects(f *testing.F) {
	f.Add("/old /new 301!\n/a/:b/* c=:c https://example.org/:b?x=:c#:splat 302", "/a/b/c", "c=1&d=2")
	f.Add("/* /index.html 200", "/x", "")
	f.Add("/go* /:splat\n/:a/:b /:b:a", `/go/\evil`, "x")
	f.Fuzz(func(t *testing.T, file, path, query string) {
		set, faults, err := Read(fstest.MapFS{RedirectsFile: {Data: []byte(file)}})
		if err != nil || len(faults) > mostFaults+1 {
			t.Fatalf("%d faults, %v", len(faults), err)
		}
		for _, fault := range faults {
			if !utf8.ValidString(fault.Sentence) || strings.ContainsFunc(fault.Sentence, isControl) || len(fault.Sentence) > 1000 {
				t.Errorf("fault: %q", fault.Sentence)
			}
		}
		if !strings.HasPrefix(path, "/") || strings.ContainsFunc(query, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
			return // no request has that
		}
		r, ok := set.Redirect(mergeSlashes(path), query)
		if !ok {
			return
		}
		if r.Rewrites() {
			if r.Location != "" || !strings.HasPrefix(r.Path, "/") || strings.HasPrefix(r.Path, "//") {
				t.Errorf("%+v", r)
			}
			return
		}
		checkLocation(t, r, file)
	})
}

func checkLocation(t *testing.T, r Redirect, file string) {
	t.Helper()
	if strings.ContainsFunc(r.Location, func(c rune) bool { return c <= ' ' || c == 0x7f || c == '\\' }) {
		t.Errorf("location %q", r.Location)
	}
	if strings.HasPrefix(r.Location, "/") {
		if strings.HasPrefix(r.Location, "//") || !strings.HasPrefix(r.Path, "/") {
			t.Errorf("%+v", r)
		}
		return
	}
	u, err := url.Parse(r.Location)
	if err != nil {
		t.Fatalf("location %q: %v", r.Location, err)
	}
	if r.Path != "" || !strings.Contains(file, u.Host) || u.Host == "" {
		t.Errorf("location %q of a file without that host", r.Location)
	}
}

// FuzzHeaders holds for any file and any path: every field can be sent as it is, and all of them are bounded.
func FuzzHeaders(f *testing.F) {
	f.Add("/*\n  X-A: 1\n  X-A: 2\n/:a/*.js # c\n  Cache-Control: x", "/b/c.js")
	f.Add("/*\nVary: a\nVary: b\n/b*\nVary: c\nX-A: 1", "/b")
	f.Add("X-A: 1\nhttps://x/\n  ! X-B\nSet-Cookie: a", "/")
	f.Fuzz(func(t *testing.T, file, path string) {
		set, faults, err := Read(fstest.MapFS{HeadersFile: {Data: []byte(file)}})
		if err != nil || len(faults) > mostFaults+1 {
			t.Fatalf("%d faults, %v", len(faults), err)
		}
		if !strings.HasPrefix(path, "/") {
			return
		}
		sent := map[string][]string{}
		for field := range set.Fields(path) {
			if !field.AddsUp {
				sent[field.Name] = nil
			}
			sent[field.Name] = append(sent[field.Name], field.Value)
			if !isToken(field.Name) || field.Value == "" || strings.ContainsFunc(field.Value, func(c rune) bool { return isControl(c) || c > '~' }) {
				t.Errorf("field %q: %q", field.Name, field.Value)
			}
		}
		fields, size := 0, 0
		for name, values := range sent {
			for _, value := range values {
				fields, size = fields+1, size+len(name)+len(value)
			}
		}
		if fields > mostSent || size > mostHead {
			t.Errorf("%d fields of %d bytes", fields, size)
		}
	})
}

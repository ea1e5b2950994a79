package rules

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// The files, at the top of a release.
const (
	RedirectsFile = "_redirects"
	HeadersFile   = "_headers"
)

// What the files may hold.
const (
	mostBytes  = 512 << 10 // of a file
	mostNames  = 16        // placeholders of a path
	mostFaults = 200       // of a file; what comes then is not read

	mostRuleLine = 4000    // bytes of a line of _redirects
	mostRules    = 2000    // of _redirects
	mostPatterns = 1000    // of them with placeholders, * or parameters
	mostCompared = 100_000 // comparisons of rules with each other

	mostHeaderLine = 2000     // bytes of a line of _headers
	mostPaths      = 100      // of _headers
	mostFields     = 500      // of all paths together
	mostSent       = 50       // header fields that one answer could have
	mostHead       = 16 << 10 // bytes of these
)

// Names returns the names of the files of rules.
func Names() []string { return []string{RedirectsFile, HeadersFile} }

// Fault is a line that has no effect.
type Fault struct {
	File     string // RedirectsFile or HeadersFile
	Line     int    // from 1; 0: the file as a whole
	Sentence string // what is wrong and what would be right
}

// Set is the rules of a release. The zero Set has none.
type Set struct {
	redirects redirects
	headers   headers
}

// Read reads the rules of a release, and what is faulty in them, by file and line. A file that is not there has no rules.
// The error is one of reading; faulty lines are none.
func Read(release fs.FS) (*Set, []Fault, error) {
	set := &Set{}
	var faults []Fault
	for _, name := range Names() {
		content, err := readFile(release, name)
		if err != nil {
			return nil, nil, err
		}
		var found []Fault
		if name == RedirectsFile {
			set.redirects, found = parseRedirects(content)
		} else {
			set.headers, found = parseHeaders(content)
		}
		slices.SortStableFunc(found, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
		faults = append(faults, found...)
	}
	return set, faults, nil
}

// readFile returns at most one byte more than is allowed.
func readFile(release fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(release, name)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && !info.Mode().IsRegular()) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	f, err := release.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return content, nil
}

// sentence is what is wrong with a line, for people.
type sentence string

func (s sentence) Error() string { return string(s) }

func wrong(format string, args ...any) error { return sentence(fmt.Sprintf(format, args...)) }

// report gathers the faults of one file.
type report struct {
	file     string
	mostLine int // bytes
	faults   []Fault
}

func (r *report) add(line int, err error) {
	r.faults = append(r.faults, Fault{r.file, line, err.Error()})
}

// line is one line of a file without the space around it.
type line struct {
	number int
	text   string
}

// lines yields what may be rules: neither empty nor a comment, of text, and not too long. The rest is reported. It ends
// when the report is long, so that a file that is no text does not make a longer one.
func (r *report) lines(content []byte) iter.Seq[line] {
	return func(yield func(line) bool) {
		if err := unreadable(content); err != nil {
			r.add(0, err)
			return
		}
		number := 0
		for text := range strings.SplitSeq(strings.TrimPrefix(string(content), "\ufeff"), "\n") {
			number++
			text = strings.TrimSpace(text)
			if text == "" || text[0] == '#' {
				continue
			}
			if len(r.faults) == mostFaults {
				r.add(number, wrong("More than %d lines are faulty. This one and those below have no effect.", mostFaults))
				return
			}
			if err := r.checkLine(text); err != nil {
				r.add(number, err)
			} else if !yield(line{number, text}) {
				return
			}
		}
	}
}

// unreadable says why no line of a file can be read.
func unreadable(content []byte) error {
	switch {
	case len(content) > mostBytes:
		return wrong("The file is larger than %d KB, so none of it has an effect. Use * and placeholders.", mostBytes>>10)
	case bytes.HasPrefix(content, []byte("\xff\xfe")), bytes.HasPrefix(content, []byte("\xfe\xff")):
		return wrong("The file is stored as UTF-16, so none of it has an effect. Save it as UTF-8.")
	}
	return nil
}

func (r *report) checkLine(text string) error {
	switch {
	case len(text) > r.mostLine:
		return wrong("The line is longer than %d characters.", r.mostLine)
	case !utf8.ValidString(text):
		return wrong("The line is not UTF-8. Save the file as UTF-8.")
	case strings.ContainsFunc(text, isControl):
		return wrong("The line has a control character in it. Type it anew.")
	}
	return nil
}

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// quote is text of a stranger in a sentence, cut where it is long.
func quote(text string) string {
	const most = 60
	if len(text) > most {
		cut := most
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return `"` + text + `"`
}

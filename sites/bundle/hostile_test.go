package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
)

// small are limits that a test can reach.
func small() Limits { return Limits{Bytes: 1 << 20, Files: 10, Ratio: 100, RatioFrom: 64 << 10} }

const (
	fromUnix = 3 << 8
	page     = "<h1>hello</h1>"
)

// hostile is one archive for every rule and every way to break it.
var hostile = []struct {
	rule  string
	entry string // as the fault must name it; "-" for the archive as a whole
	zip   []byte
}{
	{RuleFormat, "-", nil},
	{RuleFormat, "-", []byte("hello")},
	{RuleFormat, "-", []byte("Rar!\x1a\x07\x01\x00 and so on, long enough for an end record")},
	{RuleFormat, "-", []byte("7z\xbc\xaf\x27\x1c and so on, long enough for an end record")},
	{RuleFormat, "-", []byte("\x1f\x8b\x08 and so on, long enough for an end record")},
	{RuleFormat, "-", []byte("<!DOCTYPE html><title>index.html itself</title>")},
	{RuleTruncated, "-", zipOf(stored("index.html", page))[:40]},
	{RuleTruncated, "-", cut(zipOf(stored("index.html", page)), 1)},
	{RuleTruncated, "-", raw{entries: []entry{stored("index.html", page)}, end: put16(20, 9)}.bytes()},
	{RuleStructure, "-", zipOf(stored("index.html", page))[10:]},
	{RuleStructure, "-", append([]byte("prefix"), zipOf(stored("index.html", page))...)},
	{RuleStructure, "-", raw{entries: []entry{stored("a", ""), stored("b", "")}, end: put16s(8, 1, 10, 1)}.bytes()},
	{RuleStructure, "-", raw{entries: []entry{stored("a", ""), stored("b", "")}, end: put16s(8, 3, 10, 3)}.bytes()},
	{RuleStructure, "-", raw{entries: []entry{stored("a", "")}, zip64: true, mangle: zeroFirst("PK\x06\x06")}.bytes()},
	{RuleStructure, "-", raw{entries: []entry{stored("a", "")}, zip64: true, mangle: locator(15, 0xff)}.bytes()},
	{RuleStructure, "-", raw{entries: []entry{stored("a", "")}, zip64: true, mangle: locator(8, 0xff)}.bytes()},
	{RuleEntries, "-", raw{entries: []entry{stored("a", "")}, zip64: true, mangle: zeroFirst("PK\x06\x07")}.bytes()},
	{RuleStructure, "-", raw{entries: []entry{stored("a", "")}, zip64: true, modest: true, mangle: zeroFirst("PK\x06\x07")}.bytes()},
	{RuleStructure, "-", raw{entries: []entry{stored("a", "")}, mangle: zeroFirst("PK\x01\x02")}.bytes()},
	{RuleStructure, "-", zipOf(entry{name: "a", size: ptr[uint64](0xffffffff), packed: ptr[uint64](0xffffffff)})},
	{RuleStructure, "a", raw{entries: []entry{stored("a", page)}, mangle: zeroFirst("PK\x03\x04")}.bytes()},
	{RuleStructure, "a", zipOf(entry{name: "a", body: page, at: ptr[uint64](1 << 30)})},
	{RuleStructure, "a", zipOf(entry{name: "a", body: page, at: ptr[uint64](1<<63 + 1), wide: true})},
	{RuleStructure, "a", zipOf(entry{name: "a", body: page, packed: ptr[uint64](1000)})},
	{RuleStructure, "-", zipOf(entry{name: "a", body: page, packed: ptr[uint64](1<<63 + 1), wide: true})},
	{RuleMultiDisk, "-", raw{entries: []entry{stored("a", "")}, end: put16(4, 1)}.bytes()},
	{RuleMultiDisk, "-", raw{entries: []entry{stored("a", "")}, end: put16(6, 1)}.bytes()},
	{RuleMultiDisk, "-", raw{entries: []entry{stored("a", "")}, end: put16(10, 2)}.bytes()},
	{RuleMultiDisk, "-", raw{entries: []entry{stored("a", "")}, zip64: true, end: put16(16, 1)}.bytes()},
	{RuleMultiDisk, "-", raw{entries: []entry{stored("a", "")}, zip64: true, mangle: locator(16, 2)}.bytes()},
	{RuleMultiDisk, "-", zipOf(entry{name: "a", disk: 1})},
	{RuleMultiDisk, "-", []byte("PK\x07\x08PK\x03\x04 the first part of a split zip")},
	{RuleEmpty, "-", zipOf()},
	{RuleEmpty, "-", zipOf(folderEntry("img/"), stored("__MACOSX/._img", "x"), stored("img/.DS_Store", "x"))},
	{RuleEntries, "-", zipOf(many(21, "dir%d/")...)},
	{RuleEntries, "-", zipOf(stored(strings.Repeat("d/", 21)+"f", ""))},
	{RuleEntries, "-", raw{entries: []entry{stored("a", "")}, zip64: true, end: put64s(24, 1<<40, 32, 1<<40)}.bytes()},
	{RuleEntries, "-", raw{entries: []entry{stored("a", "")}, zip64: true, end: put64s(40, 1<<40)}.bytes()},
	{RuleFiles, "f10", zipOf(many(11, "f%d")...)},
	{RuleBytes, "b", zipOf(stored("a", zeros(1<<19)), stored("b", zeros(1<<19+1)))},
	{RuleBytes, "a", zipOf(entry{name: "a", size: ptr[uint64](1<<63 + 1), wide: true})},
	{RuleRatio, "a", zipOf(deflated("a", zeros(1<<18)))},
	{RuleRatio, "b", zipOf(deflated("a", zeros(40<<10)), deflated("b", zeros(60<<10)), deflated("c", zeros(50<<10)))},
	{RuleOverlap, "b", zipOf(stored("a", page), entry{name: "b", body: page, at: ptr[uint64](0)})},
	{RuleOverlap, "b", quoted()},
	{RuleEncrypted, "a", zipOf(entry{name: "a", body: page, flags: 1})},
	{RuleEncrypted, "a", zipOf(entry{name: "a", body: page, flags: 1 << 13})},
	{RuleMethod, "a", zipOf(entry{name: "a", body: page, method: 9})},
	{RuleMethod, "a", zipOf(entry{name: "a", body: page, method: 93})},
	{RuleType, "a", zipOf(entry{name: "a", body: "/etc/passwd", creator: fromUnix, attrs: 0o120777 << 16})},
	{RuleType, "a", zipOf(entry{name: "a", body: "/etc/passwd", attrs: 0o120777 << 16})}, // says it is from MS-DOS
	{RuleType, "a", zipOf(entry{name: "a", creator: fromUnix, attrs: 0o060666 << 16})},
	{RuleType, "a", zipOf(entry{name: "a", creator: fromUnix, attrs: 0o020666 << 16})},
	{RuleType, "a", zipOf(entry{name: "a", creator: fromUnix, attrs: 0o010666 << 16})},
	{RuleType, "a", zipOf(entry{name: "a", creator: fromUnix, attrs: 0o140666 << 16})},
	{RuleType, "a/", zipOf(entry{name: "a/", body: page})},
	{RuleType, ".", zipOf(stored(".", page))},
	{RuleTraversal, "../a", zipOf(stored("../a", page))},
	{RuleTraversal, "a/../../b", zipOf(stored("a/../../b", page))},
	{RuleTraversal, "a/..", zipOf(stored("a/..", page))},
	{RuleTraversal, "__MACOSX/../../a", zipOf(stored("__MACOSX/../../a", page))},
	{RuleAbsolute, "/etc/cron.d/a", zipOf(stored("/etc/cron.d/a", page))},
	{RuleBackslash, `..\\a`, zipOf(stored(`..\a`, page))},
	{RuleDrive, "C:a", zipOf(stored("C:a", page))},
	{RuleDrive, "c:/a", zipOf(stored("c:/a", page))},
	{RuleControl, `a\x00b`, zipOf(stored("a\x00b", page))},
	{RuleControl, `a\nb`, zipOf(stored("a\nb", page))},
	{RuleControl, `a\u0085b`, zipOf(stored("a\u0085b", page))},
	{RuleUTF8, `gr\xfc\xdfe.html`, zipOf(stored("gr\xfc\xdfe.html", page))},
	{RuleUTF8, `a\xff`, zipOf(entry{name: "a\xff", body: page, flags: 1 << 11})},
	{RuleLength, "", zipOf(stored("", page))},
	{RuleLength, strings.Repeat("n", 160) + "…", zipOf(stored(strings.Repeat("n", 256), page))},
	{RuleLength, strings.Repeat("n/", 80) + "…", zipOf(stored(strings.Repeat("n/", 512)+"n", page))},
	{RuleDepth, strings.Repeat("d/", 64) + "f", zipOf(stored(strings.Repeat("d/", 64)+"f", page))},
	{RuleDuplicate, "a", zipOf(stored("a", page), stored("a", page))},
	{RuleDuplicate, "x//a", zipOf(stored("x/./a", page), stored("x//a", page))},
	{RuleCase, "INDEX.html", zipOf(stored("index.html", page), stored("INDEX.html", page))},
	{RuleCase, "Img/b", zipOf(stored("img/a", page), stored("Img/b", page))},
	{RuleCase, "STRASSE", zipOf(stored("straße", page), stored("STRASSE", page))},
	{RuleCase, "a\u0308", zipOf(stored("ä", page), stored("a\u0308", page))},
	{RuleFileAndFolder, "a/b", zipOf(stored("a", page), stored("a/b", page))},
	{RuleFileAndFolder, "a", zipOf(stored("a/b", page), stored("a", page))},
	{RuleFileAndFolder, "A/", zipOf(stored("a", page), folderEntry("A/"))},
	{RuleSize, "a", zipOf(entry{name: "a", body: page, size: ptr[uint64](3)})},
	{RuleSize, "a", zipOf(entry{name: "a", body: page, size: ptr[uint64](300)})},
	{RuleSize, "a", zipOf(entry{name: "a", body: zeros(1 << 16), method: zip.Deflate, size: ptr[uint64](3)})},
	{RuleSize, "a", zipOf(entry{name: "a", body: page, method: zip.Deflate, data: cut(deflate(page), 4)})},
	{RuleChecksum, "a", zipOf(entry{name: "a", body: page, crc: ptr[uint32](1)})},
	{RuleChecksum, "a", zipOf(entry{name: "a", body: page, crc: ptr[uint32](0)})},
	{RuleCorrupt, "a", zipOf(entry{name: "a", body: page, method: zip.Deflate, data: []byte("\xff\xff\xff\xff")})},
}

func zeros(n int) string { return strings.Repeat("\x00", n) }

func cut(b []byte, n int) []byte { return b[:len(b)-n] }

func many(n int, format string) []entry {
	all := make([]entry, n)
	for i := range all {
		all[i] = stored(fmt.Sprintf(format, i), "")
	}
	return all
}

func put16(at int, v uint16) func([]byte) { return put16s(at, int(v)) }

func put16s(pairs ...int) func([]byte) {
	return func(b []byte) {
		for i := 0; i < len(pairs); i += 2 {
			binary.LittleEndian.PutUint16(b[pairs[i]:], uint16(pairs[i+1]))
		}
	}
}

func put64s(pairs ...int) func([]byte) {
	return func(b []byte) {
		for i := 0; i < len(pairs); i += 2 {
			binary.LittleEndian.PutUint64(b[pairs[i]:], uint64(pairs[i+1]))
		}
	}
}

// locator sets one byte of the Zip64 locator, which lies before the last end record.
func locator(at int, v byte) func([]byte) []byte {
	return func(b []byte) []byte {
		b[len(b)-endLen-locator64Len+at] = v
		return b
	}
}

func zeroFirst(signature string) func([]byte) []byte {
	return func(b []byte) []byte {
		return []byte(strings.Replace(string(b), signature, "\x00\x00\x00\x00", 1))
	}
}

// quoted is a zip bomb after David Fifield: the packed data of a is a deflate block that quotes the local header of
// b and runs on into b's data, so that one kernel unpacks twice.
func quoted() []byte {
	kernel := deflate(page)
	b := entry{name: "b", method: zip.Deflate, data: kernel, body: page}
	header := zipOf(b)[:30+len(b.name)]
	n := byte(len(header))
	a := entry{
		name: "a", method: zip.Deflate, body: string(header) + page,
		data: []byte{0, n, 0, ^n, 0xff}, packed: ptr(uint64(5 + len(header) + len(kernel))),
	}
	return zipOf(a, b)
}

// The bomb must be a real one: without the rule both files would unpack.
func TestQuotedOverlapIsReadable(t *testing.T) {
	archive := quoted()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(in); err != nil || !strings.HasSuffix(string(body), page) {
			t.Errorf("%s: %q, %v", f.Name, body, err)
		}
	}
}

func TestExtractRefusesHostileArchives(t *testing.T) {
	for i, tt := range hostile {
		t.Run(fmt.Sprintf("%s %d", tt.rule, i), func(t *testing.T) {
			parent := t.TempDir()
			limits := small()
			if tt.rule == RuleDepth {
				limits.Files = 100
			}
			_, err := Extract(t.Context(), putArchive(t, parent, tt.zip), filepath.Join(parent, "out"), limits)
			var fault *Fault
			if !errors.As(err, &fault) {
				t.Fatalf("error %v, want a Fault", err)
			}
			if fault.Rule != tt.rule {
				t.Errorf("rule %q, want %q: %v", fault.Rule, tt.rule, err)
			}
			if want := strings.TrimPrefix(tt.entry, "-"); fault.Entry != want {
				t.Errorf("entry %q, want %q", fault.Entry, want)
			}
			if !strings.Contains(err.Error(), fault.Entry) || strings.Contains(err.Error(), "Rule") {
				t.Errorf("the sentence does not name the entry, or the rule in a program's words: %v", err)
			}
			if left := names(t, parent); left != "upload.zip" {
				t.Errorf("left behind: %s", left)
			}
		})
	}
}

func TestEveryRuleIsTested(t *testing.T) {
	tested := make(map[string]bool)
	for _, tt := range hostile {
		tested[tt.rule] = true
	}
	for _, rule := range []string{
		RuleFormat, RuleTruncated, RuleStructure, RuleMultiDisk, RuleEmpty, RuleEntries, RuleFiles, RuleBytes, RuleRatio,
		RuleOverlap, RuleEncrypted, RuleMethod, RuleType, RuleTraversal, RuleAbsolute, RuleBackslash, RuleDrive, RuleControl,
		RuleUTF8, RuleLength, RuleDepth, RuleDuplicate, RuleCase, RuleFileAndFolder, RuleSize, RuleChecksum, RuleCorrupt,
	} {
		if !tested[rule] {
			t.Errorf("no hostile archive for rule %q", rule)
		}
	}
}

func TestFaultNamesTheForeignFormat(t *testing.T) {
	for magic, want := range map[string]string{
		"Rar!\x1a\x07\x00":         "RAR",
		"7z\xbc\xaf\x27\x1c":       "7z",
		"\x1f\x8b\x08":             ".tar.gz",
		"\xfd7zXZ\x00":             ".tar.xz",
		zeros(257) + "ustar\x0000": ".tar file",
		"\r\n<html>":               "HTML page",
	} {
		parent := t.TempDir()
		_, err := Extract(t.Context(), putArchive(t, parent, []byte(magic)), filepath.Join(parent, "out"), small())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.8q: %v, want it to name %s", magic, err, want)
		}
	}
}

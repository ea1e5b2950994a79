package bundle

import (
	"bytes"
	"fmt"
	"io"
)

func empty() *Fault {
	return refuseArchive(RuleEmpty, "The zip holds no files. Put the site's files into it, with an index.html.")
}

func cutOff() *Fault {
	return refuseArchive(RuleTruncated, "The zip is cut off: its end is missing. Upload it again, or create it again if that does not help.")
}

// foreign says what a file is that has no end record of a zip.
func foreign(r io.ReaderAt) error {
	head := make([]byte, 512)
	n, err := r.ReadAt(head, 0)
	if isDiskError(err) {
		return fmt.Errorf("read archive: %w", err)
	}
	head = head[:n]
	if n == 0 {
		return refuseArchive(RuleFormat, "The file is empty. Upload a .zip file.")
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return cutOff()
	}
	if bytes.HasPrefix(head, []byte("PK\x07\x08")) {
		return multiDisk()
	}
	if kind := kindOf(head); kind != "" {
		return refuseArchive(RuleFormat, "This is %s, not a zip. Upload a .zip file.", kind)
	}
	return refuseArchive(RuleFormat, "This is not a zip file. Upload a .zip file.")
}

// kindOf names a format by its first bytes, with its article; empty where it does not know.
func kindOf(head []byte) string {
	for _, known := range []struct {
		at          int
		magic, kind string
	}{
		{0, "Rar!\x1a\x07", "a RAR archive"},
		{0, "7z\xbc\xaf\x27\x1c", "a 7z archive"},
		{0, "\x1f\x8b", "a .tar.gz or .gz file"},
		{0, "BZh", "a .tar.bz2 or .bz2 file"},
		{0, "\xfd7zXZ\x00", "a .tar.xz or .xz file"},
		{0, "\x28\xb5\x2f\xfd", "a .tar.zst or .zst file"},
		{257, "ustar", "a .tar file"},
		{0, "%PDF-", "a PDF document"},
		{0, "\x89PNG", "a PNG image"},
		{0, "\xff\xd8\xff", "a JPEG image"},
		{0, "GIF8", "a GIF image"},
	} {
		if len(head) > known.at && bytes.HasPrefix(head[known.at:], []byte(known.magic)) {
			return known.kind
		}
	}
	start := bytes.ToLower(bytes.TrimLeft(head, "\xef\xbb\xbf \t\r\n"))
	if bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) {
		return "a single HTML page"
	}
	return ""
}

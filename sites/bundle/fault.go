package bundle

import (
	"fmt"
	"strconv"
)

// The rules that a Fault can name.
const (
	RuleFormat        = "not-a-zip"
	RuleTruncated     = "truncated"
	RuleStructure     = "structure"
	RuleMultiDisk     = "multi-disk"
	RuleEmpty         = "empty"
	RuleEntries       = "entry-count"
	RuleFiles         = "file-count"
	RuleBytes         = "total-size"
	RuleRatio         = "compression-ratio"
	RuleOverlap       = "overlap"
	RuleEncrypted     = "encrypted"
	RuleMethod        = "compression-method"
	RuleType          = "file-type"
	RuleTraversal     = "path-traversal"
	RuleAbsolute      = "absolute-path"
	RuleBackslash     = "backslash"
	RuleDrive         = "drive-letter"
	RuleControl       = "control-character"
	RuleUTF8          = "not-utf-8"
	RuleLength        = "name-length"
	RuleDepth         = "folder-depth"
	RuleDuplicate     = "duplicate"
	RuleCase          = "case-clash"
	RuleFileAndFolder = "file-and-folder"
	RuleSize          = "size-mismatch"
	RuleChecksum      = "checksum"
	RuleCorrupt       = "corrupt-data"
)

// Fault says why an archive was refused. Any other error of Extract is not the archive's fault.
type Fault struct {
	Entry    string // the entry at fault, escaped and shortened for display; empty where it is the archive
	Rule     string // one of the Rule constants
	Sentence string // for people: what was wrong, and what would be right
}

func (f *Fault) Error() string { return f.Sentence }

// refuseEntry makes a Fault of an entry. what completes "The entry X …"; right says what to do instead.
func refuseEntry(name, rule, what, right string) *Fault {
	shown := display(name)
	return &Fault{
		Entry:    shown,
		Rule:     rule,
		Sentence: fmt.Sprintf(`The entry "%s" of the zip %s. %s`, shown, what, right),
	}
}

// refuseArchive makes a Fault of the archive as a whole.
func refuseArchive(rule, format string, args ...any) *Fault {
	return &Fault{Rule: rule, Sentence: fmt.Sprintf(format, args...)}
}

// display makes a hostile name fit to be shown: one line, printable, not endless.
func display(name string) string {
	const most = 160
	cut := ""
	if len(name) > most {
		name, cut = name[:most], "…"
	}
	quoted := strconv.Quote(name)
	return quoted[1:len(quoted)-1] + cut
}

// megabytes shows a size to people.
func megabytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%d MB", n>>20)
}

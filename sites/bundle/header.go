package bundle

import (
	"archive/zip"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// General purpose bits of an entry that say that its data cannot be read; APPNOTE.TXT 4.4.4.
const (
	flagEncrypted       = 1 << 0
	flagPatch           = 1 << 5
	flagStrongEncrypted = 1 << 6
	flagMasked          = 1 << 13
)

// checkHeader judges what the table of contents says of one entry, apart from its name.
func checkHeader(f *zip.File) error {
	mode := f.Mode()
	switch {
	case f.Flags&(flagEncrypted|flagStrongEncrypted|flagMasked) != 0:
		return refuseEntry(f.Name, RuleEncrypted, "is encrypted", "Create the zip without a password.")
	case mode&fs.ModeSymlink != 0:
		return refuseEntry(f.Name, RuleType, "is a symbolic link", "Put the file itself there.")
	case !mode.IsRegular() && !mode.IsDir() || !ordinaryUnixType(f.ExternalAttrs):
		return refuseEntry(f.Name, RuleType, "is neither a file nor a folder", "Leave it out.")
	case isDir(f) && f.UncompressedSize64 != 0:
		return refuseEntry(f.Name, RuleType, "is a folder that has data like a file", "Create the zip again.")
	case isDir(f):
		return nil
	case f.Method != zip.Store && f.Method != zip.Deflate || f.Flags&flagPatch != 0:
		return refuseEntry(f.Name, RuleMethod, fmt.Sprintf("is compressed with method %d, which is not supported", f.Method),
			`Create the zip with the method "Deflate", which is every program's default.`)
	}
	return nil
}

// ordinaryUnixType looks at the Unix file type even where the entry claims to come from a system that has none.
func ordinaryUnixType(attrs uint32) bool {
	const typeBits, regular, directory = 0o170000, 0o100000, 0o040000
	kind := attrs >> 16 & typeBits
	return kind == 0 || kind == regular || kind == directory
}

func isDir(f *zip.File) bool {
	return f.Name[len(f.Name)-1] == '/' || f.Mode().IsDir()
}

// checkOverlap refuses files that share packed bytes, which is how a small zip names the same bomb many times,
// and files whose data is not in front of the table of contents.
func checkOverlap(files []file, table int64) error {
	type span struct {
		from, to int64
		name     string
	}
	spans := make([]span, 0, len(files))
	for _, f := range files {
		from, err := f.DataOffset()
		if isDiskError(err) {
			return fmt.Errorf("read archive: %w", err)
		}
		to := from + int64(f.CompressedSize64)
		if err != nil || to > table {
			return refuseEntry(f.Name, RuleStructure, "is not where the zip's table of contents says", "Create the zip again.")
		}
		spans = append(spans, span{from, to, f.Name})
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return refuseEntry(spans[i].name, RuleOverlap, "shares its data with another entry, as zip bombs do", "Create the zip again.")
		}
	}
	return nil
}

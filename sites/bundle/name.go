package bundle

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// What a Linux file system takes, and no URL honestly needs more.
const (
	maxComponent = 255  // bytes
	maxPath      = 1024 // bytes
	maxDepth     = 64   // components
)

// cleanName turns an entry's name into a relative path without "." and empty components, or refuses it. The path
// of the root itself is empty. Folders may end in a slash.
func cleanName(name string) (string, error) {
	if err := checkCharacters(name); err != nil {
		return "", err
	}
	parts := strings.Split(name, "/")
	kept := parts[:0]
	for _, part := range parts {
		switch {
		case part == "..":
			return "", refuseEntry(name, RuleTraversal, `climbs out of its folder with ".."`, "Use only names inside the folder.")
		case len(part) > maxComponent:
			return "", refuseEntry(name, RuleLength, "has a part of more than 255 bytes in its name", "Use shorter names.")
		case part != "" && part != ".":
			kept = append(kept, part)
		}
	}
	if len(kept) > maxDepth {
		return "", refuseEntry(name, RuleDepth, "lies more than 64 folders deep", "Use fewer levels of folders.")
	}
	return strings.Join(kept, "/"), nil
}

func checkCharacters(name string) error {
	switch {
	case name == "":
		return refuseEntry(name, RuleLength, "has no name", "Create the zip again.")
	case len(name) > maxPath:
		return refuseEntry(name, RuleLength, "has a path of more than 1024 bytes", "Use shorter names or fewer folders.")
	case !utf8.ValidString(name):
		return refuseEntry(name, RuleUTF8, "has a name that is not UTF-8", "Create the zip with a program that writes names as UTF-8, or use plain ASCII names.")
	case strings.ContainsFunc(name, unicode.IsControl):
		return refuseEntry(name, RuleControl, "has a control character in its name", "Rename the file.")
	case strings.Contains(name, `\`):
		return refuseEntry(name, RuleBackslash, "has a backslash in its name", "Create the zip with a program that separates folders by slashes.")
	case name[0] == '/':
		return refuseEntry(name, RuleAbsolute, "begins with a slash", "Use names relative to the site's folder.")
	case len(name) > 1 && name[1] == ':' && unicode.IsLetter(rune(name[0])):
		return refuseEntry(name, RuleDrive, "begins with a drive letter", "Use names relative to the site's folder.")
	}
	return nil
}

// isJunk tells what macOS and Windows leave in folders and nobody means to publish.
func isJunk(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "__MACOSX", ".DS_Store", "Thumbs.db":
			return true
		}
	}
	return false
}

// folder maps names that look alike to people, whatever their case and composition, to one key.
type folder struct{ caser cases.Caser }

func newFolder() folder { return folder{cases.Fold()} }

func (f folder) key(path string) string {
	for i := range len(path) {
		if path[i] >= utf8.RuneSelf {
			return norm.NFD.String(f.caser.String(norm.NFD.String(path)))
		}
	}
	return strings.ToLower(path)
}

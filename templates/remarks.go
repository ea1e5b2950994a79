package templates

import "strconv"

// fewRemarks is how many are shown without a click.
const fewRemarks = 3

// place is where a remark's line is.
func (r Remark) place() string {
	if r.Line == 0 {
		return r.File
	}
	return r.File + ", line " + strconv.Itoa(r.Line)
}

// remarksWord sums up a list of remarks.
func remarksWord(list []Remark) string {
	files, lines := 0, 0
	for _, r := range list {
		if r.Line == 0 {
			files++
		} else {
			lines++
		}
	}
	switch {
	case files == 0:
		return plural(int64(lines), "line") + " of the rules " + have(lines) + " no effect"
	case lines == 0:
		return plural(int64(files), "file") + " of rules " + have(files) + " no effect"
	}
	return plural(int64(files), "file") + " and " + plural(int64(lines), "line") + " of rules have no effect"
}

func have(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

package bundle

import (
	"archive/zip"
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// plan is what will be written: it has passed every rule that can be judged without unpacking.
type plan struct {
	dirs  []string // relative paths, parents before children
	files []file
	bytes int64
	index bool
}

// file is one regular file of an archive.
type file struct {
	*zip.File
	path string // relative
}

// planner gathers the entries of one archive.
type planner struct {
	limits Limits
	folder folder
	taken  map[string]taken // by folded path
	files  []file
	bytes  int64 // of all files, unpacked as declared
	packed int64
}

// taken says what an archive already has at a path.
type taken struct {
	path string
	dir  bool
}

// newPlan judges all entries of an archive and plans what to write.
func newPlan(ctx context.Context, toc contents, limits Limits) (*plan, error) {
	p := planner{limits: limits, folder: newFolder(), taken: make(map[string]taken, len(toc.files))}
	for _, f := range toc.files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.add(f); err != nil {
			return nil, err
		}
	}
	if len(p.files) == 0 {
		return nil, empty()
	}
	if err := p.checkRatio(); err != nil {
		return nil, err
	}
	if err := checkOverlap(p.files, toc.offset); err != nil {
		return nil, err
	}
	return p.finish(), nil
}

// add judges one entry and takes it in, unless it is junk.
func (p *planner) add(f *zip.File) error {
	clean, err := cleanName(f.Name)
	if err != nil {
		return err
	}
	if err := checkHeader(f); err != nil {
		return err
	}
	switch {
	case isJunk(clean):
		return nil
	case isDir(f):
		return p.addDir(f.Name, clean)
	case clean == "":
		return refuseEntry(f.Name, RuleType, "is a file with the name of a folder", "Create the zip again.")
	}
	if err := p.addDir(f.Name, parent(clean)); err != nil {
		return err
	}
	if err := p.take(f.Name, clean, false); err != nil {
		return err
	}
	p.files = append(p.files, file{File: f, path: clean})
	return p.account(f)
}

// addDir takes in a folder and the folders that it lies in, from the top.
func (p *planner) addDir(entry, dir string) error {
	if dir == "" {
		return nil
	}
	if was, ok := p.taken[p.folder.key(dir)]; ok && was == (taken{dir, true}) {
		return nil
	}
	if err := p.addDir(entry, parent(dir)); err != nil {
		return err
	}
	return p.take(entry, dir, true)
}

// parent is path.Dir with "" for the root.
func parent(dir string) string {
	if i := strings.LastIndexByte(dir, '/'); i >= 0 {
		return dir[:i]
	}
	return ""
}

func (p *planner) take(entry, at string, dir bool) error {
	key := p.folder.key(at)
	was, ok := p.taken[key]
	switch {
	case !ok:
		if len(p.taken) == p.limits.entries() {
			return tooManyEntries(p.limits)
		}
		p.taken[key] = taken{at, dir}
		return nil
	case was.dir != dir:
		return refuseEntry(entry, RuleFileAndFolder, fmt.Sprintf(`needs "%s" to be both a file and a folder`, display(at)), "Rename one of them.")
	case was.path != at:
		return refuseEntry(entry, RuleCase, fmt.Sprintf(`differs from "%s" only in upper and lower case, or in how accents are stored`, display(was.path)), "Rename one of them, or use one spelling for the folder.")
	case dir:
		return nil
	}
	return refuseEntry(entry, RuleDuplicate, "is there twice", "Create the zip again, with each file once.")
}

// account adds the file's declared size to what the limits bound. Reading a file ends with an error at the first
// byte over its declared size, so to bound these is to bound what is written.
func (p *planner) account(f *zip.File) error {
	if len(p.files) > p.limits.Files {
		return refuseEntry(f.Name, RuleFiles, fmt.Sprintf("is one file too many: %d are allowed", p.limits.Files), "Upload fewer files.")
	}
	if f.UncompressedSize64 > uint64(p.limits.Bytes-p.bytes) {
		return tooLarge(f.Name, p.limits)
	}
	if f.CompressedSize64 > uint64(math.MaxInt64-p.packed) {
		return damaged()
	}
	p.bytes += int64(f.UncompressedSize64)
	p.packed += int64(f.CompressedSize64)
	if p.limits.exceedsRatio(int64(f.UncompressedSize64), int64(f.CompressedSize64)) {
		return tooDense(f.Name, p.limits)
	}
	return nil
}

func tooLarge(name string, limits Limits) *Fault {
	return refuseEntry(name, RuleBytes, fmt.Sprintf("brings the unpacked size over the %s that are allowed", megabytes(limits.Bytes)), "Upload less.")
}

func tooDense(name string, limits Limits) *Fault {
	return refuseEntry(name, RuleRatio, fmt.Sprintf("would unpack to more than %d times its size, as zip bombs do", limits.Ratio), "Leave it out.")
}

func (l Limits) exceedsRatio(unpacked, packed int64) bool {
	return l.Ratio > 0 && unpacked > l.RatioFrom && unpacked/l.Ratio > packed
}

// checkRatio asks of all files together what account asks of each. It names the largest.
func (p *planner) checkRatio() error {
	if !p.limits.exceedsRatio(p.bytes, p.packed) {
		return nil
	}
	largest := slices.MaxFunc(p.files, func(a, b file) int {
		return cmp.Compare(a.UncompressedSize64, b.UncompressedSize64)
	})
	return tooDense(largest.Name, p.limits)
}

// finish unwraps a single top folder and puts folders before what they hold.
func (p *planner) finish() *plan {
	out := &plan{files: p.files, bytes: p.bytes}
	for _, t := range p.taken {
		if t.dir {
			out.dirs = append(out.dirs, t.path)
		}
	}
	slices.Sort(out.dirs)
	if top := p.topFolder(); top != "" {
		out.dirs = out.dirs[1:] // top itself, the shortest
		for i := range out.dirs {
			out.dirs[i] = out.dirs[i][len(top)+1:]
		}
		for i := range out.files {
			out.files[i].path = out.files[i].path[len(top)+1:]
		}
	}
	out.index = slices.ContainsFunc(out.files, func(f file) bool { return f.path == "index.html" })
	return out
}

// topFolder is the one folder that everything lies in, or empty. A folder such as .well-known is content.
func (p *planner) topFolder() string {
	first, _, _ := strings.Cut(p.files[0].path, "/")
	if first == p.files[0].path || first[0] == '.' {
		return ""
	}
	for _, t := range p.taken {
		if top, _, _ := strings.Cut(t.path, "/"); top != first {
			return ""
		}
	}
	return first
}

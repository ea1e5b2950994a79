package main

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"berth/sites"
	"berth/sites/bundle"
	"berth/sites/static/rules"
)

// noIndex is the warning of a release whose visitors would meet a "not found" at the front door.
const noIndex = "There is no index.html at the top of the zip, so the site's front page is not found."

// unpacker makes package bundle speak the words of package sites, which know nothing of each other.
func unpacker(limits bundle.Limits) func(context.Context, string, string) (sites.Manifest, error) {
	return func(ctx context.Context, archive, dir string) (sites.Manifest, error) {
		report, err := bundle.Extract(ctx, archive, dir, limits)
		var fault *bundle.Fault
		if errors.As(err, &fault) {
			return sites.Manifest{}, sites.RefuseField(sites.ErrInvalid, "file", "%s", fault.Sentence)
		}
		if err != nil {
			return sites.Manifest{}, err
		}
		return examine(dir, report)
	}
}

// examine looks at the rules that an unpacked release has. The files of rules are no content.
func examine(dir string, report bundle.Report) (sites.Manifest, error) {
	m := sites.Manifest{Files: report.Files, Bytes: report.Bytes}
	release := os.DirFS(dir)
	set, faults, err := rules.Read(release)
	if err != nil {
		return sites.Manifest{}, err
	}
	for _, name := range rules.Names() {
		if info, err := fs.Stat(release, name); err == nil && info.Mode().IsRegular() {
			m.Files, m.Bytes = m.Files-1, m.Bytes-info.Size()
		}
	}
	for _, fault := range faults {
		m.Remarks = append(m.Remarks, sites.Remark(fault))
	}
	if _, ruled := set.Redirect("/", ""); !report.Index && !ruled {
		m.Warning = noIndex
	}
	return m, nil
}

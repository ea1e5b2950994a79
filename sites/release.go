package sites

import "time"

// ReleaseState is how far a release has come.
type ReleaseState string

const (
	ReleasePreparing ReleaseState = "preparing" // being unpacked or started
	ReleaseReady     ReleaseState = "ready"     // has served, or was overtaken by a newer one; can be activated
	ReleaseFailed    ReleaseState = "failed"    // never served; Reason says why
)

// Release is one immutable version of a site's content. Number counts from 1 within the site and is never used twice.
type Release struct {
	Site        SiteID
	Number      int
	State       ReleaseState
	Reason      string   // why it failed, why its last activation did, or what it waits for; a sentence for people
	Warning     string   // accepted, but the owner should know; a sentence for people
	Remarks     []Remark // on single lines; given at upload, and not changed
	Files       int
	Bytes       int64 // unpacked
	CreatedBy   string
	CreatedAt   time.Time
	ActivatedAt time.Time // last activation; zero: never
}

// Remark is about a line of a release's file that has no effect. It does not keep the release from serving.
type Remark struct {
	File     string // at the top of the release, such as _redirects
	Line     int    // from 1; 0: the file as a whole
	Sentence string // what is wrong and what would be right, for people
}

// Manifest is what unpacking found in an uploaded archive.
type Manifest struct {
	Files   int
	Bytes   int64
	Warning string
	Remarks []Remark // for releases that berth serves the files of; others read theirs by themselves
}

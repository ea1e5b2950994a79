package sites

import "time"

// SiteID is the key of a site; it is never used twice, so a site made anew under an old name shares nothing with the old one.
type SiteID int64

// Desired is what the owner wants of a site.
type Desired string

const (
	DesiredRunning Desired = "running"
	DesiredStopped Desired = "stopped"
)

// State is what a site is doing now, as owners and API users see it.
type State string

const (
	StateEmpty    State = "empty"    // no release yet; the placeholder page is served
	StateStarting State = "starting" // an instance is being started and none serves yet
	StateRunning  State = "running"
	StateStopped  State = "stopped"
	StateFailed   State = "failed" // should run and does not; the status has the reason
	StateSleeping State = "sleeping"
)

// Site is one name below the zone with an owner and releases.
type Site struct {
	ID        SiteID
	Name      string // the label below the zone, lower-case
	Owner     AccountID
	OwnerName string // filled by the store when read
	Template  string
	Desired   Desired
	Active    int // number of the active release, 0 for none
	Wanted    int // number of the release that is to become active, 0 for none
	Limits    Limits
	Instances int // that a running site is to have, 1 to MaxInstances
	// HealthPath is what instances are asked for to see whether they answer; empty means "/".
	HealthPath string
	Options    Options
	CreatedAt  time.Time
}

// MaxInstances is how many instances a site can have.
const MaxInstances = 8

// Limits bound an instance.
type Limits struct {
	MemoryMB int     // MiB
	CPUs     float64 // processors' worth of time
	Pids     int     // processes and threads
}

// HostKind tells a site's own name from a custom domain.
type HostKind string

const (
	HostOwn    HostKind = "own"
	HostCustom HostKind = "custom"
)

// Host is a DNS name that routes to a site.
type Host struct {
	Name   string // lower-case, without the trailing dot
	Site   SiteID
	Kind   HostKind
	Lapsed bool // a custom domain that leads elsewhere; filled by the store when read
}

// SiteStatus is a site with everything that is known of it now.
type SiteStatus struct {
	Site
	State   State
	Reason  string    // why the state is failed or is taking long; a sentence for people
	Retry   time.Time // when it is tried again, if the last start failed; zero: it did not
	Hosts   []Host    // its own name first
	Release *Release
	Latest  *Release // newest release, when it is not the active one
	Serving []Instance

	Unpacking bool   // an upload has arrived that is no release yet
	Lost      string // why the last upload came to nothing, where no release tells; a sentence for people
}

// Template is what an admin offers to run a site on.
type Template struct {
	Name        string
	Title       string
	Image       string // container image; empty for the static server that berth brings along
	Port        int    // TCP port that the instance listens on
	ContentPath string // where the release's files are mounted
	Command     []string
	Limits      Limits // defaults for a new site
}

// TemplateStatic is the template of static sites.
const TemplateStatic = "static"

// Static reports whether berth itself can serve a release of the template from its files.
func (t Template) Static() bool { return t.Image == "" }

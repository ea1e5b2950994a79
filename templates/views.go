package templates

import "time"

// Shell is what all pages of the panel share.
type Shell struct {
	Title   string // of the page, without the product's name
	Zone    string // without trailing dot
	Account string // name of who is logged in; empty: nobody
	Admin   bool   // show what admins may do
	Section Section
	Notices []Notice
	Now     time.Time // what "3 minutes ago" relates to; zero: the present

	Unsettled bool // something is about to change: without the script, the page is loaded again
}

// Section is the navigation entry that a page belongs to.
type Section string

// The sections.
const (
	SectionNone     Section = ""
	SectionSites    Section = "sites"
	SectionAccount  Section = "account"
	SectionHelp     Section = "help"
	SectionStatus   Section = "status"
	SectionAllSites Section = "all-sites"
	SectionAccounts Section = "accounts"
	SectionActivity Section = "activity"
	SectionZones    Section = "zones"
)

// Notice says what happened, at the top of the page.
type Notice struct {
	Kind NoticeKind
	Text string // one sentence for people
}

// NoticeKind is how a notice is meant; the empty kind is info.
type NoticeKind string

// The kinds of notice.
const (
	NoticeInfo    NoticeKind = "info"
	NoticeSuccess NoticeKind = "success"
	NoticeError   NoticeKind = "error"
)

// Faults are sentences about faulty inputs by the input's name.
type Faults map[string]string

// LoginView is the login page. Inputs: account, password, next.
type LoginView struct {
	Shell
	AccountName string // as typed
	Next        string // local path to go to afterwards; empty: my sites
	Fault       string // why the last attempt failed
}

// LoginCodeView is the second step of a login. Input: code, of the app or a recovery code.
type LoginCodeView struct {
	Shell
	Next  string // as for LoginView
	Fault string
}

// SitesView is the list of one's own sites. Query parameters: q, page.
type SitesView struct {
	Shell
	Sites  []SiteRow
	Quota  QuotaUse
	Port   string // what follows a site's name in its address, such as ":8443"; empty for the usual one
	Paging Paging
}

// Paging is which part of a long list is shown.
type Paging struct {
	Query string // what the names contain; empty: all names
	Page  int    // from 1
	Pages int
	Found int // how many there are, on all pages
	All   int // how many there would be without Query
}

// SiteRow is a site in a list.
type SiteRow struct {
	Name        string
	URL         string // where visitors find it, such as https://hello.example.org
	State       string // empty, starting, running, stopped, failed, sleeping
	Reason      string // why, a sentence
	Owner       string
	Release     int       // number of the active release; 0: none
	ReleaseAt   time.Time // when the active release was uploaded
	Certificate Certificate
	Instances   []InstanceRow // shown to admins
	Bytes       int64         // of the active release
	Lapsed      []string      // domains that lead elsewhere
	Maintenance bool          // visitors get a page that says so
}

// InstanceRow is one of the instances that serve a site.
type InstanceRow struct {
	Address   string // or "in this process"
	Answers   bool
	StartedAt time.Time
}

// Certificate is what is known of the certificate of one host.
type Certificate struct {
	Host      string
	State     string // none, pending, wildcard, valid, failed
	Issuer    string
	Serial    string
	NotBefore time.Time
	NotAfter  time.Time
	Renewal   time.Time // when renewal begins; zero: unknown
	LastError string    // of the last failed order, a sentence
	Authority string    // whom berth has it from, such as Let's Encrypt
	Names     []string  // that the certificate which serves the host is for
	Expiring  bool      // it ends so soon that its renewal must have failed
	Expired   bool      // it has ended
	Sentence  string    // what all this means for visitors
}

// CertificatesView is the list of all certificates, with what the authorities still give this week.
type CertificatesView struct {
	Shell
	Certificates []Certificate
	Budgets      []CertificateBudget
	RootURL      string // where the root of an internal authority can be downloaded; empty: none
	Paging       Paging
}

// CertificateBudget is how many first certificates an authority has given in the last seven days for a registered domain.
type CertificateBudget struct {
	Authority string
	Domain    string
	Issued    int
	Limit     int  // 0: none is known
	Scarce    bool // there is little left
}

// QuotaUse is what an account owns beside what it may own; a maximum of 0 means no bound.
type QuotaUse struct {
	Sites    int
	MaxSites int
	Bytes    int64
	MaxBytes int64
}

// NewSiteView is the page that creates a site. Inputs: name.
type NewSiteView struct {
	Shell
	Name   string // as typed
	Port   string // what follows a site's name in its address, such as ":8443"; empty for the usual one
	Faults Faults // by input name
	Quota  QuotaUse
}

// SiteView is the page of one site; SiteLive shows the changing parts of the same view.
type SiteView struct {
	Shell
	Name         string
	URL          string
	State        string   // empty, starting, running, stopped, failed, sleeping
	Reason       string   // why, a sentence
	Lapsed       []string // domains that lead elsewhere
	Maintenance  bool
	Protected    bool   // visitors are asked for a password
	Restricted   bool   // only some networks are let in
	Owner        string // shown to admins
	Release      int    // number of the active release; 0: none
	Releases     []ReleaseRow
	Certificates []Certificate // one per host, its own name first
	Instances    []InstanceRow // that serve; their addresses are shown to admins
	Wanted       int           // how many instances there are to be while it runs
	MemoryMB     int           // limits of each instance; 0: no bound
	CPUs         float64
	CreatedAt    time.Time
	Activity     []ActivityRow
	MaxBytes     int64 // the largest zip accepted; 0: not told
	MaxUnpacked  int64 // the most it may hold unpacked; 0: not told
	MaxFiles     int   // the most files it may hold; 0: not told
	UploadFault  string
	Unpacking    bool   // an upload has arrived that is no release yet
	Lost         string // why the last upload came to nothing, where no release tells
}

// ReleaseRow is a release in a list, newest first.
type ReleaseRow struct {
	Number      int
	State       string // preparing, ready, failed
	Active      bool
	Reason      string // why it failed, a sentence
	Warning     string // what the owner should know, a sentence
	Remarks     []Remark
	Files       int
	Bytes       int64 // unpacked
	CreatedBy   string
	CreatedAt   time.Time
	ActivatedAt time.Time // zero: never
}

// Remark is about a line of a release's file that has no effect.
type Remark struct {
	File     string
	Line     int // from 1; 0: the file as a whole
	Sentence string
}

// LogsView shows the last lines of an instance's output, or of the site's access log.
type LogsView struct {
	Shell
	Name   string
	Visits bool   // the access log
	Text   string // the lines; empty: none
	Tail   int    // how many were asked for
	Reason string // why there are none, a sentence; may be empty
}

// DeleteSiteView asks whether a site may go. Inputs: confirm (the site's name, typed).
type DeleteSiteView struct {
	Shell
	Name     string
	Host     string
	Releases int
	Fault    string
}

// AccountView is one's own account. Inputs of the password form: current, password, repeat, end_tokens (a box to tick,
// where there are tokens); of the token form: label.
type AccountView struct {
	Shell
	Role         string // owner, admin
	Quota        QuotaUse
	Tokens       []TokenRow
	NewToken     string    // the secret of the token just made; shown this once
	TokenLabel   string    // as typed
	EndTokens    bool      // the box is ticked
	TwoStepSince time.Time // zero: it is off
	Faults       Faults    // by input name
}

// TwoStepView is the two-step login of one's own account. Inputs to turn it on: code, current; to turn it off and for new
// recovery codes: current.
type TwoStepView struct {
	Shell
	Since     time.Time // zero: it is off
	Left      int       // recovery codes that are left
	Codes     string    // recovery codes just made, a line each; shown this once
	Key       string    // of the app that is being set up, where it is off
	QR        QR        // the same for its camera
	URI       string    // the same as a link, without its otpauth:
	Faults    Faults    // by input name
	FaultyOff bool      // the faults are of the form that turns it off
}

// QR is a QR code of Size modules on a side, with its margin; Path draws the dark ones in SVG.
type QR struct {
	Size int
	Path string
}

// TokenRow is an API token in a list.
type TokenRow struct {
	ID        int64
	Label     string
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
}

// StatusView is how the installation is doing; StatusLive shows the changing parts of the same view.
type StatusView struct {
	Shell
	Version      string
	StartedAt    time.Time
	Revision     int64
	Ready        bool // the first full change is applied
	Host         HostMeters
	Servers      []Server
	Runtime      Runtime
	Sites        SiteCounts
	Troubles     []Check // that are not well
	Authority    string  // who issues the certificates
	RootURL      string  // where the root of an internal authority can be downloaded; empty: none
	Certificates []Certificate
}

// HostMeters are measurements of the machine. A total of 0 means that it is not known.
type HostMeters struct {
	Name        string
	System      string // such as "Debian 12, Linux 6.1"
	CPUs        int
	CPUPercent  float64 // of all processors together, 0 to 100
	Load        float64 // average of one minute
	MemoryUsed  int64
	MemoryTotal int64
	DiskUsed    int64
	DiskTotal   int64
	DiskPath    string
	OwnMemory   int64 // what berth itself uses; 0: not known
	UpSince     time.Time
}

// Server is one of the servers that berth runs.
type Server struct {
	Name      string // such as "DNS"
	Addresses []string
	Problem   string // why it does not work, a sentence; empty: it does
	Counters  []Counter
	Groups    []CounterGroup
}

// CounterGroup is one number told apart by something, such as queries by type.
type CounterGroup struct {
	Label    string
	Counters []Counter
}

// Counter is a labelled number.
type Counter struct {
	Label string
	Value int64
}

// Runtime is what starts and stops releases.
type Runtime struct {
	Name      string // docker or embedded
	Version   string
	Why       string // why this one was taken
	Problem   string // why it does not answer, a sentence; empty: it does
	Instances int
}

// SiteCounts counts sites by state.
type SiteCounts struct {
	Total    int
	Running  int
	Starting int
	Stopped  int
	Failed   int
	Empty    int
	Sleeping int
}

// AllSitesView lists everybody's sites, for admins. Query parameters: q, page.
type AllSitesView struct {
	Shell
	Sites  []SiteRow
	Paging Paging
}

// AccountsView lists the accounts, for admins. Inputs of the form that creates one: name, role, password, sites,
// storage_mb.
type AccountsView struct {
	Shell
	Accounts []AccountRow
	Form     AccountForm
	Secret   Secret
}

// AccountRow is an account in a list.
type AccountRow struct {
	Name      string
	Role      string // owner, admin
	Quota     QuotaUse
	CreatedAt time.Time
}

// AccountForm is what was typed, and what is wrong with it.
type AccountForm struct {
	Name      string
	Role      string // owner, admin; empty: owner
	Sites     string // quota; 0: no bound
	StorageMB string // quota in MiB; 0: no bound
	Faults    Faults // by input name
}

// Secret is a password that is shown once.
type Secret struct {
	Account string
	Value   string // empty: nothing to show
}

// EditAccountView is one account, for admins. Inputs: role, sites, storage_mb; password in a form of its own;
// confirm (the account's name, typed) in the form that deletes.
type EditAccountView struct {
	Shell
	Name         string
	Self         bool // it is the account of who is looking; it cannot be deleted
	Quota        QuotaUse
	CreatedAt    time.Time
	Form         AccountForm
	Sites        []SiteRow // the first ones; Quota counts all
	Tokens       []TokenRow
	TwoStepSince time.Time // zero: it is off
	Secret       Secret
}

// ActivityView is the audit log, newest first. Query parameters: subject, limit.
type ActivityView struct {
	Shell
	Events  []ActivityRow
	Subject string // what the list is narrowed to; empty: all
	Limit   int
	More    bool // older ones exist
}

// ActivityRow is one event.
type ActivityRow struct {
	At      time.Time
	Actor   string
	Origin  string // address, cli or berth
	Action  string // noun.verb, such as site.create
	Subject string
	Detail  string // a sentence; may be empty
}

// ErrorView is a refusal or a failure, in words.
type ErrorView struct {
	Shell
	Code     int
	Heading  string // empty: by the code
	Sentence string // what happened; empty: by the code
	Next     string // what to do now; empty: by the code
}

package templates

import (
	"net/url"
	"strings"
	"time"
)

// DomainsView is the domains of one site; DomainsLive shows the changing part of the same view. Inputs of the form that adds one:
// name; of the form that chooses the main address: canonical.
type DomainsView struct {
	Shell
	Site    string
	Host    string // the site's own name in DNS
	URL     string // of that
	Name    string // as typed
	Faults  Faults // by input name
	Domains []DomainRow
	Main    string   // the address that the others lead to; empty: each answers
	Mains   []string // those that can be it
}

// DomainRow is a domain in a list.
type DomainRow struct {
	Name        string // A-labels
	Unicode     string // as people write it
	URL         string
	State       string // waiting, active, lapsed
	Hosted      bool   // berth answers for the name itself
	Registered  string // the domain that was registered for it
	Sentence    string // what is seen in place of what is wanted
	Warning     string
	LookedAt    time.Time // zero: not yet
	StrayedAt   time.Time // since when it leads elsewhere; zero: it does not
	Expires     time.Time // when a waiting one is given up
	Records     []DomainRecord
	Instead     []DomainRecord
	Certificate Certificate
}

// DomainRecord is a record to enter where the domain's DNS is kept.
type DomainRecord struct {
	Type  string
	Label string // the name below the registered domain, "@" for that itself
	Name  string // absolute
	Data  string
}

// RemoveDomainView asks whether a domain may go.
type RemoveDomainView struct {
	Shell
	Site    string
	Host    string // the site's own name in DNS, which stays
	Name    string
	Unicode string
	Waiting bool // it has never routed
}

// DomainsPath is the page of a site's domains (GET) and adds one (POST).
func DomainsPath(site string) string { return SitePath(site) + "/domains" }

// DomainsLivePath is where DomainsLive is served.
func DomainsLivePath(site string) string { return SiteLivePath(site) + "/domains" }

// MainAddressPath is where the choice of the main address is posted to.
func MainAddressPath(site string) string { return DomainsPath(site) + "/main" }

// CheckDomainPath is where a look at a domain is asked for.
func CheckDomainPath(site, name string) string { return domainPath(site, name) + "/check" }

// RemoveDomainPath shows the question (GET) and removes (POST).
func RemoveDomainPath(site, name string) string { return domainPath(site, name) + "/remove" }

func domainPath(site, name string) string { return DomainsPath(site) + "/" + url.PathEscape(name) }

func (r DomainRow) word() string {
	switch {
	case r.State == "active" && !r.StrayedAt.IsZero():
		return "Leads elsewhere"
	case r.State == "active":
		return "In use"
	case r.State == "lapsed":
		return "Lapsed"
	}
	return "Waiting"
}

func (r DomainRow) tone() string {
	switch {
	case r.State == "active" && !r.StrayedAt.IsZero():
		return "warn"
	case r.State == "active":
		return "ok"
	case r.State == "lapsed":
		return "bad"
	}
	return "busy"
}

// leads says what visitors of the domain meet.
func (r DomainRow) leads() string {
	switch {
	case r.State == "lapsed":
		return "The domain has led elsewhere for over a day, so no certificate is ordered for it. Set the records again to have it back."
	case r.State == "active" && !r.StrayedAt.IsZero():
		return "The domain leads elsewhere. If that stays so for a day, it lapses. If you did not mean it, set the records again."
	case r.State == "active" && r.Hosted:
		return "Visitors reach the site here. This server answers for the domain itself, so there is nothing to set."
	case r.State == "active":
		return "Visitors reach the site here. Leave the records as they are."
	}
	return ""
}

// wants reports whether its owner has something to do.
func (r DomainRow) wants() bool {
	return len(r.Records) > 0 && (r.State != "active" || !r.StrayedAt.IsZero())
}

// provider is where the records are to be entered.
func (r DomainRow) provider() string {
	if r.Registered == "" {
		return r.Name
	}
	return r.Registered
}

// lapsedWords says which domains of a site lead elsewhere.
func lapsedWords(names []string) string {
	if len(names) == 1 {
		return "The domain " + names[0] + " leads elsewhere now."
	}
	return "The domains " + strings.Join(names, ", ") + " lead elsewhere now."
}

func recordsWord(list []DomainRecord) string {
	if len(list) == 1 {
		return "this record"
	}
	return "these " + number(int64(len(list))) + " records"
}

// remarkTone is the style class of what a look has shown: what a waiting domain lacks is no fault.
func remarkTone(d DomainRow) string {
	switch {
	case d.State == "lapsed":
		return "bad"
	case d.State == "active" && !d.StrayedAt.IsZero():
		return "warn"
	}
	return "info"
}

// recordID is the id of a value that can be copied.
func recordID(domain, part string, r DomainRecord) string {
	return strings.Join([]string{part, r.Type, domain, r.Data}, "-")
}

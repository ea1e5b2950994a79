package diagnosis

import (
	"fmt"
	"net/netip"
	"time"

	"berth/sites"
)

// Name is what is known of a name that is no site's host and no domain that a site waits for.
type Name struct {
	Now         time.Time
	Use         sites.NameUse
	Answer      sites.NameAnswer
	Certificate sites.Certificate
	Panel       bool // the panel is served there
	Zone        Zone // that it lies in; without a name: none
	Addresses   []netip.Addr
}

// OfName judges a name.
func OfName(n Name) Report {
	var l findings
	n.dns(&l)
	if n.Answer.Zone != "" {
		n.zone(&l)
	}
	switch {
	case n.Panel:
		l.ok(TopicRoute, "Requests for %s go to the panel.", n.Use.Name)
		certificate(&l, n.Now, TopicCertificate, n.Certificate)
	case n.Use.Nameserver:
		l.ok(TopicRoute, "%s is a nameserver's name, so no site can have it.", n.Use.Name)
	default:
		n.nobodys(&l)
	}
	return Report{Subject: n.Use.Name, Findings: l}
}

// dns judges what berth's DNS says of the name.
func (n Name) dns(l *findings) {
	name, at := n.Use.Name, n.Answer
	switch {
	case at.Zone == "" && n.Panel:
		l.ok(TopicName, "%s lies in no zone that is kept here; its own DNS must lead to %s.", name, addresses(n.Addresses))
	case at.Zone == "":
		l.add(Warning, TopicName, fmt.Sprintf("%s lies in no zone that is kept here. berth refuses questions for it (REFUSED).", name),
			"Where its own DNS is kept, it can lead to "+addresses(n.Addresses)+"; a site can then have it as a domain.")
	case at.Silent:
		l.add(Fault, TopicName, fmt.Sprintf("The secondary zone %s has no content, so berth answers SERVFAIL for %s.", at.Zone, name), "Look at the zone's page in the panel: it says why the primary does not send it.")
	case at.Delegated:
		l.ok(TopicName, "%s is delegated by records in %s; berth names the nameservers.", name, at.Zone)
	case !at.Exists:
		l.add(Warning, TopicName, fmt.Sprintf("berth's DNS says that there is no name %s (NXDOMAIN).", name), "Names appear with their sites, or with records that are entered in the zone.")
	case at.Alias != "":
		l.ok(TopicName, "berth's DNS says that %s is a CNAME for %s.", name, at.Alias)
	case len(at.Addresses) == 0:
		l.ok(TopicName, "berth's DNS knows %s, but has no address of it.", name)
	default:
		l.ok(TopicName, "berth's DNS answers %s for %s.", addresses(at.Addresses), name)
	}
}

func (n Name) zone(l *findings) {
	d := n.Zone.Delegation
	switch level := delegationLevel(d.State); {
	case d.State == "":
	case level == OK:
		l.ok(TopicZone, "%s", d.Sentence(n.Zone.Name))
	default:
		l.add(level, TopicZone, d.Sentence(n.Zone.Name), "Run berth why without a name, or look at the zone's page in the panel: both say what to mend.")
	}
}

// nobodys is about a name that requests go nowhere for.
func (n Name) nobodys(l *findings) {
	name := n.Use.Name
	remedy := "If a site is to have it, its owner adds it under Domains on the site's page."
	if n.Use.Label != "" {
		remedy = fmt.Sprintf("Check the spelling, or make the site %s.", n.Use.Label)
	}
	l.add(Fault, TopicRoute, fmt.Sprintf("%s is nobody's: no site has it, and visitors who come for it see a page that says so (404).", name), remedy)
	if held := n.Use.Held; held.Name != "" {
		l.add(Warning, TopicDomain, fmt.Sprintf("%s is kept for the account %s, which gave it up, until %s.", name, held.AccountName, moment(n.Now, held.Until)),
			"Another account can have it then, or once an admin releases it: DELETE /api/v1/held-domains/"+name+".")
	}
}

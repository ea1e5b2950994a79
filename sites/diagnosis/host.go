package diagnosis

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"berth/sites"
)

// Host is what is known of one host of a site.
type Host struct {
	Name        string
	Domain      *sites.DomainStatus // nil: it is the site's own name
	Rivals      []string            // other sites that wait for the same domain
	Answer      sites.NameAnswer
	Zone        Zone // that berth answers for and the name lies in; without a name: none
	Route       sites.Route
	Certificate sites.Certificate
	Budgets     []sites.CertificateBudget // of its registered domain
}

// Zone is what is known of a zone that berth answers for.
type Zone struct {
	sites.Zone
	Status     sites.ZoneStatus
	Delegation sites.Delegation // without a state: it was not looked at
	DSDue      time.Time        // from when on the parent should have the DS record of a new key; zero: none waits for that
}

// host judges what a visitor meets before the site itself.
func (s Site) host(l *findings, h Host) {
	if d := h.Domain; d == nil || d.Hosted && d.State != sites.DomainWaiting {
		s.hostedName(l, h)
	} else if s.domain(l, h); d.State == sites.DomainWaiting {
		return
	}
	s.route(l, h)
	s.certificate(l, h)
}

// hostedName judges a name that berth itself answers for.
func (s Site) hostedName(l *findings, h Host) {
	switch strange := strangers(h.Answer.Addresses, s.Addresses); {
	case len(h.Answer.Addresses) == 0:
		l.add(Fault, TopicName, h.Name+" has no address, so nobody finds it.", s.tellAdmin("Look at the records that were entered for it (DNS records on the site's page); if there are none, restart berth."))
	case len(strange) > 0:
		l.add(Fault, TopicName, fmt.Sprintf("berth's DNS answers %s for %s, which is not this server.", addresses(strange), h.Name), "Remove the records that say so, under DNS records on the site's page.")
	case s.Owner:
		l.ok(TopicName, "%s leads to this server.", h.Name)
	default:
		l.ok(TopicName, "berth's DNS answers %s for %s.", addresses(h.Answer.Addresses), h.Name)
	}
	s.delegation(l, h.Zone)
}

// delegation judges how the world finds a zone. An owner can do nothing about it.
func (s Site) delegation(l *findings, zone Zone) {
	d := zone.Delegation
	level := delegationLevel(d.State)
	switch {
	case level == OK && d.State != "" && !s.Owner:
		l.ok(TopicZone, "%s", d.Sentence(zone.Name))
	case s.Owner && level == Fault:
		l.add(Fault, TopicZone, zone.Name+", which the address belongs to, cannot be found from everywhere.", "Tell an admin. It has nothing to do with your site.")
	case s.Owner || d.State == "":
	default:
		l.add(level, TopicZone, d.Sentence(zone.Name), "Run berth why without a name, or look at the zone's page in the panel: both say what to mend.")
	}
}

func delegationLevel(state sites.DelegationState) Level {
	switch state {
	case sites.DelegationMissing, sites.DelegationBroken:
		return Fault
	case sites.DelegationPartly, sites.DelegationUnknown:
		return Warning
	}
	return OK
}

// domain judges a custom domain by what was seen of it.
func (s Site) domain(l *findings, h Host) {
	d := *h.Domain
	remedy := toSet(d)
	waits := Warning // the site has other names
	if h.Name == s.Asked {
		waits = Fault
	}
	switch {
	case d.State == sites.DomainWaiting:
		said := d.Last.Sentence
		if said == "" {
			said = "It has not been looked at yet."
		}
		l.add(waits, TopicDomain, fmt.Sprintf("%s is not in use yet. %s", d.Unicode, said), remedy)
		if !s.Owner && len(h.Rivals) > 0 {
			l.add(Warning, TopicDomain, fmt.Sprintf("%s wait for %s, too.", and(h.Rivals), d.Unicode), "Nothing has to be done: the first site that proves the domain gets it.")
		}
	case d.State == sites.DomainLapsed:
		l.add(Fault, TopicDomain, fmt.Sprintf("%s leads elsewhere since %s. %s", d.Unicode, moment(s.Now, d.StrayedAt), d.Last.Sentence), remedy)
	case !d.StrayedAt.IsZero():
		l.add(Fault, TopicDomain, fmt.Sprintf("%s was seen to lead elsewhere at %s. %s", d.Unicode, moment(s.Now, d.Last.At), d.Last.Sentence), remedy)
	case d.Last.Sentence != "":
		l.quote(Warning, TopicDomain, d.Last.Sentence, "If that goes on, ask whoever keeps the DNS of "+d.Registered+".")
	case d.Last.Warning != "":
		l.quote(Warning, TopicDomain, d.Last.Warning, "Check what visitors of "+d.Unicode+" meet.")
	case d.Last.At.IsZero():
		l.ok(TopicDomain, "%s is in use. It has not been looked at since berth started.", d.Unicode)
	default:
		l.ok(TopicDomain, "%s leads here, as its nameservers said at %s.", d.Unicode, moment(s.Now, d.Last.At))
	}
}

// toSet says which records a domain needs.
func toSet(d sites.DomainStatus) string {
	text := fmt.Sprintf("Where %s is registered, set %s.", d.Registered, and(recordLines(d.Records)))
	if len(d.Instead) > 0 {
		text += fmt.Sprintf(" Where that cannot be entered, set %s instead.", and(recordLines(d.Instead)))
	}
	return text
}

func recordLines(list []sites.DomainRecord) []string {
	lines := make([]string, len(list))
	for i, r := range list {
		lines[i] = r.Name + " " + r.Type + " " + r.Data
		if r.Type == "TXT" {
			lines[i] = fmt.Sprintf("%s TXT %q", r.Name, r.Data)
		}
	}
	return lines
}

func (s Site) route(l *findings, h Host) {
	switch to := s.Status.Options.Canonical; {
	case h.Route.Site != s.Status.Name:
		l.add(Fault, TopicRoute, fmt.Sprintf("Visitors of %s are not led to the site: they see a page that says that there is none.", h.Name),
			s.tellAdmin("It is led there again within ten minutes. If that does not help, restart berth."))
	case to != "" && to != h.Name && len(lostOption(s.Warnings, "canonical")) == 0:
		l.ok(TopicRoute, "Requests for %s are redirected to %s.", h.Name, to)
	case s.Owner:
		l.ok(TopicRoute, "Visitors of %s come to your site.", h.Name)
	default:
		l.ok(TopicRoute, "Requests for %s go to the site %s.", h.Name, s.Status.Name)
	}
}

func lostOption(list []sites.OptionWarning, option string) (sentences []string) {
	for _, w := range list {
		if w.Option == option {
			sentences = append(sentences, w.Sentence)
		}
	}
	return sentences
}

// strangers are addresses that are not among our own.
func strangers(found, own []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(found), func(a netip.Addr) bool { return slices.Contains(own, a) })
}

func addresses(list []netip.Addr) string {
	words := make([]string, len(list))
	for i, a := range list {
		words[i] = a.String()
	}
	return and(words)
}

// tellAdmin is the remedy for who runs the server; an owner can only tell them.
func (s Site) tellAdmin(remedy string) string {
	if s.Owner {
		return "Tell an admin."
	}
	return remedy
}

// served says which certificate a host is served with.
func served(now time.Time, c sites.Certificate) string {
	whose := "its own certificate"
	if len(c.Names) > 0 && !slices.Contains(c.Names, c.Host) {
		whose = "the certificate of " + strings.Join(c.Names, ", ")
	}
	text := fmt.Sprintf("%s is served with %s", c.Host, whose)
	switch c.Authority {
	case "":
	case sites.InternalAuthority:
		text += " from berth's internal CA (browsers trust it once they are told to)"
	default:
		text += " from " + c.Authority
	}
	text += ", which ends on " + moment(now, c.NotAfter)
	if !c.Renewal.IsZero() {
		text += " and is renewed from " + moment(now, c.Renewal) + " on"
	}
	return text + "."
}

package sites

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// verdict is what a look at a domain means.
type verdict struct {
	leads    bool   // who follows the domain's records comes to this site
	proves   bool   // its owner is seen to want that
	sentence string // what is seen in place of what is wanted
	warning  string // what is wrong all the same
}

// judgement is what a view is judged by.
type judgement struct {
	domain      Domain
	host        string // the site's own name
	zone        string // the main zone
	aliasProves bool
}

// judge says what a view of a domain means.
func (w *domainWatch) judge(j judgement, v DomainView) verdict {
	text := slices.Contains(v.Texts, j.domain.Token)
	out := verdict{sentence: w.astray(j, v)}
	if out.sentence != "" {
		return out
	}
	out.leads = true
	out.proves = text || j.aliasProves && slices.Contains(v.Aliases, j.host)
	forbidden := w.forbidden(j.domain.Name, v)
	switch {
	case !out.proves:
		out.sentence = missingProof(j.domain, v)
	case forbidden != "" && j.domain.State == DomainWaiting:
		out.proves, out.sentence = false, forbidden
	default:
		out.warning = forbidden
	}
	return out
}

// astray says where a domain leads in place of to the site, empty where it leads to it.
func (w *domainWatch) astray(j judgement, v DomainView) string {
	name := j.domain.Name
	var end string // of the chain of aliases
	if len(v.Aliases) > 0 {
		end = v.Aliases[len(v.Aliases)-1]
	}
	foreign := slices.DeleteFunc(slices.Clone(v.Addresses), func(a netip.Addr) bool { return slices.Contains(w.own, a) })
	switch {
	case slices.Contains(v.Aliases, j.host):
		return ""
	case end != "" && within(end, j.zone):
		return fmt.Sprintf("%s is a CNAME to %s, which is not this site's name. It should lead to %s.", name, end, j.host)
	case len(v.Addresses) == 0 && end != "":
		return fmt.Sprintf("%s is a CNAME to %s, which leads nowhere.", name, end)
	case len(v.Addresses) == 0:
		return fmt.Sprintf("%s has no record yet.", name)
	case len(foreign) == 0:
		return ""
	case end != "":
		return fmt.Sprintf("%s is a CNAME to %s, which is not this server.", name, end)
	case len(foreign) < len(v.Addresses):
		return fmt.Sprintf("%s points here, but also at %s, which is not this server. Remove that record.", name, addressWords(foreign))
	}
	return fmt.Sprintf("%s points at %s, which is not this server.", name, addressWords(foreign))
}

func addressWords(addrs []netip.Addr) string {
	const most = 3
	words := make([]string, 0, most)
	for _, addr := range addrs[:min(len(addrs), most)] {
		words = append(words, addr.String())
	}
	text := strings.Join(words, " and ")
	if more := len(addrs) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func missingProof(d Domain, v DomainView) string {
	if len(v.Texts) > 0 {
		return fmt.Sprintf("%s points here. The TXT record at %s says something else than it should; check its value.", d.Name, TextName(d.Name))
	}
	return fmt.Sprintf("%s points here. The TXT record at %s is missing, which shows that the domain is yours.", d.Name, TextName(d.Name))
}

// forbidden says that CAA records keep our authority from issuing, empty where they do not or nobody knows.
func (w *domainWatch) forbidden(name string, v DomainView) string {
	if w.authorities == nil || v.IssuersAt == "" {
		return ""
	}
	ours := w.authorities()
	if len(ours) == 0 || slices.ContainsFunc(v.Issuers, func(issuer string) bool { return slices.Contains(ours, issuer) }) {
		return ""
	}
	return fmt.Sprintf("A CAA record at %s forbids the certificate that %s needs. Add one more there: CAA 0 issue %q.", v.IssuersAt, name, ours[0])
}

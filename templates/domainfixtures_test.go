package templates

import "time"

func domainsView() DomainsView {
	const host = "bakery.sites.example.org"
	alias := func(domain, label string) []DomainRecord {
		return []DomainRecord{{"CNAME", label, domain, host + "."}}
	}
	addresses := func(domain, under string) []DomainRecord {
		return []DomainRecord{
			{"A", orAt(under), domain, "198.51.100.7"},
			{"AAAA", orAt(under), domain, "2001:db8::7"},
			{"TXT", "_berth" + dotted(under), "_berth." + domain, "RVQ4ZJ2MLC7XO5KQ3TTB6HNWYA"},
		}
	}
	row := func(name, state string) DomainRow {
		return DomainRow{Name: name, Unicode: name, URL: "https://" + name, State: state, Registered: "example.com", LookedAt: before(time.Minute), Certificate: certificate("x", "valid")}
	}
	www, apex, shop, lapsed, old := row("www.example.com", "waiting"), row("example.com", "waiting"), row("shop.example.com", "active"), row("baeckerei.example.com", "lapsed"), row("old.example.com", "active")
	www.Sentence, www.Expires, www.Records, www.Instead = "www.example.com has no record yet.", noon.Add(6*day), alias(www.Name, "www"), addresses(www.Name, "www")
	apex.Sentence, apex.Expires, apex.Records = "example.com points at 203.0.113.9, which is not this server.", noon.Add(7*day), addresses(apex.Name, "")
	shop.Records, shop.Instead, shop.Warning = alias(shop.Name, "shop"), addresses(shop.Name, "shop"), "berth could not reach itself at 198.51.100.7, port 80. Behind a router that can be so, and harmless. If visitors cannot reach the site either, tell an admin."
	lapsed.Unicode, lapsed.Sentence, lapsed.StrayedAt, lapsed.Records = "bäckerei.example.com", "xn--bckerei-5wa.example.com is a CNAME to other.example, which is not this server.", before(3*day), alias(lapsed.Name, "xn--bckerei-5wa")
	old.Sentence, old.StrayedAt, old.Records, old.Certificate = "old.example.com points at 203.0.113.9, which is not this server.", before(5*time.Hour), alias(old.Name, "old"), certificate("x", "failed")
	hosted := row("bakery.example.net", "active")
	hosted.Hosted = true
	return DomainsView{
		Shell: owner("Domains of bakery", SectionSites), Site: "bakery", Host: host, URL: "https://" + host, Main: shop.Name, Mains: []string{host, shop.Name, hosted.Name},
		Domains: []DomainRow{www, apex, shop, old, lapsed, hosted},
	}
}

func dotted(label string) string {
	if label == "" {
		return ""
	}
	return "." + label
}

func orAt(label string) string {
	if label == "" {
		return "@"
	}
	return label
}

func domainPages() []page {
	none := DomainsView{Shell: owner("Domains of bakery", SectionSites), Site: "bakery", Host: "bakery.sites.example.org", URL: "https://bakery.sites.example.org"}
	refused := none
	refused.Name, refused.Faults = "co.uk", Faults{"name": "co.uk is what other people's names end with. Give a whole domain, such as example.co.uk."}
	live := newPage("domains-live", DomainsLive, domainsView())
	live.fragment = true
	return []page{
		newPage("domains", Domains, domainsView()),
		newPage("domains-none", Domains, none),
		newPage("domains-refused", Domains, refused),
		newPage("domain-remove", RemoveDomain, RemoveDomainView{Shell: owner("Remove shop.example.com", SectionSites), Site: "bakery", Host: none.Host, Name: "shop.example.com", Unicode: "shop.example.com"}),
		live,
	}
}

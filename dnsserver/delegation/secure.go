package delegation

import (
	"slices"
	"strings"

	"berth/sites"

	"github.com/miekg/dns"
)

// expected holds for a DS record that the zone itself tells.
func (c *check) expected(ds sites.DS) bool {
	return slices.ContainsFunc(c.zone.DS, func(own sites.DS) bool {
		own.Digest = strings.ToUpper(own.Digest)
		return own == ds
	})
}

// strangeDS holds when a DS record of the parent can be told right or wrong by the zone's keys alone.
func (c *check) strangeDS() bool {
	return len(c.zone.DS) > 0 && slices.ContainsFunc(c.view.ds, func(ds sites.DS) bool { return !c.expected(ds) })
}

// compareDS compares the parent's DS records with the zone's keys. It reports whether resolvers that validate accept the zone.
func (c *check) compareDS(keys []*dns.DNSKEY) (secure bool) {
	if len(c.zone.DS) == 0 {
		for _, ds := range c.view.ds {
			c.find(sites.FindingWrongDS, "", "%s is not signed, and %s has a DS record of it with the key tag %d, so that resolvers that validate refuse the zone. Remove that record at the registrar, or sign the zone.",
				c.zone.Name, c.parentName(), ds.KeyTag)
		}
		return len(c.view.ds) == 0
	}
	if len(c.view.ds) == 0 {
		c.find(sites.FindingMissingDS, "", "%s is signed, and %s has no DS record of it, so that nobody checks the signatures. Enter at the registrar: %s.",
			c.zone.Name, c.parentName(), c.right())
		return true
	}
	good := make(map[uint16]bool)
	var strange []sites.DS
	for _, ds := range c.view.ds {
		if c.expected(ds) || names(ds, keys) {
			good[ds.KeyTag] = true
		} else {
			strange = append(strange, ds)
		}
	}
	c.tellStrange(strange, len(good) > 0)
	c.tellLacking(good)
	return len(good) > 0
}

// tellStrange tells of DS records that name no key of the zone.
func (c *check) tellStrange(strange []sites.DS, secure bool) {
	for _, ds := range strange {
		if secure {
			c.find(sites.FindingWrongDS, "", "%s has a DS record with the key tag %d, which names no key of %s. Remove it at the registrar.",
				upperFirst(c.parentName()), ds.KeyTag, c.zone.Name)
			continue
		}
		c.find(sites.FindingWrongDS, "", "%s has a DS record with the key tag %d, which names no key of %s, so that resolvers that validate refuse the zone. Replace it at the registrar by: %s.",
			upperFirst(c.parentName()), ds.KeyTag, c.zone.Name, c.right())
	}
}

// tellLacking tells of keys that the parent has no DS record of while it has one of another.
func (c *check) tellLacking(good map[uint16]bool) {
	if len(good) == 0 {
		return
	}
	for _, ds := range c.zone.DS {
		if !good[ds.KeyTag] {
			good[ds.KeyTag] = true
			c.find(sites.FindingMissingDS, "", "%s has no DS record yet of the key with the tag %d. Enter at the registrar, beside what is there: %s.",
				upperFirst(c.parentName()), ds.KeyTag, dsText(ds))
		}
	}
}

// right is the data of the DS records that the parent should have.
func (c *check) right() string {
	texts := make([]string, len(c.zone.DS))
	for i, ds := range c.zone.DS {
		texts[i] = dsText(ds)
	}
	return strings.Join(texts, "; ")
}

package zone

import (
	"strings"

	"github.com/miekg/dns"
)

// maxChain bounds how far a chain of aliases is followed; a loop ends by it too.
const maxChain = 8

// wildcardKey is the key of the label * (RFC 4592 section 2.1.1).
const wildcardKey = "*\x00"

// Lookup answers a question about the name with the given key. With dnssec the sets come with their signatures, and
// what does not exist is proven not to, as far as the zone is signed.
func (z *Snapshot) Lookup(r *Reply, key []byte, rrtype uint16, dnssec bool) {
	r.Reset(dns.RcodeSuccess)
	r.Authoritative = true
	r.dnssec = dnssec && len(z.soaSigs) > 0
	for range maxChain {
		target := z.step(r, key, rrtype)
		if target == nil || !target.inside || r.answers(target.wire) {
			return
		}
		r.key = append(r.key[:0], target.key...)
		key = r.key
	}
}

// find looks a key up. An entry alone says all that there is to know, unless something above hides it.
func (z *Snapshot) find(key []byte) match {
	e := z.index.get(key)
	switch {
	case e == nil || z.index.hides > 0 && (e.covered || z.hashes != nil): // secondary zones don't keep who is covered
		return z.root.find(key)
	case e.cut:
		return match{entry: e, cut: e}
	}
	return match{entry: e}
}

// step answers about one name of a chain; if that is an alias, it returns what for.
func (z *Snapshot) step(r *Reply, key []byte, rrtype uint16) (target *name) {
	m := z.find(key)
	switch {
	case m.cut != nil && (m.cut != m.entry || rrtype != dns.TypeDS):
		z.refer(r, m.cut)
	case m.redirect != nil:
		return z.redirect(r, m.redirect, key, rrtype)
	case m.entry != nil:
		return z.answer(r, m.entry, rrtype, nil)
	case m.below:
		r.deny(z, true)
		z.proveNoData(r, nil, key)
	default:
		return z.synthesize(r, key, m.encloser, rrtype)
	}
	return nil
}

// synthesize answers about a name that does not exist from the wildcard at its closest encloser, whose key is
// key[:encloser], or denies it (RFC 4592 section 3.3.1).
func (z *Snapshot) synthesize(r *Reply, key []byte, encloser int, rrtype uint16) (target *name) {
	r.wildcard = append(append(r.wildcard[:0], key[:encloser]...), wildcardKey...)
	wild := z.root.find(r.wildcard)
	if wild.entry == nil {
		r.deny(z, wild.below)
		if wild.below { // an empty non-terminal has no data, and the name none by it
			z.proveEncloser(r, key, encloser)
			z.proveNoData(r, nil, r.wildcard)
		} else {
			z.proveNoName(r, key, encloser)
		}
		return nil
	}
	before := len(r.Answer)
	target = z.answer(r, wild.entry, rrtype, key)
	if len(r.Answer) > before {
		z.proveNoCloser(r, key, encloser)
	} else {
		z.proveEncloser(r, key, encloser)
	}
	return target
}

// answer answers from the entry of a name, which is a wildcard's where asked is the key of a name that it stands for.
func (z *Snapshot) answer(r *Reply, e *entry, rrtype uint16, asked []byte) (target *name) {
	p, ok := z.pick(r, e, rrtype)
	if !ok {
		i := e.index(dns.TypeCNAME)
		if i >= 0 && rrtype != dns.TypeNSEC && rrtype != dns.TypeRRSIG { // those may stand beside it (RFC 4034 section 3)
			p = e.placed(i, r.dnssec)
			target = p.Set.Records[0].target()
		} else {
			r.deny(z, true)
			z.proveNoData(r, e, nil)
			return nil
		}
	}
	if asked != nil {
		r.name = z.appendName(r.name[:0], asked)
		p.Owner = string(r.name)
	}
	r.Answer = append(r.Answer, p)
	if target == nil {
		z.addTargets(r, p.Set, "")
	}
	return target
}

// pick returns what an entry answers about a type.
func (z *Snapshot) pick(r *Reply, e *entry, rrtype uint16) (p Placed, ok bool) {
	i := -1
	switch {
	case rrtype == dns.TypeANY:
		i = e.any()
	case rrtype == dns.TypeRRSIG:
		return e.signed()
	case rrtype == dns.TypeSOA && e.name.key == "":
		return z.placedSOA(r.dnssec), z.soa != nil
	default:
		i = e.index(rrtype)
	}
	if i < 0 {
		return Placed{}, false
	}
	return e.placed(i, r.dnssec), true
}

// any returns the one set that stands for all of them (RFC 8482 section 4.1).
func (e *entry) any() int {
	for i, set := range e.sets {
		if set.Type != dns.TypeNSEC {
			return i
		}
	}
	return e.count() - 1
}

// signed returns the signatures of one set as a set of their own: like ANY, the type RRSIG has too many answers to give
// them all.
func (e *entry) signed() (p Placed, ok bool) {
	for i := range e.count() {
		signed := e.placed(i, true)
		if len(signed.Signatures) == 0 {
			continue
		}
		all := &Set{Type: dns.TypeRRSIG, TTL: signed.Set.TTL}
		for data := range split(signed.Signatures) {
			all.Records = append(all.Records, Record{Head: data})
		}
		return Placed{Owner: e.name.wire, Set: all}, true
	}
	return Placed{}, false
}

// refer points to the nameservers of a delegated name (RFC 1034 section 4.3.2, step 3b), and says how its keys are known
// or that they are not (RFC 4035 section 3.1.4). The answer is authoritative only for the aliases that led there.
func (z *Snapshot) refer(r *Reply, cut *entry) {
	r.Authoritative = len(r.Answer) > 0
	r.Referral = true
	i := cut.index(dns.TypeNS)
	r.Authority = append(r.Authority, cut.placed(i, false))
	if r.dnssec {
		if ds := cut.index(dns.TypeDS); ds >= 0 {
			r.Authority = append(r.Authority, cut.placed(ds, true))
		} else {
			z.proveNoData(r, cut, nil)
		}
	}
	z.addTargets(r, cut.sets[i], cut.name.key)
	r.Glue = len(r.Additional)
	z.addTargets(r, cut.sets[i], "")
}

// deny says that the name, or the type at the name, does not exist, with the SOA record for how long that holds
// (RFC 2308). A name with others below it exists (RFC 8020). Before the zone is known nobody can say that.
func (r *Reply) deny(z *Snapshot, exists bool) {
	if z.soa == nil {
		r.Reset(dns.RcodeServerFailure)
		return
	}
	if !exists {
		r.Rcode = dns.RcodeNameError
	}
	p := z.placedSOA(r.dnssec)
	if z.negative != nil {
		p.Set = z.negative
	}
	r.Authority = append(r.Authority, p)
}

func (z *Snapshot) placedSOA(dnssec bool) Placed {
	p := Placed{Owner: z.apex.wire, Set: z.soa}
	if dnssec {
		p.Signatures = z.soaSigs
	}
	return p
}

// addTargets adds the addresses of the hosts that the records point at, as far as they are the zone's and the hosts are at
// or below the name with a key.
func (z *Snapshot) addTargets(r *Reply, set *Set, above string) {
	if !set.additional() {
		return
	}
	for i := range set.Records {
		target := set.Records[i].target()
		if target == nil || !target.inside || !strings.HasPrefix(target.key, above) || has(r.Additional, target.wire) {
			continue
		}
		e := z.root.get(target.key)
		if e == nil {
			continue
		}
		for _, rrtype := range [...]uint16{dns.TypeA, dns.TypeAAAA} {
			if at := e.index(rrtype); at >= 0 {
				r.Additional = append(r.Additional, e.placed(at, r.dnssec))
			}
		}
		if set.aliases(i) {
			z.addService(r, e, set.Type)
		}
	}
}

// addService adds the records by which the target of an alias is served, and their targets in turn (RFC 9460 section 4.1).
func (z *Snapshot) addService(r *Reply, e *entry, rrtype uint16) {
	at := e.index(rrtype)
	if at < 0 || len(r.Additional) >= 2*maxChain || has(r.Answer, e.name.wire) || z.find([]byte(e.name.key)).cut != nil {
		return
	}
	r.Additional = append(r.Additional, e.placed(at, r.dnssec))
	z.addTargets(r, e.sets[at], "")
}

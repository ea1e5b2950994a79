package zone

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

const (
	flagsKSK    = 257
	flagsZSK    = 256
	keyProtocol = 3
)

// key is a DNSSEC key of the zone.
type key struct {
	plan    sites.ZoneKey
	private *ecdsa.PrivateKey
	data    []byte // of the DNSKEY record
	tag     uint16
}

// newKey reads a key; its flags tell its role (RFC 4034 section 2.1.1).
func newKey(plan sites.ZoneKey) (*key, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(plan.Private)
	if err != nil {
		return nil, fmt.Errorf("parse key: %w", err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("not an ECDSA P-256 key")
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	flags := uint16(flagsZSK)
	if plan.Role == sites.KeySigning {
		flags = flagsKSK
	}
	data := binary.BigEndian.AppendUint16(nil, flags)
	data = append(data, keyProtocol, dns.ECDSAP256SHA256)
	data = append(data, point[1:]...) // without the mark of an uncompressed point (RFC 6605 section 4)
	return &key{plan: plan, private: private, data: data, tag: keyTag(data)}, nil
}

// keyTag is that of RFC 4034 appendix B.
func keyTag(data []byte) uint16 {
	var sum uint32
	for i, b := range data {
		if i&1 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	return uint16(sum + sum>>16)
}

// digest is that of the key's DS record (RFC 4509).
func (k *key) digest(owner string) []byte {
	sum := sha256.Sum256(append([]byte(owner), k.data...))
	return sum[:]
}

func (k *key) published(now time.Time) bool {
	return between(now, k.plan.PublishedAt, k.plan.RemovedAt)
}

func (k *key) active(now time.Time) bool {
	return between(now, k.plan.ActiveAt, k.plan.RetiredAt)
}

// between holds from start on and until end. A start of zero never comes, nor does such an end.
func between(now, start, end time.Time) bool {
	return !start.IsZero() && !now.Before(start) && (end.IsZero() || now.Before(end))
}

// keyring is which keys the zone has at a time, and what for. It is immutable. Where no key signs, there are no sets.
type keyring struct {
	ksk, zsk []*key // that sign the DNSKEY, CDS and CDNSKEY sets, and all others
	sets     []*Set // DNSKEY, CDS, CDNSKEY
	ds       []sites.DS
	next     time.Time // when the plan next changes something, zero: never
}

// newKeyring follows the plan of the keys, which are in the order in which they begin to sign.
func newKeyring(apex string, keys []*key, now time.Time) *keyring {
	r := &keyring{}
	var published []*key
	for _, k := range keys {
		for _, at := range []time.Time{k.plan.PublishedAt, k.plan.ActiveAt, k.plan.RetiredAt, k.plan.RemovedAt} {
			if at.After(now) && (r.next.IsZero() || at.Before(r.next)) {
				r.next = at
			}
		}
		if k.published(now) {
			published = append(published, k)
		}
	}
	r.ksk, r.zsk = signers(published, sites.KeySigning, now), signers(published, sites.ZoneSigning, now)
	secure := r.ksk
	switch {
	case len(r.ksk)+len(r.zsk) == 0:
		return r
	case len(r.ksk) == 0:
		r.ksk, secure = r.zsk, r.zsk
	case len(r.zsk) == 0:
		r.zsk = r.ksk
	}
	r.zsk = r.zsk[len(r.zsk)-1:] // the other key's signatures stay valid where they are held: it is still published
	for _, k := range secure[1:] {
		if at := k.plan.ParentAt(); at.After(now) && (r.next.IsZero() || at.Before(r.next)) {
			r.next = at
		}
	}
	r.publish(apex, published, forParent(secure, now))
	return r
}

// forParent returns the newest key that the parent may have: one that follows another only when everybody can hold it.
func forParent(secure []*key, now time.Time) *key {
	for _, k := range slices.Backward(secure[1:]) {
		if !now.Before(k.plan.ParentAt()) {
			return k
		}
	}
	return secure[0]
}

// signers returns the keys of a role that are to sign. Rather than leave the zone without valid signatures, a key that the plan
// has retired too early goes on for as long as it is published.
func signers(published []*key, role sites.KeyRole, now time.Time) (active []*key) {
	var begun *key
	for _, k := range published {
		switch {
		case k.plan.Role != role:
		case k.active(now):
			active = append(active, k)
		case between(now, k.plan.ActiveAt, time.Time{}):
			begun = k
		}
	}
	if len(active) == 0 && begun != nil {
		return []*key{begun}
	}
	return active
}

// publishes reports whether a key is among the DNSKEY records.
func (r *keyring) publishes(k *key) bool {
	return r != nil && len(r.sets) > 0 && slices.ContainsFunc(r.sets[0].Records, func(rec Record) bool { return bytes.Equal(rec.Head, k.data) })
}

// publish makes the apex's sets, and says which key the parent is to have (RFC 7344, RFC 8078).
func (r *keyring) publish(apex string, published []*key, secure *key) {
	dnskey := &Set{Type: dns.TypeDNSKEY, TTL: keyTTL}
	for _, k := range published {
		dnskey.Records = append(dnskey.Records, Record{Head: k.data})
	}
	digest := secure.digest(apex)
	ds := binary.BigEndian.AppendUint16(nil, secure.tag)
	ds = append(ds, dns.ECDSAP256SHA256, dns.SHA256)
	r.sets = []*Set{
		dnskey,
		{Type: dns.TypeCDS, TTL: keyTTL, Records: []Record{{Head: append(ds, digest...)}}},
		{Type: dns.TypeCDNSKEY, TTL: keyTTL, Records: []Record{{Head: secure.data}}},
	}
	r.ds = []sites.DS{{
		KeyTag: secure.tag, Algorithm: dns.ECDSAP256SHA256, DigestType: dns.SHA256, Digest: fmt.Sprintf("%X", digest),
	}}
}

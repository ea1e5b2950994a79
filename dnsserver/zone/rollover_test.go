package zone

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"berth/sites"

	"github.com/miekg/dns"
)

// records are what a resolver holds of a zone.
type held struct {
	at   time.Time
	keys []*dns.DNSKEY
	ds   []sites.DS
	sets map[string][]dns.RR // by owner and type
	sigs map[string][]*dns.RRSIG
}

func resolved(t *testing.T, s *Snapshot, at time.Time) held {
	t.Helper()
	h := held{at: at, ds: s.DS(), sets: map[string][]dns.RR{}, sigs: map[string][]*dns.RRSIG{}}
	for _, line := range dump(t, s) {
		rr, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		switch rr := rr.(type) {
		case *dns.RRSIG:
			key := rr.Hdr.Name + dns.TypeToString[rr.TypeCovered]
			h.sigs[key] = append(h.sigs[key], rr)
			continue
		case *dns.DNSKEY:
			h.keys = append(h.keys, rr)
		}
		key := rr.Header().Name + dns.TypeToString[rr.Header().Rrtype]
		h.sets[key] = append(h.sets[key], rr)
	}
	return h
}

// secured reports whether a resolver that holds these keys, or keys that have the DS record, accepts a set at a time.
func (h held) secured(key string, keys []*dns.DNSKEY, ds []sites.DS, at time.Time) bool {
	return slices.ContainsFunc(h.sigs[key], func(sig *dns.RRSIG) bool {
		return sig.ValidityPeriod(at) && slices.ContainsFunc(keys, func(k *dns.DNSKEY) bool {
			if k.KeyTag() != sig.KeyTag || ds != nil && (len(ds) != 1 || ds[0].Digest != upper(k.ToDS(dns.SHA256).Digest)) {
				return false
			}
			return sig.Verify(k, h.sets[key]) == nil
		})
	})
}

func upper(digest string) string { return fmt.Sprintf("%X", unhex(digest)) }

func unhex(text string) (data []byte) {
	fmt.Sscanf(text, "%x", &data)
	return data
}

// Whoever asks in the course of rollovers of both keys, and holds some of the answers for as long as their TTLs allow, can put
// together a chain of trust at every moment; the parent takes the DS record over two days late.
func TestRolloverIsNeverBogus(t *testing.T) {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c := &clock{begin}
	ksk, zsk := newKeyPlan(t, 1, sites.KeySigning, begin), newKeyPlan(t, 2, sites.ZoneSigning, begin)
	nextKSK, nextZSK := newKeyPlan(t, 3, sites.KeySigning, begin.Add(5*time.Hour)), newKeyPlan(t, 4, sites.ZoneSigning, begin.Add(10*time.Hour))
	nextZSK.ActiveAt = nextZSK.PublishedAt.Add(4 * time.Hour)
	zsk.RetiredAt = nextZSK.ActiveAt
	zsk.RemovedAt = zsk.RetiredAt.Add(sites.SignatureLife + 24*time.Hour)
	ksk.RetiredAt = nextKSK.ParentAt().Add(5 * 24 * time.Hour)
	ksk.RemovedAt = ksk.RetiredAt
	cfg := testConfig()
	cfg.Now = c.now
	z := newZone(t, cfg)
	ch := signedBy(1, ksk, nextKSK, nextZSK, zsk)
	ch.Full = true
	z.Apply(ch)
	var states []held
	for end := begin.Add(sites.SignatureLife + 6*24*time.Hour); c.at.Before(end); {
		states = append(states, resolved(t, z.Current(), c.at))
		// A minute before and at whatever happens, and now and then between.
		next := z.RenewAt()
		if step := c.at.Add(30 * time.Hour); step.Before(next) {
			next = step
		}
		if before := next.Add(-time.Minute); before.After(c.at) {
			next = before
		}
		c.at = next
		z.Renew(0)
	}
	const dsDelay = 48 * time.Hour
	keysSeen := map[int]bool{}
	for i, data := range states {
		keysSeen[len(data.keys)] = true
		for _, keys := range states[max(0, i-40):min(len(states), i+40)] {
			if keys.at.Sub(data.at).Abs() > sites.KeyTTL {
				continue
			}
			at := data.at
			if keys.at.After(at) {
				at = keys.at
			}
			for key := range data.sets {
				if !data.secured(key, keys.keys, nil, at) {
					t.Fatalf("%s of %s is bogus with the keys of %s", key, data.at, keys.at)
				}
			}
		}
		for _, parent := range states[:i+1] {
			if late := data.at.Sub(parent.at); late <= dsDelay && !data.secured("example.test.DNSKEY", data.keys, parent.ds, data.at) {
				t.Fatalf("the keys of %s are bogus with the DS of %s", data.at, parent.at)
			}
		}
	}
	last := states[len(states)-1]
	if !keysSeen[4] || len(last.keys) != 2 {
		t.Errorf("%v keys at times, %d in the end", keysSeen, len(last.keys))
	}
	if want, err := nextKSK.DS("example.test"); err != nil || len(last.ds) != 1 || last.ds[0] != want {
		t.Errorf("the parent is to have %v, want %v", last.ds, want)
	}
}

// The apex tells the parent by CDS and CDNSKEY what DS says.
func TestTheParentIsToldByTheZone(t *testing.T) {
	z := newSignedZone(t, &clock{time.Now()})
	h := resolved(t, z.Current(), time.Now())
	ds := z.Current().DS()
	cds, cdnskey := h.sets["example.test.CDS"], h.sets["example.test.CDNSKEY"]
	if len(ds) != 1 || len(cds) != 1 || len(cdnskey) != 1 {
		t.Fatalf("DS %v, %v, %v", ds, cds, cdnskey)
	}
	if got := cds[0].(*dns.CDS); got.KeyTag != ds[0].KeyTag || upper(got.Digest) != ds[0].Digest || got.Algorithm != ds[0].Algorithm {
		t.Errorf("%v, want %v", got, ds[0])
	}
	key := cdnskey[0].(*dns.CDNSKEY).DNSKEY
	key.Hdr.Rrtype = dns.TypeDNSKEY
	if got := key.ToDS(dns.SHA256); upper(got.Digest) != ds[0].Digest || key.Flags != 257 {
		t.Errorf("%v has the digest %s, want %v", key, got.Digest, ds[0])
	}
	if !h.secured("example.test.CDS", h.keys, ds, h.at) {
		t.Error("the CDS record is not signed by the key that it names")
	}
}

// Keys of one role sign all; without a usable key the zone is served unsigned, and so it is when signing is turned off.
func TestKeysOfOneRole(t *testing.T) {
	c := &clock{time.Now()}
	ksk, zsk := newKeyPlan(t, 1, sites.KeySigning, c.at), newKeyPlan(t, 2, sites.ZoneSigning, c.at)
	late, broken := ksk, zsk
	late.PublishedAt = c.at.Add(time.Hour)
	late.ActiveAt = late.PublishedAt
	broken.Private = []byte("nonsense")
	retired := zsk
	retired.RetiredAt = c.at.Add(-time.Hour)
	z := newSignedZone(t, c, "one")
	for i, step := range []struct {
		name   string
		keys   []sites.ZoneKey
		signed bool
	}{
		{"a KSK alone", []sites.ZoneKey{ksk}, true},
		{"a ZSK alone", []sites.ZoneKey{zsk}, true},
		{"both", []sites.ZoneKey{ksk, zsk}, true},
		{"a ZSK that was retired without another", []sites.ZoneKey{ksk, retired}, true},
		{"a broken one beside", []sites.ZoneKey{ksk, broken}, true},
		{"none whose time has come", []sites.ZoneKey{late, broken}, false},
		{"none", nil, false},
	} {
		z.Apply(signedBy(int64(10+i), step.keys...))
		h := resolved(t, z.Current(), c.at)
		if signed := len(h.sigs) > 0; signed != step.signed || signed != (len(h.keys) > 0) || signed != (len(z.Current().DS()) == 1) {
			t.Errorf("%s: %d signatures, %d keys, DS %v", step.name, len(h.sigs), len(h.keys), z.Current().DS())
		}
		for key := range h.sets {
			if step.signed && !h.secured(key, h.keys, nil, c.at) {
				t.Errorf("%s: %s is bogus", step.name, key)
			}
		}
	}
	c.at = late.ActiveAt
	z.Apply(signedBy(20, late))
	if z.Current().DS() == nil {
		t.Error("a key whose time has come is not used")
	}
	off := signedBy(21, ksk, zsk)
	off.Zones[0].Signed = false
	z.Apply(off)
	if h := resolved(t, z.Current(), c.at); len(h.sigs)+len(h.keys)+len(h.sets["example.test.CDS"]) > 0 || !z.RenewAt().IsZero() {
		t.Errorf("an unsigned zone has %d signatures, to be renewed at %v", len(h.sigs), z.RenewAt())
	}
}

// Renewals are spread evenly over the hours, each touches what is due and no more, and every signature outlives the zone at
// a secondary that loses touch then, and what resolvers hold of it.
func TestRenewalsAreSpread(t *testing.T) {
	c := &clock{time.Date(2026, 3, 1, 12, 20, 0, 0, time.UTC)}
	const count = 700
	z := newSignedZone(t, c, siteNames(count)...)
	begin, renewals, most := c.at, 0, 0
	for c.at = z.RenewAt(); c.at.Before(begin.Add(signaturePeriod)); c.at = z.RenewAt() {
		from := z.Current().Serial()
		z.Renew(0)
		differences, ok := z.Current().Since(from)
		if !ok || len(differences) != 1 {
			t.Fatalf("a renewal makes %d versions", len(differences))
		}
		renewals++
		owners := map[string]bool{}
		for _, p := range differences[0].Added {
			owners[p.Owner] = true
			if len(p.Set.Records) > 0 || len(p.Signatures) == 0 {
				t.Fatalf("%q has new records", p.Owner)
			}
		}
		most = max(most, len(owners))
	}
	if mean := count / int(signaturePeriod/renewalSlot); renewals < 200 || most > 5*mean {
		t.Errorf("%d renewals, up to %d names at once, %d in the mean", renewals, most, mean)
	}
	soa := z.Current().SOA()
	if expire := time.Duration(binary.BigEndian.Uint32(soaTail(soa.Set)[12:])) * time.Second; expire < 7*24*time.Hour || signatureRest < expire+48*time.Hour {
		t.Errorf("signatures are renewed %v before their end, and the zone expires after %v", signatureRest, expire)
	}
	for p := range z.Current().All() {
		for s := range split(p.Signatures) {
			left := time.Unix(int64(binary.BigEndian.Uint32(s[8:])), 0).Sub(c.at)
			if left < signatureRest-renewalSlot || left > sites.SignatureLife {
				t.Fatalf("a signature of %q has %v left", p.Owner, left)
			}
		}
	}
}

package sites

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Numbers of the DNSSEC registries.
const (
	algorithmECDSAP256 = 13 // RFC 6605
	digestSHA256       = 2  // RFC 4509
	digestSHA384       = 4  // RFC 6605
	dnskeyProtocol     = 3  // RFC 4034 section 2.1.2
	dnskeyZone         = 0x0100
	dnskeyEntry        = 0x0001 // secure entry point
)

// newZoneKey makes a key that is published at once and signs from then on.
func newZoneKey(zone ZoneID, role KeyRole, at time.Time) (ZoneKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return ZoneKey{}, fmt.Errorf("make a zone key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return ZoneKey{}, fmt.Errorf("make a zone key: %w", err)
	}
	return ZoneKey{Zone: zone, Role: role, Private: der, PublishedAt: at, ActiveAt: at}, nil
}

// Tag is the number that signatures and DS records name the key by (RFC 4034 appendix B).
func (k ZoneKey) Tag() (uint16, error) {
	data, err := k.dnskey()
	if err != nil {
		return 0, err
	}
	return keyTag(data), nil
}

// DS is what the parent's DS record of the key says, with a SHA-256 digest (RFC 4034 section 5, RFC 4509). The zone is
// without trailing dot.
func (k ZoneKey) DS(zone string) (DS, error) {
	all, err := k.digests(zone)
	if err != nil {
		return DS{}, err
	}
	return all[0], nil
}

// digests are the DS records that a parent may have of the key: by SHA-256 first, then by SHA-384.
func (k ZoneKey) digests(zone string) ([]DS, error) {
	data, err := k.dnskey()
	if err != nil {
		return nil, err
	}
	digested, tag := append(wireName(zone), data...), keyTag(data)
	return []DS{
		{tag, algorithmECDSAP256, digestSHA256, fmt.Sprintf("%X", sha256.Sum256(digested))},
		{tag, algorithmECDSAP256, digestSHA384, fmt.Sprintf("%X", sha512.Sum384(digested))},
	}, nil
}

// dnskey is the data of the key's DNSKEY record in wire form.
func (k ZoneKey) dnskey() ([]byte, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(k.Private)
	if err != nil {
		return nil, fmt.Errorf("zone key %d: %w", k.ID, err)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("zone key %d: %w", k.ID, errors.New("not an ECDSA P-256 key"))
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("zone key %d: %w", k.ID, err)
	}
	flags := uint16(dnskeyZone)
	if k.Role == KeySigning {
		flags |= dnskeyEntry
	}
	data := append(binary.BigEndian.AppendUint16(nil, flags), dnskeyProtocol, algorithmECDSAP256)
	return append(data, point[1:]...), nil // the first byte says that the point is not compressed
}

func keyTag(dnskey []byte) uint16 {
	var sum uint32
	for i, b := range dnskey {
		if i%2 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	return uint16(sum + sum>>16)
}

// wireName is a valid domain name in wire form and lower case (RFC 4034 section 6.2).
func wireName(name string) []byte {
	var wire []byte
	for label := range strings.SplitSeq(CanonicalHost(name), ".") {
		if label != "" {
			wire = append(append(wire, byte(len(label))), label...)
		}
	}
	return append(wire, 0)
}

// KeyDetail is a zone's key as admins see it: without its secret.
type KeyDetail struct {
	ID          int64
	Role        KeyRole
	DS          DS        // of a key-signing key; of others it has the tag alone
	ParentAt    time.Time // of a key-signing key: from here on the parent's DS records may name it
	PublishedAt time.Time // the other times are those of ZoneKey
	ActiveAt    time.Time
	RetiredAt   time.Time
	RemovedAt   time.Time
}

func keyDetails(zone string, keys []ZoneKey) ([]KeyDetail, error) {
	details := make([]KeyDetail, len(keys))
	for i, k := range keys {
		ds, err := k.DS(zone)
		if err != nil {
			return nil, err
		}
		details[i] = KeyDetail{ID: k.ID, Role: k.Role, DS: ds, PublishedAt: k.PublishedAt, ActiveAt: k.ActiveAt, RetiredAt: k.RetiredAt, RemovedAt: k.RemovedAt}
		switch {
		case k.Role != KeySigning:
			details[i].DS = DS{KeyTag: ds.KeyTag, Algorithm: ds.Algorithm}
		case i == 0:
			details[i].ParentAt = k.ActiveAt
		default:
			details[i].ParentAt = k.ParentAt()
		}
	}
	return details, nil
}

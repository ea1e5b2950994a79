package sites

import (
	"net/netip"
	"time"
)

// ZoneID is the key of a zone; it is never used twice.
type ZoneID int64

// ZoneKind tells where a zone's content comes from.
type ZoneKind string

const (
	ZoneMain      ZoneKind = "main"      // the zone of --zone: sites are names of it
	ZonePrimary   ZoneKind = "primary"   // a further zone whose records are kept here
	ZoneSecondary ZoneKind = "secondary" // a zone that is transferred from another nameserver
)

// Zone is a domain that the DNS server answers for.
type Zone struct {
	ID        ZoneID
	Name      string // lower-case, without trailing dot
	Kind      ZoneKind
	Signed    bool      // DNSSEC; a secondary zone is served as its primary has signed it
	Peers     []Peer    // who may transfer the zone
	Primaries []Primary // where a secondary zone comes from, tried in this order
	CreatedAt time.Time
}

// Peer is a nameserver, or a set of them, that may transfer a zone. A transfer must come from one of From and, where Key is
// set, be signed with it; From may be empty only where Key is set.
type Peer struct {
	Name   string           // for people; unique within the zone
	Notify []netip.AddrPort // told of each change
	From   []netip.Prefix
	Key    string // name of a TSIG key, empty for none
}

// Primary is a nameserver that a secondary zone is transferred from.
type Primary struct {
	Addr netip.AddrPort
	Key  string // name of a TSIG key, empty for none
}

// TSIGKey is a secret shared with other nameservers (RFC 8945).
type TSIGKey struct {
	Name      string // a domain name, lower-case, without trailing dot
	Algorithm string // TSIGSHA256 or TSIGSHA512
	Secret    []byte
	CreatedAt time.Time
}

const (
	TSIGSHA256 = "hmac-sha256"
	TSIGSHA512 = "hmac-sha512"
)

// KeyRole is what a zone's key signs.
type KeyRole string

const (
	KeySigning  KeyRole = "ksk" // signs the DNSKEY records; the parent's DS records name it
	ZoneSigning KeyRole = "zsk" // signs everything else
)

// ZoneKey is a DNSSEC key of a zone: ECDSA P-256 with SHA-256 (algorithm 13, RFC 6605). Its times are a plan (RFC 7583): the
// signer follows them by the clock. A zero time is one that is not planned.
type ZoneKey struct {
	ID          int64
	Zone        ZoneID
	Role        KeyRole
	Private     []byte    // PKCS #8, DER
	PublishedAt time.Time // from here on among the DNSKEY records
	ActiveAt    time.Time // from here on it signs
	RetiredAt   time.Time // from here on it signs no more
	RemovedAt   time.Time // from here on it is no DNSKEY record any more
}

// DS is what a parent's DS record says of a key-signing key (RFC 4034 section 5).
type DS struct {
	KeyTag     uint16
	Algorithm  uint8
	DigestType uint8
	Digest     string // upper-case hexadecimal
}

// PublishedZone is a zone as the DNS server sees it, with the keys that its peers and primaries name.
type PublishedZone struct {
	Zone
	Keys []ZoneKey
	TSIG []TSIGKey
}

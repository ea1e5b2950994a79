package panel

import (
	"fmt"
	"time"

	"berth/sites"
)

// The shapes of zones in the API's answers and questions.

type zoneJSON struct {
	Name      string        `json:"name"`
	Kind      string        `json:"kind"`
	Signed    bool          `json:"signed"`
	Records   int           `json:"records"` // that people have entered
	Peers     []peerJSON    `json:"peers"`
	Primaries []primaryJSON `json:"primaries"`
	CreatedAt time.Time     `json:"created_at"`
}

type peerJSON struct {
	Name   string   `json:"name"`
	From   []string `json:"from"`   // addresses and networks
	Notify []string `json:"notify"` // addresses with or without port
	Key    string   `json:"key,omitempty"`
}

type primaryJSON struct {
	Address string `json:"address"` // with or without port
	Key     string `json:"key,omitempty"`
}

func zoneOut(z sites.ZoneDetail) zoneJSON {
	out := zoneJSON{
		Name: z.Name, Kind: string(z.Kind), Signed: z.Signed, Records: z.Records,
		Peers: make([]peerJSON, len(z.Peers)), Primaries: make([]primaryJSON, len(z.Primaries)), CreatedAt: z.CreatedAt.UTC(),
	}
	for i, peer := range z.Peers {
		out.Peers[i] = peerJSON{Name: peer.Name, From: []string{}, Notify: []string{}, Key: peer.Key}
		for _, prefix := range peer.From {
			out.Peers[i].From = append(out.Peers[i].From, prefix.String())
		}
		for _, addr := range peer.Notify {
			out.Peers[i].Notify = append(out.Peers[i].Notify, addr.String())
		}
	}
	for i, primary := range z.Primaries {
		out.Primaries[i] = primaryJSON{Address: primary.Addr.String(), Key: primary.Key}
	}
	return out
}

func peersIn(list []peerJSON) ([]sites.Peer, error) {
	peers := make([]sites.Peer, len(list))
	for i, in := range list {
		peers[i] = sites.Peer{Name: in.Name, Key: in.Key}
		for _, text := range in.From {
			prefix, ok := readNetwork(text)
			if !ok {
				return nil, sites.RefuseField(sites.ErrInvalid, fmt.Sprintf("peers[%d].from", i), "%q is no address and no network.", text)
			}
			peers[i].From = append(peers[i].From, prefix)
		}
		for _, text := range in.Notify {
			addr, ok := readServer(text)
			if !ok {
				return nil, sites.RefuseField(sites.ErrInvalid, fmt.Sprintf("peers[%d].notify", i), "%q is no address.", text)
			}
			peers[i].Notify = append(peers[i].Notify, addr)
		}
	}
	return peers, nil
}

func primariesIn(list []primaryJSON) ([]sites.Primary, error) {
	primaries := make([]sites.Primary, len(list))
	for i, in := range list {
		addr, ok := readServer(in.Address)
		if !ok {
			return nil, sites.RefuseField(sites.ErrInvalid, fmt.Sprintf("primaries[%d].address", i), "%q is no address.", in.Address)
		}
		primaries[i] = sites.Primary{Addr: addr, Key: in.Key}
	}
	return primaries, nil
}

type zoneStatusJSON struct {
	Serial    uint32              `json:"serial"`
	Names     int                 `json:"names"`
	Signed    bool                `json:"signed"`
	RenewalAt time.Time           `json:"renewal_at,omitzero"` // when signatures are next made anew
	DS        []dsJSON            `json:"ds"`                  // what the parent should have
	Registrar registrarJSON       `json:"registrar"`
	Peers     []peerStatusJSON    `json:"peers"`
	Secondary *secondaryStateJSON `json:"secondary,omitempty"`
}

type dsJSON struct {
	KeyTag     uint16 `json:"key_tag"`
	Algorithm  uint8  `json:"algorithm"`
	DigestType uint8  `json:"digest_type"`
	Digest     string `json:"digest"`
}

// registrarJSON is what to enter at the zone's parent, in presentation format.
type registrarJSON struct {
	NS   []string `json:"ns"`
	Glue []string `json:"glue"`
	DS   []string `json:"ds"`
}

type peerStatusJSON struct {
	Address     string    `json:"address"`
	Notified    uint32    `json:"notified_serial,omitempty"`
	Answered    bool      `json:"notify_answered"`
	Served      uint32    `json:"served_serial,omitempty"`
	RequestedAt time.Time `json:"requested_at,omitzero"`
	Error       string    `json:"error,omitempty"`
}

type secondaryStateJSON struct {
	RefreshedAt time.Time `json:"refreshed_at,omitzero"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
	Error       string    `json:"error,omitempty"`
}

func zoneStatusOut(s sites.ZoneStatus) zoneStatusJSON {
	out := zoneStatusJSON{
		Serial: s.Serial, Names: s.Names, Signed: s.Signed, RenewalAt: utc(s.RenewalAt),
		DS: make([]dsJSON, len(s.DS)), Peers: make([]peerStatusJSON, len(s.Peers)),
	}
	for i, ds := range s.DS {
		out.DS[i] = dsJSON(ds)
	}
	for i, peer := range s.Peers {
		out.Peers[i] = peerStatusJSON{
			Address: peer.Addr.String(), Notified: peer.Notified, Answered: peer.Answered, Served: peer.Served,
			RequestedAt: utc(peer.Requested), Error: peer.Err,
		}
	}
	if s.Secondary != nil {
		out.Secondary = &secondaryStateJSON{RefreshedAt: utc(s.Secondary.RefreshedAt), ExpiresAt: utc(s.Secondary.ExpiresAt), Error: s.Secondary.Err}
	}
	return out
}

type delegationJSON struct {
	State     string        `json:"state"`
	Parent    string        `json:"parent,omitempty"`
	CheckedAt time.Time     `json:"checked_at"`
	Findings  []findingJSON `json:"findings"`
}

type findingJSON struct {
	Kind     string `json:"kind"`
	Server   string `json:"server,omitempty"`
	Sentence string `json:"sentence"`
}

func delegationOut(d checked) delegationJSON {
	out := delegationJSON{State: string(d.State), Parent: d.Parent, CheckedAt: d.at.UTC(), Findings: make([]findingJSON, len(d.Findings))}
	for i, f := range d.Findings {
		out.Findings[i] = findingJSON{Kind: string(f.Kind), Server: f.Server, Sentence: f.Sentence}
	}
	return out
}

// zoneKeyJSON has no private part: it never leaves the server.
type zoneKeyJSON struct {
	ID          int64     `json:"id"`
	Role        string    `json:"role"`
	Tag         uint16    `json:"tag"`
	Algorithm   uint8     `json:"algorithm"`
	DS          *dsJSON   `json:"ds,omitempty"` // of a key-signing key, from parent_at on
	ParentAt    time.Time `json:"parent_at,omitzero"`
	PublishedAt time.Time `json:"published_at,omitzero"`
	ActiveAt    time.Time `json:"active_at,omitzero"`
	RetiredAt   time.Time `json:"retired_at,omitzero"`
	RemovedAt   time.Time `json:"removed_at,omitzero"`
}

func zoneKeysOut(keys []sites.KeyDetail) []zoneKeyJSON {
	now := time.Now()
	out := make([]zoneKeyJSON, len(keys))
	for i, k := range keys {
		out[i] = zoneKeyJSON{
			ID: k.ID, Role: string(k.Role), Tag: k.DS.KeyTag, Algorithm: k.DS.Algorithm, PublishedAt: utc(k.PublishedAt),
			ActiveAt: utc(k.ActiveAt), RetiredAt: utc(k.RetiredAt), RemovedAt: utc(k.RemovedAt),
			ParentAt: utc(k.ParentAt),
		}
		if k.Role == sites.KeySigning && !k.ParentAt.After(now) {
			ds := dsJSON(k.DS)
			out[i].DS = &ds
		}
	}
	return out
}

// orEmpty is a list that is never null in JSON.
func orEmpty(list []string) []string { return append([]string{}, list...) }

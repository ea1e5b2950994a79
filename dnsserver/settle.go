package dnsserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"berth/dnsserver/dnsclient"
	"berth/sites"

	"github.com/miekg/dns"
)

// settling bounds how long a challenge waits for the other nameservers of its zone.
type settling struct {
	bound   time.Duration // altogether
	silence time.Duration // after which a nameserver that is of no use is left out, as resolvers leave it out
	answer  time.Duration // for one answer
	pause   time.Duration // between two questions; doubled with each, up to eight times as much
	sights  int           // of the challenge in a row: a nameserver that takes in a version answers for a moment from two
	remind  time.Duration // between two NOTIFYs to peers while one of them is behind
}

func defaultSettling() settling {
	return settling{
		bound: 2 * time.Minute, silence: 10 * time.Second, answer: 2 * time.Second, pause: 100 * time.Millisecond, sights: 3, remind: 5 * time.Second,
	}
}

// nameserver is another one that answers for a zone of ours.
type nameserver struct {
	host string // as people know it; may be empty
	addr netip.AddrPort
}

func (n nameserver) String() string {
	if n.host == "" {
		return n.addr.String()
	}
	return n.host + " (" + n.addr.Addr().String() + ")"
}

// settle waits until whoever an authority could ask has a challenge, too: the nameservers that the zone names, and its peers.
// Who gives no answer of use, at all or for this zone, is waited for no longer than a while: resolvers go on to another one. Who
// answers from an older version is waited for, since nobody could tell its answer from a right one.
func (s *Server) settle(ctx context.Context, name, value string) error {
	h := s.zones.Load().named(name)
	if h == nil {
		return nil
	}
	others := s.others(ctx, h)
	if len(others) == 0 {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, s.settling.bound)
	defer cancel()
	behind := make([]bool, len(others))
	var waiting sync.WaitGroup
	for i, other := range others {
		waiting.Go(func() { behind[i] = s.staysBehind(bounded, h.published.Name, other, name, value) })
	}
	waiting.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if i := slices.Index(behind, true); i >= 0 {
		return sites.Refuse(sites.ErrUnavailable, "The nameserver %s still answers from an older version of %s, so a certificate authority that asks it would not find "+
			"our answer. Check that it gets NOTIFY and may transfer the zone, or take it out.", others[i], h.published.Name)
	}
	return nil
}

// others are the addresses of a zone's nameservers but for this one.
func (s *Server) others(ctx context.Context, h *hosted) []nameserver {
	var all []nameserver
	add := func(n nameserver) {
		if !slices.ContainsFunc(all, func(known nameserver) bool { return known.addr == n.addr }) {
			all = append(all, n)
		}
	}
	hosts, glue := h.Current().Nameservers()
	for _, host := range hosts {
		for _, addr := range s.addressesOf(ctx, host, glue) {
			if addr = addr.Unmap(); !slices.Contains(s.cfg.IPv4, addr) && !slices.Contains(s.cfg.IPv6, addr) {
				const port = 53
				add(nameserver{host, netip.AddrPortFrom(addr, port)})
			}
		}
	}
	for _, peer := range h.published.Peers {
		for _, addr := range peer.Notify {
			add(nameserver{peer.Name, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())})
		}
	}
	return all
}

func (s *Server) addressesOf(ctx context.Context, host string, glue map[string][]netip.Addr) []netip.Addr {
	if addrs, inside := glue[host]; inside || s.cfg.LookupHost == nil {
		return addrs
	}
	ctx, cancel := context.WithTimeout(ctx, s.settling.silence)
	defer cancel()
	addrs, err := s.cfg.LookupHost(ctx, host)
	if err != nil { // nor will others find it
		s.log.Warn("a nameserver has no address, so challenges do not wait for it", "nameserver", host, "error", err)
	}
	return addrs
}

// sight is what a nameserver shows of a challenge.
type sight int

const (
	sightNone  sight = iota // no answer, or none of authority
	sightOld                // an answer without the challenge
	sightThere              // the challenge
	sightNever              // it cannot be asked from here
)

// staysBehind asks a nameserver until it has the challenge or is left out; it reports whether it was behind when ctx was done.
func (s *Server) staysBehind(ctx context.Context, zone string, other nameserver, name, value string) bool {
	behind, heard, reminded, sights := false, time.Now(), time.Now(), 0
	for pause := s.settling.pause; ; pause = min(2*pause, 8*s.settling.pause) {
		seen := s.look(ctx, other.addr, name, value)
		switch seen {
		case sightThere:
			heard, pause = time.Now(), s.settling.pause
			sights++
		case sightOld:
			behind, heard, sights = true, time.Now(), 0
		}
		switch {
		case sights == s.settling.sights || seen == sightNever:
			return false
		case ctx.Err() != nil:
			return behind
		case time.Since(heard) > s.settling.silence:
			s.log.Warn("a nameserver does not answer for the zone, so a challenge does not wait for it", "zone", zone, "nameserver", other)
			return false
		case behind && time.Since(reminded) > s.settling.remind:
			reminded = time.Now()
			s.transfers.Remind(zone)
		}
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
		}
	}
}

// look asks once, over UDP and where that is of no use over TCP.
func (s *Server) look(ctx context.Context, addr netip.AddrPort, name, value string) sight {
	dial := dialFrom(s.cfg.Sources)
	client := dnsclient.Client{
		Timeout: s.settling.answer,
		Dial: func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
			return dial(ctx, network, server.String())
		},
	}
	for _, network := range []string{"udp", "tcp"} {
		answer, err := client.Once(ctx, network, addr, dnsclient.Question{Name: name, Type: dns.TypeTXT})
		switch {
		case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
			return sightNever
		case err != nil || answer.Truncated:
			continue
		case hasTXT(answer, value):
			return sightThere
		case answer.Authoritative && (answer.Rcode == dns.RcodeSuccess || answer.Rcode == dns.RcodeNameError):
			return sightOld
		}
		return sightNone
	}
	return sightNone
}

func hasTXT(answer *dns.Msg, value string) bool {
	return slices.ContainsFunc(answer.Answer, func(rr dns.RR) bool {
		txt, ok := rr.(*dns.TXT)
		return ok && strings.Join(txt.Txt, "") == value
	})
}

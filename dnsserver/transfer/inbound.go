package transfer

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

// change is one step of an incremental transfer that comes in. Each part begins with the SOA record of its version.
type change struct {
	removed, added []dns.RR
}

// inbound reads the records of a transfer one by one (RFC 5936 section 2.2, RFC 1995 section 4).
type inbound struct {
	zone        string // with trailing dot
	incremental bool   // it was asked for
	have        uint32 // the serial that we have, where incremental

	soa     *dns.SOA // of the version that comes
	count   int
	whole   []dns.RR // with the SOA record first
	changes []change
	adding  bool // the last change is in its second part
	done    bool
}

// current reports whether the answer is that we have the last version.
func (in *inbound) current() bool {
	return in.incremental && in.soa != nil && !newer(in.soa.Serial, in.have)
}

func (in *inbound) take(rr dns.RR) error {
	in.count++
	soa, isSOA := rr.(*dns.SOA)
	if isSOA && dns.CanonicalName(soa.Hdr.Name) != in.zone {
		return tell("the transfer has a SOA record of %s", soa.Hdr.Name)
	}
	switch {
	case in.done:
		return tell("the transfer goes on after its end")
	case in.count == 1:
		if !isSOA {
			return tell("the transfer does not begin with the SOA record")
		}
		in.soa, in.done = soa, in.incremental && !newer(soa.Serial, in.have)
		return nil
	case in.count == 2 && in.incremental && isSOA && soa.Serial == in.have:
		in.changes = []change{{removed: []dns.RR{rr}}}
		return nil
	case in.changes != nil:
		return in.takeChange(rr, soa)
	case isSOA:
		if soa.Serial != in.soa.Serial {
			return tell("the transfer begins with serial %d and ends with %d", in.soa.Serial, soa.Serial)
		}
		in.done = true
		return nil
	case in.whole == nil:
		in.whole = []dns.RR{in.soa}
	}
	in.whole = append(in.whole, rr)
	return nil
}

// takeChange takes a record of a sequence of changes; soa is nil if it is no SOA record.
func (in *inbound) takeChange(rr dns.RR, soa *dns.SOA) error {
	last := &in.changes[len(in.changes)-1]
	switch {
	case soa == nil && in.adding:
		last.added = append(last.added, rr)
	case soa == nil:
		last.removed = append(last.removed, rr)
	case !in.adding:
		if from := last.removed[0].(*dns.SOA).Serial; !newer(soa.Serial, from) {
			return tell("a change leads from serial %d back to %d", from, soa.Serial)
		}
		last.added, in.adding = []dns.RR{rr}, true
	default:
		reached := last.added[0].(*dns.SOA).Serial
		if soa.Serial != reached {
			return tell("a change begins at serial %d where %d was reached", soa.Serial, reached)
		}
		if in.done = reached == in.soa.Serial; !in.done {
			in.changes, in.adding = append(in.changes, change{removed: []dns.RR{rr}}), false
		}
	}
	return nil
}

// serialOf asks a primary for its version: by UDP, by TCP when it does not answer or the answer is truncated.
func (s *Service) serialOf(ctx context.Context, name string, addr netip.AddrPort, k *key) (uint32, error) {
	var err error
	for _, network := range [...]string{"udp", "udp", "tcp"} {
		var answer *dns.Msg
		if answer, err = s.askSOA(ctx, network, name, addr, k); ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err == nil && !answer.Truncated {
			return readSOA(answer, name)
		}
		if f := fault(0); errors.As(err, &f) {
			return 0, err
		}
	}
	if err == nil {
		err = tell("its answer to the SOA query is truncated even by TCP")
	}
	return 0, err
}

func (s *Service) askSOA(ctx context.Context, network, name string, addr netip.AddrPort, k *key) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limits.answer)
	defer cancel()
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeSOA)
	m.RecursionDesired = false
	return s.ask(ctx, network, addr, m, k)
}

func readSOA(answer *dns.Msg, name string) (uint32, error) {
	if answer.Rcode != dns.RcodeSuccess {
		return 0, rcodeError{"the SOA query", answer.Rcode}
	}
	if !answer.Authoritative {
		return 0, tell("it is not authoritative for the zone")
	}
	for _, rr := range answer.Answer {
		if soa, ok := rr.(*dns.SOA); ok && dns.CanonicalName(soa.Hdr.Name) == name {
			return soa.Serial, nil
		}
	}
	return 0, tell("it has no SOA record of the zone")
}

// receive transfers a zone, or what has changed since the SOA record that is given.
func (s *Service) receive(ctx context.Context, name string, addr netip.AddrPort, k *key, have *dns.SOA) (*inbound, error) {
	select {
	case s.in <- struct{}{}:
		defer func() { <-s.in }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, s.limits.transfer)
	defer cancel()
	in := &inbound{zone: name, incremental: have != nil}
	m := new(dns.Msg)
	m.SetAxfr(name)
	what := "the AXFR request"
	if have != nil {
		m.SetIxfr(name, have.Serial, have.Ns, have.Mbox)
		in.have, what = have.Serial, "the IXFR request"
	}
	c, end, err := s.open(ctx, "tcp", addr, m, k)
	if err != nil {
		return nil, err
	}
	defer end()
	for !in.done || !c.request.done() {
		answer, err := c.next(ctx, s.limits.stall)
		if err != nil {
			return nil, fmt.Errorf("the transfer from %s: %w", addr, err)
		}
		if answer.Rcode != dns.RcodeSuccess {
			return nil, rcodeError{what, answer.Rcode}
		}
		if err := in.takeAll(answer, m, s.limits, c.read); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (in *inbound) takeAll(answer, asked *dns.Msg, l limits, read int) error {
	if len(answer.Question) > 0 && !sameQuestion(answer.Question[0], asked.Question[0]) {
		return tell("the answer is to another question")
	}
	if len(answer.Answer) == 0 {
		return tell("a message of the transfer has no records")
	}
	for _, rr := range answer.Answer {
		if err := in.take(rr); err != nil {
			return err
		}
	}
	if in.count > l.records || read > l.bytes {
		return tell("the zone is larger than %d records or %d MB, which is too large for this server", l.records, l.bytes>>20)
	}
	return nil
}

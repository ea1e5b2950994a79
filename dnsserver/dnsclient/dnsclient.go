// Package dnsclient owns the asking of one nameserver one question: over UDP and TCP, in bounded time, with a look whether the
// answer is to that question.
//
// It must not know why it is asked, nor what an answer means; and it asks nobody but the server that it is given.
//
// Everything is safe for concurrent use.
package dnsclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// Client is how servers are asked.
type Client struct {
	Timeout time.Duration // for one answer; required
	// Dial connects to a server over "udp" or "tcp"; nil: as net.Dialer does.
	Dial func(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error)
}

// Question is what a server is asked.
type Question struct {
	Name      string // with or without trailing dot
	Type      uint16
	Recurse   bool // the server is a resolver
	Unchecked bool // it should tell what is broken, too (CD, RFC 4035 section 3.2.2)
}

func (q Question) message() *dns.Msg {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.Name), q.Type)
	m.RecursionDesired, m.CheckingDisabled = q.Recurse, q.Unchecked
	m.SetEdns0(1232, false)
	return m
}

func (q Question) answeredBy(m *dns.Msg) bool {
	return m.Response && len(m.Question) == 1 && m.Question[0].Qtype == q.Type && SameName(m.Question[0].Name, q.Name)
}

const tries = 2 // over UDP

// Ask asks over UDP, again when no answer comes, and over TCP when the answer does not fit (RFC 7766 section 5).
func (c Client) Ask(ctx context.Context, server netip.AddrPort, q Question) (*dns.Msg, error) {
	for try := 1; ; try++ {
		answer, err := c.Once(ctx, "udp", server, q)
		switch {
		case err == nil && answer.Truncated:
			return c.Once(ctx, "tcp", server, q)
		case err == nil || try == tries || ctx.Err() != nil:
			return answer, err
		}
	}
}

// Once asks once, over "udp" or "tcp".
func (c Client) Once(ctx context.Context, network string, server netip.AddrPort, q Question) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	conn, err := c.dial(ctx, network, server)
	if err != nil {
		return nil, fmt.Errorf("connect to %s over %s: %w", server, network, err)
	}
	defer func() { _ = conn.Close() }() // it was only asked
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	client := &dns.Client{Net: network, Timeout: c.Timeout}
	answer, _, err := client.ExchangeWithConnContext(ctx, q.message(), &dns.Conn{Conn: conn})
	if err == nil && !q.answeredBy(answer) {
		err = errors.New("the answer is to another question")
	}
	if err != nil {
		return nil, fmt.Errorf("ask %s over %s: %w", server, network, err)
	}
	return answer, nil
}

func (c Client) dial(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
	if c.Dial != nil {
		return c.Dial(ctx, network, server)
	}
	return new(net.Dialer).DialContext(ctx, network, server.String())
}

// SameName reports whether two domain names are one, whatever their case and trailing dots.
func SameName(a, b string) bool { return strings.EqualFold(dns.Fqdn(a), dns.Fqdn(b)) }

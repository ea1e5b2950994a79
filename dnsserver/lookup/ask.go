package lookup

import (
	"context"
	"fmt"
	"net/netip"

	"berth/dnsserver/dnsclient"

	"github.com/miekg/dns"
)

// definite holds for an answer that says what there is, or that there is nothing; one of a nameserver must be with authority.
func definite(m *dns.Msg, q dnsclient.Question) bool {
	return (m.Rcode == dns.RcodeSuccess || m.Rcode == dns.RcodeNameError) && (q.Recurse || m.Authoritative)
}

// ask asks a server; with an answer that is not definite comes an error.
func (c Config) ask(ctx context.Context, server netip.AddrPort, q dnsclient.Question) (*dns.Msg, error) {
	answer, err := dnsclient.Client{Timeout: c.Timeout, Dial: c.Dial}.Ask(ctx, server, q)
	if err == nil && !definite(answer, q) {
		err = fmt.Errorf("ask %s for %s: the answer is %s", server, q.Name, dns.RcodeToString[answer.Rcode])
	}
	return answer, err
}

// resolve asks the resolver.
func (c Config) resolve(ctx context.Context, name string, rrtype uint16) (*dns.Msg, error) {
	return c.ask(ctx, c.Resolver, dnsclient.Question{Name: name, Type: rrtype, Recurse: true})
}

package proxy

import (
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"berth/sites"
)

// selfCheckPath is where a process finds itself, on port 80 under whatever host.
const selfCheckPath = "/.well-known/berth-check/"

const (
	selfCheckPatience = 5 * time.Second
	selfCheckBytes    = 64 // of an answer that are read; the right one is shorter
)

// selfChecks are the questions that this process has put to itself. What answers them right is this process: nobody else knows
// the answer to a question that is open, and each is put once.
type selfChecks struct{ open sync.Map } // question → answer

// Reach asks who answers by HTTP at an address, under a host name. The address must be one of this server's: it is connected
// to, whatever it is. No redirect is followed.
func (p *Proxy) Reach(ctx context.Context, host string, addr netip.Addr) sites.Reach {
	question, answer := rand.Text(), rand.Text()
	p.selfChecks.open.Store(question, answer)
	defer p.selfChecks.open.Delete(question)
	ctx, cancel := context.WithTimeout(ctx, selfCheckPatience)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true, ResponseHeaderTimeout: selfCheckPatience, MaxResponseHeaderBytes: 16 << 10,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, network, net.JoinHostPort(addr.String(), strconv.Itoa(p.httpPort)))
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+selfCheckPath+question, nil)
	if err != nil {
		return sites.ReachNothing
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return sites.ReachNothing
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, selfCheckBytes))
	if err != nil || string(body) != answer {
		return sites.ReachOther
	}
	return sites.ReachHere
}

// answer answers a question of this process to itself; false: the request is none.
func (c *selfChecks) answer(w http.ResponseWriter, r *http.Request) bool {
	question, ok := strings.CutPrefix(r.URL.Path, selfCheckPath)
	if !ok {
		return false
	}
	answer, ok := c.open.Load(question)
	if !ok {
		return false
	}
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, answer.(string))
	return true
}

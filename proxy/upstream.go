package proxy

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"berth/proxy/origin"
)

// upstream is the proxy's end of one instance: its connections and the count of requests in flight there. It has a
// transport of its own, so that its idle connections can be closed without touching anybody else's.
type upstream struct {
	inflight
	addr      netip.AddrPort
	target    string // addr, for URLs
	transport *origin.Transport
	edge      *upstreams
	hosts     int // that route here; guarded by upstreams.mu
	health
	probe atomic.Pointer[probe] // nil: the instance has no others beside it
}

func (u *upstreams) newUpstream(addr netip.AddrPort) *upstream {
	up := &upstream{
		addr:   addr,
		target: addr.String(),
		edge:   u,
		health: health{pace: u.limits.outlier},
		transport: origin.New(origin.Config{
			Dial:           func(ctx context.Context) (net.Conn, error) { return u.dial(ctx, "tcp", addr.String()) },
			MaxConns:       u.limits.perInstance,
			MaxIdle:        64,
			KeepIdle:       u.limits.keep,
			Queue:          u.limits.queue,
			Response:       u.limits.response,
			MaxHeaderBytes: 256 << 10,
		}),
	}
	up.drained = func() { u.forget(up) }
	return up
}

// inspect looks at an answer of an instance before it goes to the client.
func (u *upstreams) inspect(up *upstream, res *http.Response) {
	switch res.StatusCode {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		u.fault(up, faultAnswer, res.Status)
	default:
		up.sound()
	}
	u.dropEdgeHeaders(res.Header)
	if res.ContentLength < 0 && len(res.TransferEncoding) == 0 {
		// It ends with its connection: nobody can tell a whole one from one that broke off, so it is for one request.
		res.Header["Cdn-Cache-Control"] = []string{"no-store"}
	}
}

// fault notes that an instance has failed. One that has others beside it may be left out for a while then.
func (u *upstreams) fault(up *upstream, kind faultKind, cause any) {
	if up.probe.Load() == nil {
		return
	}
	if out := up.fault(kind, time.Now()); out > 0 {
		u.logger.Warn("an instance that fails is left out for a while", "address", up.target, "cause", cause, "time", out)
	}
}

// timedOut reports whether err means that the instance took too long to answer.
func timedOut(err error) bool {
	var slow net.Error
	return errors.As(err, &slow) && slow.Timeout()
}

// notConnected reports whether err means that there was no connection, so that nothing of the request was sent or read.
func notConnected(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, context.Canceled)
}

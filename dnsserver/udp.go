package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

const (
	packetSize = 4096 // of a query; what is longer is no query that anybody needs
	batchSize  = 32   // packets that one system call reads or writes at most
)

// past is a deadline that ends a read at once.
func past() time.Time { return time.Unix(1, 0) }

// serveUDP answers the packets of a socket in one goroutine. Sockets that share an address share its load: the system
// deals clients out among them.
func (s *Server) serveUDP(ctx context.Context, conn net.PacketConn) error {
	defer conn.Close()
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return fmt.Errorf("serve DNS on %s: not a UDP socket", conn.LocalAddr())
	}
	if err := wantDestination(udp); err != nil {
		return fmt.Errorf("serve DNS on %s: %w", conn.LocalAddr(), err)
	}
	packets, err := newBatch(udp)
	if err != nil {
		return fmt.Errorf("serve DNS on %s: %w", conn.LocalAddr(), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = udp.SetReadDeadline(past()) })
	defer stop()
	if err := s.servePackets(ctx, packets); err != nil {
		return fmt.Errorf("serve DNS on %s: %w", conn.LocalAddr(), err)
	}
	return nil
}

// servePackets answers packets one batch after another. Faults that concern one packet, such as an unreachable client's,
// are nobody's; only a socket that cannot be read at all ends it.
func (s *Server) servePackets(ctx context.Context, packets *batch) error {
	responder := s.newResponder()
	for faults := 0; ; {
		n, err := packets.read()
		switch {
		case err == nil:
			faults = 0
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed) || isTimeout(err):
			return err
		default:
			if faults++; faults > 1000 {
				return err
			}
		}
		for i := range n {
			client := packets.client(i)
			if client.Port() == 0 { // nobody can be answered there
				continue
			}
			packets.answer(i, responder.respond(packets.room(), packets.packet(i), overUDP, client))
		}
		packets.write()
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// wantDestination asks for the destination of each packet where the socket is bound to all addresses: the answer
// must come from the address that was asked.
func wantDestination(conn *net.UDPConn) error {
	local, ok := conn.LocalAddr().(*net.UDPAddr)
	if !ok || !local.IP.IsUnspecified() {
		return nil
	}
	err6 := ipv6.NewPacketConn(conn).SetControlMessage(ipv6.FlagDst, true)
	if err6 == nil {
		return nil // of IPv4 packets, too, whose addresses are mapped
	}
	if err4 := ipv4.NewPacketConn(conn).SetControlMessage(ipv4.FlagDst, true); err4 != nil {
		return fmt.Errorf("ask for the destination of packets: %w", errors.Join(err6, err4))
	}
	return nil
}

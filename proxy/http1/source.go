package http1

import (
	"errors"
	"net"
)

var errHeaderTooLarge = errors.New("the request's header is too large")

// slack is how much more than its bound a header may have: what net/http grants, too.
const slack = 4 << 10

// source is where requests come from. What it hands on is framed clearly, and no header is longer than its bound.
type source struct {
	conn    net.Conn
	framing framing
	header  bool // a header is being read
	left    int  // bytes of it that may still come
	raw     bool // it is another protocol by now
}

func (s *source) Read(p []byte) (int, error) {
	switch {
	case s.raw:
		return s.conn.Read(p)
	case s.framing.at == bad:
		return 0, errUnclear // for good: a buffer may have kept the first one to itself
	case s.header && s.left <= 0:
		return 0, errHeaderTooLarge
	case s.header:
		p = p[:min(len(p), s.left)]
	}
	n, err := s.conn.Read(p)
	s.left -= n
	if n > 0 && !s.framing.follow(p[:n]) {
		return 0, errUnclear
	}
	return n, err
}

// bound has a header begin.
func (s *source) bound(most int) { s.header, s.left = true, most+slack }

// release has a header end.
func (s *source) release() { s.header = false }

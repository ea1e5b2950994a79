package dnsserver

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// options is what a query's EDNS options ask for. Unknown ones are ignored (RFC 6891 section 6.1.2).
type options struct {
	cookie    []byte // as sent (RFC 7873); nil for none
	nsid      bool   // RFC 5001
	expire    bool   // RFC 7314
	keepalive bool   // RFC 7828
	padding   bool   // RFC 7830
}

// read reports whether the data of an OPT record is framed well, and the options that are known are well formed.
func (o *options) read(data []byte) bool {
	for len(data) > 0 {
		if len(data) < 4 {
			return false
		}
		end := 4 + int(binary.BigEndian.Uint16(data[2:]))
		if end > len(data) {
			return false
		}
		if !o.add(binary.BigEndian.Uint16(data), data[4:end]) {
			return false
		}
		data = data[end:]
	}
	return true
}

func (o *options) add(code uint16, value []byte) (ok bool) {
	switch code {
	case dns.EDNS0COOKIE:
		if !cookieFits(len(value)) {
			return false
		}
		if o.cookie == nil { // of several the first counts
			o.cookie = value
		}
	case dns.EDNS0NSID:
		o.nsid = true
	case dns.EDNS0EXPIRE:
		o.expire = true
	case dns.EDNS0TCPKEEPALIVE:
		o.keepalive = true
		return len(value) == 0
	case dns.EDNS0PADDING:
		o.padding = true
	}
	return true
}

func appendOption(out []byte, code uint16, value []byte) []byte {
	out = binary.BigEndian.AppendUint16(out, code)
	out = binary.BigEndian.AppendUint16(out, uint16(len(value)))
	return append(out, value...)
}

// appendExplanation appends why the answer is no better (RFC 8914).
func appendExplanation(out []byte, code uint16) []byte {
	out = binary.BigEndian.AppendUint16(out, dns.EDNS0EDE)
	out = binary.BigEndian.AppendUint16(out, 2)
	return binary.BigEndian.AppendUint16(out, code)
}

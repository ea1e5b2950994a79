package zone

import (
	"bytes"
	"errors"

	"github.com/miekg/dns"
)

// MaxName is the length of the longest name in wire form (RFC 1035 section 2.3.4).
const MaxName = 255

// name is an absolute domain name.
type name struct {
	wire   string // wire form, lower case, not compressed
	key    string // its place in the zone's tree, when it is inside
	inside bool   // at or below the zone's apex
}

// origin is the wire form of a zone's apex, in lower case.
type origin string

// parse reads a name in presentation format; it is absolute with or without the trailing dot.
func (o origin) parse(text string) (name, error) {
	wire, err := PackName(text)
	if err != nil {
		return name{}, err
	}
	return o.name(wire), nil
}

// name returns the name whose wire form is given in lower case.
func (o origin) name(wire string) name {
	n, inside := o.below([]byte(wire))
	if !inside {
		return name{wire: wire}
	}
	both := string(appendKey([]byte(wire), []byte(wire[:n]))) // together they are one thing in memory to wait for
	return name{wire: both[:len(wire)], key: both[len(wire):], inside: true}
}

// below returns the length of the labels that a name has below the apex, and whether it is at or below it at all.
func (o origin) below(wire []byte) (n int, inside bool) {
	for n < len(wire) {
		if len(wire)-n == len(o) {
			return n, string(wire[n:]) == string(o)
		}
		n += int(wire[n]) + 1
	}
	return 0, false
}

// appendKey appends the place in the tree of a name with the given labels below the apex. Compared byte by byte,
// keys have the canonical order of RFC 4034 section 6.1: the labels stand from the right to the left, each ended by a
// zero, for which zeros and ones inside a label are escaped. The key of a name is a prefix of the keys of all
// names below it, and of no others.
func appendKey(key, labels []byte) []byte {
	var starts [MaxName / 2]uint8
	count := 0
	for at := 0; at < len(labels); at += int(labels[at]) + 1 {
		starts[count] = uint8(at)
		count++
	}
	for count--; count >= 0; count-- {
		at := int(starts[count])
		for _, b := range labels[at+1 : at+1+int(labels[at])] {
			if b <= 1 {
				key = append(key, 1)
				b++
			}
			key = append(key, b)
		}
		key = append(key, 0)
	}
	return key
}

// appendName appends the wire form of the name with a key.
func (z *Snapshot) appendName(to, key []byte) []byte {
	return append(appendLabels(to, key), z.apex.wire...)
}

// appendLabels appends, in wire form, the labels below the apex that a key stands for.
func appendLabels(to, key []byte) []byte {
	for end := len(key); end > 0; {
		start := bytes.LastIndexByte(key[:end-1], 0) + 1
		length := len(to)
		to = append(to, 0)
		for at := start; at < end-1; at++ {
			b := key[at]
			if b == 1 {
				at++
				b = key[at] - 1
			}
			to = append(to, b)
		}
		to[length] = byte(len(to) - length - 1)
		end = start
	}
	return to
}

// ReadName reads the name at msg[at:] where no compression can be, and returns it in lower case and where it ends.
func ReadName(name []byte, msg []byte, at int) (lower []byte, end int, ok bool) {
	for at < len(msg) {
		length := int(msg[at])
		next := at + 1 + length
		if length > 63 || next > len(msg) || len(name)+1+length > MaxName {
			return nil, 0, false
		}
		for _, b := range msg[at:next] {
			name = append(name, lowerByte(b))
		}
		if length == 0 {
			return name, next, true
		}
		at = next
	}
	return nil, 0, false
}

// SkipName returns where the name at msg[at:] ends, be it compressed or not.
func SkipName(msg []byte, at int) (end int, ok bool) {
	for at < len(msg) {
		switch length := int(msg[at]); {
		case length == 0:
			return at + 1, true
		case length&0xC0 == 0xC0:
			return at + 2, at+2 <= len(msg)
		case length > 63:
			return 0, false
		default:
			at += 1 + length
		}
	}
	return 0, false
}

// PackName returns the wire form, in lower case, of a name in presentation format.
func PackName(text string) (string, error) {
	if _, ok := dns.IsDomainName(text); !ok {
		return "", errors.New("not a domain name")
	}
	buf := make([]byte, MaxName+1)
	end, err := dns.PackDomainName(dns.Fqdn(text), buf, 0, nil, false)
	if err != nil {
		return "", err
	}
	return string(lower(buf[:end])), nil
}

func lowerByte(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

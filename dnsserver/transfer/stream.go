package transfer

import (
	"context"
	"encoding/binary"
	"iter"

	"berth/dnsserver/zone"

	"github.com/miekg/dns"
)

const (
	streamSize = 16 << 10  // of a message of a stream, about: compression reaches no further
	maxOffset  = 1<<14 - 1 // that a compressed name can point at
)

// record is one resource record.
type record struct {
	owner  string // wire form
	rrtype uint16
	ttl    uint32
	data   []byte // wire form, not compressed
}

// records are those of a set, then those that sign it.
func records(p zone.Placed) iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := range p.Set.Records {
			if !yield(record{p.Owner, p.Set.Type, p.Set.TTL, p.Set.Records[i].AppendData(nil)}) {
				return
			}
		}
		for left := p.Signatures; len(left) >= 2; {
			end := 2 + int(binary.BigEndian.Uint16(left))
			if !yield(record{p.Owner, dns.TypeRRSIG, p.Set.TTL, left[2:end]}) {
				return
			}
			left = left[end:]
		}
	}
}

// soaOf is the SOA record without its signatures.
func soaOf(p zone.Placed) record {
	return record{p.Owner, dns.TypeSOA, p.Set.TTL, p.Set.Records[0].AppendData(nil)}
}

// stream writes records as the messages of a transfer (RFC 5936 section 2.2).
type stream struct {
	head  []byte // of each message: the header without counts
	opt   []byte // of the first message, if the client sent one
	tx    *transaction
	write func(message []byte) error

	question []byte // of the first message
	out      []byte
	count    int
	names    map[string]int // where names begin in out
	err      error
}

// newStream begins the answer to a transfer request: the first message repeats the question. The stream ends with ctx, after
// the message that is being written.
func newStream(ctx context.Context, x *exchange) *stream {
	w := &stream{head: append([]byte(nil), x.Packet[:4]...), tx: x.tx, names: make(map[string]int)}
	w.write = func(message []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return x.Write(message)
	}
	w.head[2], w.head[3] = w.head[2]&0x01|0x84, 0 // QR and AA; of the request, RD
	if end, ok := zone.SkipName(x.plain, headerSize); ok {
		w.question = x.plain[headerSize : end+4]
	}
	if x.message.IsEdns0() != nil {
		w.opt = []byte{0, 0, byte(dns.TypeOPT), ednsSize >> 8, ednsSize & 0xFF, 0, 0, 0, 0, 0, 0}
	}
	w.begin()
	return w
}

func (w *stream) begin() {
	w.out = append(append(w.out[:0], w.head...), 0, byte(min(len(w.question), 1)), 0, 0, 0, 0, 0, 0)
	w.out = append(w.out, w.question...)
	w.count = 0
	clear(w.names)
}

// add writes a record, and before it the message that is full.
func (w *stream) add(r record) {
	if w.err != nil {
		return
	}
	before := len(w.out)
	w.append(r)
	if w.count > 0 && len(w.out)+len(w.opt)+w.tx.size() > streamSize {
		w.out = w.out[:before]
		w.flush()
		w.append(r)
	}
	w.count++
	if len(w.out)+len(w.opt)+w.tx.size() > messageSize {
		w.err = errTooLong
	}
}

func (w *stream) addAll(p zone.Placed) {
	for r := range records(p) {
		w.add(r)
	}
}

// flush sends the message, with its signature.
func (w *stream) flush() {
	if w.err != nil || w.count == 0 {
		return
	}
	binary.BigEndian.PutUint16(w.out[6:], uint16(w.count))
	if w.opt != nil {
		w.out = append(w.out, w.opt...)
		w.out[11] = 1
	}
	w.out = w.tx.sign(w.out)
	w.err = w.write(w.out)
	w.question, w.opt = nil, nil
	w.begin()
}

func (w *stream) append(r record) {
	w.name([]byte(r.owner))
	w.out = binary.BigEndian.AppendUint16(w.out, r.rrtype)
	w.out = binary.BigEndian.AppendUint16(w.out, dns.ClassINET)
	w.out = binary.BigEndian.AppendUint32(w.out, r.ttl)
	w.out = append(w.out, 0, 0)
	start := len(w.out)
	w.appendData(r)
	binary.BigEndian.PutUint16(w.out[start-2:], uint16(len(w.out)-start))
}

// appendData compresses the names in the data of the types that RFC 1035 defines, and of no others (RFC 3597 section 4).
func (w *stream) appendData(r record) {
	data, names := r.data, 0
	switch r.rrtype {
	case dns.TypeNS, dns.TypeCNAME, dns.TypePTR:
		names = 1
	case dns.TypeSOA:
		names = 2
	case dns.TypeMX:
		w.out = append(w.out, data[:2]...)
		data, names = data[2:], 1
	}
	for range names {
		end, ok := zone.SkipName(data, 0)
		if !ok {
			break
		}
		w.name(data[:end])
		data = data[end:]
	}
	w.out = append(w.out, data...)
}

// name writes a name, as a pointer from the first label on at which one that stands in the message continues.
func (w *stream) name(wire []byte) {
	for at := 0; at < len(wire)-1; at += int(wire[at]) + 1 {
		if to, ok := w.names[string(wire[at:])]; ok {
			w.out = binary.BigEndian.AppendUint16(w.out, 0xC000|uint16(to))
			return
		}
		if len(w.out) <= maxOffset {
			w.names[string(wire[at:])] = len(w.out)
		}
		w.out = append(w.out, wire[at:at+1+int(wire[at])]...)
	}
	w.out = append(w.out, 0)
}

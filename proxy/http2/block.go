package http2

import (
	"strings"

	"golang.org/x/net/http/httpguts"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A header comes in so many parts at most: empty ones would be without end.
const mostParts = 128

// block is a header as it comes in.
type block struct {
	decoder *hpack.Decoder
	most    int // bytes that it may have
	fields  []hpack.HeaderField

	id        uint32 // of its stream; 0: none is coming
	end       bool   // the stream ends with it
	itself    bool   // the stream is to depend on itself
	parts     int
	received  int // bytes as they came
	size      int // of the fields
	pseudo    int // how many of them are pseudo fields
	malformed bool
}

func newBlock(most int) block {
	b := block{most: most + 10*32, decoder: hpack.NewDecoder(tableSize, nil)} // as net/http: a few fields' overhead is not counted
	b.decoder.SetMaxStringLength(2 * b.most)
	return b
}

// A connection keeps the memory for so many fields between requests.
const fieldsKept = 32

func (b *block) begin(id uint32, end, itself bool) {
	*b = block{decoder: b.decoder, most: b.most, fields: b.fields[:0], id: id, end: end, itself: itself}
	b.decoder.SetEmitEnabled(true)
}

// release lets go of what the header has held.
func (b *block) release() {
	b.id = 0
	clear(b.fields)
	if cap(b.fields) > fieldsKept {
		b.fields = nil
	}
}

// emit is called with each field. What is too large is decoded on, for the sake of what comes after, but not kept.
func (b *block) emit(f hpack.HeaderField) {
	if b.size += int(f.Size()); b.tooLarge() {
		b.decoder.SetEmitEnabled(false)
		return
	}
	if f.IsPseudo() {
		b.malformed = b.malformed || b.pseudo < len(b.fields) // it comes after others
		b.pseudo++
	} else if !validName(f.Name) {
		b.malformed = true
	}
	b.malformed = b.malformed || !validValue(f.Value)
	b.fields = append(b.fields, f)
}

func (b *block) tooLarge() bool { return b.size > b.most }

// validName reports whether a field's name is one, in lower case.
func validName(name string) bool {
	if _, common := fieldsByLower[name]; common {
		return true
	}
	return httpguts.ValidHeaderFieldName(name) && !strings.ContainsFunc(name, func(r rune) bool { return 'A' <= r && r <= 'Z' })
}

// validValue is RFC 9113 section 8.2.1.
func validValue(value string) bool {
	if value == "" {
		return true
	}
	return !blank(value[0]) && !blank(value[len(value)-1]) && httpguts.ValidHeaderFieldValue(value)
}

func blank(b byte) bool { return b == ' ' || b == '\t' }

func (c *conn) header(f *http2.HeadersFrame) error {
	if f.StreamID%2 == 0 {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	c.block.begin(f.StreamID, f.StreamEnded(), f.HasPriority() && f.Priority.StreamDep == f.StreamID)
	return c.addBlock(f.HeaderBlockFragment(), f.HeadersEnded())
}

// addBlock decodes a part of a header, and has it taken for what it is when it is whole.
func (c *conn) addBlock(part []byte, last bool) error {
	b := &c.block
	b.parts++
	b.received += len(part)
	if b.parts > mostParts || b.received > 2*b.most {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if _, err := b.decoder.Write(part); err != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	if !last {
		return nil
	}
	if b.decoder.Close() != nil {
		return http2.ConnectionError(http2.ErrCodeCompression)
	}
	defer b.release()
	return c.finishBlock()
}

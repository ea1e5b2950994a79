package cache

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"berth/proxy/compress"
)

// stored is a response that is kept. All but what is atomic is immutable.
type stored struct {
	status   int
	header   http.Header // what the origin sent and is passed on, without the length
	varies   []string    // names of request fields that select it
	values   []string    // theirs, in the request that it answered
	targeted []string    // CDN-Cache-Control, which is not passed on
	tag      string      // Etag
	coding   string      // Content-Encoding
	since    string      // Last-Modified

	born    time.Time // when its age was 0
	checked time.Time // when the origin last vouched for it
	fresh   time.Time // until when
	anyhow  time.Time // until when it may be used while it is asked for anew
	broken  time.Time // until when it may be used if the origin fails
	always  bool      // the origin is to be asked each time
	stale   bool      // it may be used stale if a client allows it
	shared  bool      // also for requests with Authorization
	common  bool      // also for requests that were there before it

	plain   *rendition
	encoded [compress.Codings]atomic.Pointer[rendition] // made on demand; plain where encoding gains nothing
	encodes bool                                        // whether it may be encoded
	making  [compress.Codings]atomic.Bool
	age     atomic.Pointer[age]
	loan    loan
	resting atomic.Int64 // until when a failing origin is left alone, in nanoseconds since 1970
}

// rendition is a body with the fields that go with it, ready to be put into a response.
type rendition struct {
	body   []byte
	fields fields
	brief  fields // of 304
	tag    string
}

type fields []field

type field struct {
	name   string
	values []string // shared by all responses: with no room to append to
}

// age is a rendered Age field.
type age struct {
	seconds int64
	values  []string
}

// newStored describes a response by its header, which it takes over; the body comes later.
func newStored(r *http.Request, status int, h http.Header, c *control, asked, came time.Time) *stored {
	st := &stored{
		status: status, checked: came, born: came.Add(-initialAge(h, asked, came)),
		coding: strings.Join(h["Content-Encoding"], ", "), tag: h.Get("Etag"), since: h.Get("Last-Modified"),
		always: c.noCache, shared: c.forAuthorized(), common: c.common(),
		varies: varying(h["Vary"]),
	}
	st.values = make([]string, len(st.varies))
	for i, name := range st.varies {
		st.values[i] = selecting(r.Header, name)
	}
	st.fresh = st.born.Add(max(0, c.lifetime()))
	// By RFC 9111 section 5.2.2.10 s-maxage means proxy-revalidate, too; what RFC 5861 allows is said in so many words.
	st.stale = !c.mustRevalidate && !c.noCache && c.sMaxAge == unset
	st.anyhow, st.broken = st.fresh, st.fresh
	if !c.mustRevalidate && !c.noCache {
		st.anyhow, st.broken = st.fresh.Add(max(0, c.whileRevalidate)), st.fresh.Add(max(0, c.ifError))
	}
	if h.Get("Date") == "" {
		h["Date"] = []string{came.UTC().Format(http.TimeFormat)}
	}
	delete(h, "Age")
	st.targeted = h[targeted]
	delete(h, targeted)
	st.header = h
	st.encodes = compress.Worthwhile(status, h)
	return st
}

// complete gives the response its body.
func (st *stored) complete(body []byte) {
	delete(st.header, "Content-Length")
	if st.encodes = st.encodes && len(body) >= leastEncoded; st.encodes {
		compress.Varies(st.header)
	}
	st.plain = render(st.status, st.header, body)
}

// leastEncoded is the length of a body that came unannounced from which on it is encoded.
const leastEncoded = 512

// render makes the fields of a response once, for all the times that it is sent.
func render(status int, h http.Header, body []byte) *rendition {
	rd := &rendition{body: body, tag: h.Get("Etag")}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		values := slices.Clip(h[name])
		rd.fields = append(rd.fields, field{name, values})
		if !representation(name) && (name != "Last-Modified" || rd.tag == "") {
			rd.brief = append(rd.brief, field{name, values})
		}
	}
	if status != http.StatusNoContent {
		rd.fields = append(rd.fields, field{"Content-Length", []string{strconv.Itoa(len(body))}})
	}
	return rd
}

// representation reports whether a field is about a body, so that 304 does without.
func representation(name string) bool {
	return name == "Content-Type" || name == "Content-Encoding" || name == "Content-Length"
}

// freshened is the header of the response with what a 304 says anew, RFC 9111 section 3.2.
func (st *stored) freshened(update http.Header) http.Header {
	h := maps.Clone(st.header)
	delete(h, "Date")
	delete(h, "Vary") // it may have been extended
	if len(st.varies) > 0 {
		h["Vary"] = []string{strings.Join(st.varies, ", ")}
	}
	if len(st.targeted) > 0 {
		h[targeted] = st.targeted
	}
	for name, values := range update {
		if !representation(name) && name != "Content-Range" && name != "Vary" && name != "Etag" {
			h[name] = values
		}
	}
	return h
}

// renewed is the same body under a header that freshened returned.
func (st *stored) renewed(r *http.Request, h http.Header, c *control, asked, came time.Time) *stored {
	next := newStored(r, st.status, h, c, asked, came)
	next.values = st.values
	next.complete(st.plain.body)
	if !next.encodes {
		return next
	}
	for coding := range st.encoded {
		switch rd := st.encoded[coding].Load(); rd {
		case nil:
		case st.plain:
			next.encoded[coding].Store(next.plain)
		default:
			next.encoded[coding].Store(next.in(compress.Coding(coding), rd.body))
		}
	}
	return next
}

// in renders the response in a coding.
func (st *stored) in(c compress.Coding, body []byte) *rendition {
	h := maps.Clone(st.header)
	compress.Describe(h, c)
	return render(st.status, h, body)
}

// matches reports whether the response is one to r's request, RFC 9111 section 4.1, and one that its client can decode.
func (st *stored) matches(r *http.Request) bool {
	for i, name := range st.varies {
		if selecting(r.Header, name) != st.values[i] {
			return false
		}
	}
	if st.coding != "" && !compress.Takes(r.Header["Accept-Encoding"], st.coding) {
		return false
	}
	return st.shared || len(r.Header["Authorization"]) == 0
}

// weight is what it takes in memory, in bytes.
func (st *stored) weight() int {
	const each = 64 // of a field, for the strings' headers and the slices
	n := 1024 + len(st.plain.body)
	for name, values := range st.header {
		n += each + len(name)
		for _, v := range values {
			n += 16 + len(v)
		}
	}
	for i, name := range st.varies {
		n += each + len(name) + len(st.values[i])
	}
	for _, v := range st.targeted {
		n += 16 + len(v)
	}
	for i := range st.encoded {
		if rd := st.encoded[i].Load(); rd != nil && rd != st.plain {
			n += len(rd.body) + len(rd.fields)*each
		}
	}
	return n
}

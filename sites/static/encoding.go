package static

import (
	"errors"
	"io/fs"
	"iter"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// encoding is one that a release may have been compressed with beforehand.
type encoding struct {
	name   string // as in Accept-Encoding
	suffix string // of the sibling file
}

// encodings is a set, a bit for each of supported.
type encodings uint8

const kinds = 3 // of encodings

// supported lists the encodings, the better one first where a client takes several equally.
func supported() [kinds]encoding {
	return [...]encoding{{"br", ".br"}, {"zstd", ".zst"}, {"gzip", ".gz"}}
}

func isEncoded(name string) bool {
	for _, e := range supported() {
		if strings.HasSuffix(name, e.suffix) {
			return true
		}
	}
	return false
}

// Survey is what is found out about a release once, and outlives the handlers that serve it. The zero Survey knows
// nothing yet. It is safe for concurrent use.
type Survey struct {
	walking sync.Mutex
	found   atomic.Uint32 // encodings and surveyed; 0: not known yet
}

const surveyed = 1 << 31

// encodings says which siblings the release has at all. Most have none, and then no request looks for any; the
// others look for those kinds only. That keeps a few bytes a site, where a list of files would keep megabytes, and it
// is found out at the first request, not at start, when thousands of handlers are made.
func (h *Handler) encodings() encodings {
	if found := h.survey.found.Load(); found != 0 {
		return encodings(found)
	}
	h.survey.walking.Lock()
	defer h.survey.walking.Unlock()
	if found := h.survey.found.Load(); found != 0 {
		return encodings(found)
	}
	present, complete := h.look()
	if complete {
		h.survey.found.Store(surveyed | uint32(present))
	}
	return present
}

// look walks the release. It is incomplete when something kept it from looking that may be better the next time.
func (h *Handler) look() (present encodings, complete bool) {
	errEnough := errors.New("all kinds found")
	const all encodings = 1<<kinds - 1
	complete = true
	walk := func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			complete = complete && (isMissing(err) || errors.Is(err, fs.ErrPermission))
			return nil // what cannot be read has no siblings
		}
		if d.IsDir() {
			return nil
		}
		ext := path.Ext(name)
		for i, e := range supported() {
			if ext == e.suffix && present&(1<<i) == 0 && h.has(strings.TrimSuffix(name, ext)) {
				present |= 1 << i
			}
		}
		if present == all {
			return errEnough
		}
		return nil
	}
	_ = fs.WalkDir(h.root.FS(), ".", walk) // ends with errEnough or nil
	return present, complete
}

// preferred yields the encodings of the set that the client takes, best first, and none that it likes less than
// the plain file; RFC 9110 section 12.5.3.
func preferred(accept []string, set encodings) iter.Seq[encoding] {
	return func(yield func(encoding) bool) {
		known := supported()
		weights, plain := weigh(accept)
		for range kinds {
			best := -1
			for i, w := range weights {
				if set&(1<<i) != 0 && w > 0 && w >= plain && (best < 0 || w > weights[best]) {
					best = i
				}
			}
			if best < 0 || !yield(known[best]) {
				return
			}
			weights[best] = 0
		}
	}
}

// weigh reads Accept-Encoding: thousandths for each of supported, and for the plain file where it is named.
func weigh(accept []string) (weights [kinds]int, plain int) {
	const unnamed = -1
	others := 0
	for i := range weights {
		weights[i] = unnamed
	}
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			coding, params, _ := strings.Cut(item, ";")
			weight := quality(params)
			switch coding = strings.TrimSpace(coding); {
			case coding == "*":
				others = weight
			case strings.EqualFold(coding, "identity"):
				plain = weight
			case strings.EqualFold(coding, "x-gzip"):
				coding = "gzip"
				fallthrough
			default:
				for i, e := range supported() {
					if strings.EqualFold(coding, e.name) {
						weights[i] = weight
					}
				}
			}
		}
	}
	for i, w := range weights {
		if w == unnamed {
			weights[i] = others
		}
	}
	return weights, plain
}

// quality reads "q=0.5" as 500; nothing is 1000, and what makes no sense is 0.
func quality(params string) int {
	params = strings.TrimSpace(params)
	if params == "" {
		return 1000
	}
	if len(params) < 3 || params[0]|0x20 != 'q' || params[1] != '=' {
		return 0
	}
	q, err := strconv.ParseFloat(params[2:], 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return int(q * 1000)
}

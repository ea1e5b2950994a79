package compress

import "strings"

// Coding is a content coding, RFC 9110 section 8.4.1.
type Coding uint8

const (
	Identity Coding = iota
	Brotli
	Zstd
	Gzip

	Codings = 4 // how many there are
)

// Name is the coding as Content-Encoding has it.
func (c Coding) Name() string { return [Codings]string{"identity", "br", "zstd", "gzip"}[c] }

// named returns the coding of a name in any case, and false for one that is not known here.
func named(name string) (Coding, bool) {
	for c := Identity; c < Codings; c++ {
		if strings.EqualFold(name, c.Name()) {
			return c, true
		}
	}
	return Gzip, strings.EqualFold(name, "x-gzip")
}

// weights are what a client thinks of each coding, in thousandths; 0: it does not want it.
type weights [Codings]int

// weigh reads Accept-Encoding, RFC 9110 section 12.5.3. Identity has a weight only where it is named: a coding that the
// client wants as much is the better choice.
func weigh(accept []string) weights {
	const unnamed = -1
	w := weights{0, unnamed, unnamed, unnamed}
	others := 0
	for _, line := range accept {
		for len(line) > 0 {
			var item string
			item, line, _ = strings.Cut(line, ",")
			name, params, _ := strings.Cut(item, ";")
			name = strings.Trim(name, " \t")
			weight := quality(strings.Trim(params, " \t"))
			if name == "*" {
				others = weight
			} else if c, known := named(name); known {
				w[c] = weight
			}
		}
	}
	for c := Brotli; c < Codings; c++ {
		if w[c] == unnamed {
			w[c] = others
		}
	}
	return w
}

// quality reads "q=0.5" as 500. Nothing is 1000, and what makes no sense is 0.
func quality(params string) int {
	if params == "" {
		return 1000
	}
	if len(params) < 3 || len(params) > 7 || params[0]|0x20 != 'q' || params[1] != '=' {
		return 0
	}
	digits := params[2:]
	if digits[0] != '0' && digits[0] != '1' || len(digits) > 1 && digits[1] != '.' {
		return 0
	}
	q, unit := int(digits[0]-'0')*1000, 100
	for i := 2; i < len(digits); i++ {
		if digits[i] < '0' || digits[i] > '9' {
			return 0
		}
		q += int(digits[i]-'0') * unit
		unit /= 10
	}
	if q > 1000 {
		return 0
	}
	return q
}

func (w weights) choose(order [Codings - 1]Coding) Coding {
	best := Identity
	for _, c := range order {
		if w[c] > 0 && w[c] >= w[Identity] && (best == Identity || w[c] > w[best]) {
			best = c
		}
	}
	return best
}

// Smallest is the coding for a body that is encoded once and sent often: of those that the client likes most, the one
// that takes the fewest bytes.
func Smallest(accept []string) Coding {
	if len(accept) == 0 {
		return Identity
	}
	return weigh(accept).choose([...]Coding{Brotli, Zstd, Gzip})
}

// Fastest is the coding for a body that is encoded for this response alone.
func Fastest(accept []string) Coding {
	if len(accept) == 0 {
		return Identity
	}
	return weigh(accept).choose([...]Coding{Zstd, Gzip, Brotli})
}

// Class tells requests apart by the codings that they take, so that the many ways of writing Accept-Encoding are few keys.
func Class(accept []string) string {
	w := weigh(accept)
	class := [Codings - 1]byte{'-', '-', '-'}
	for i := range class {
		if w[i+1] > 0 {
			class[i] = Coding(i + 1).Name()[0]
		}
	}
	return string(class[:])
}

// Takes reports whether a client takes a body whose Content-Encoding is contentEncoding.
func Takes(accept []string, contentEncoding string) bool {
	c, known := named(contentEncoding)
	switch {
	case contentEncoding == "" || known && c == Identity:
		return true
	case known:
		return weigh(accept)[c] > 0
	}
	for _, line := range accept {
		for item := range strings.SplitSeq(line, ",") {
			name, params, _ := strings.Cut(item, ";")
			if strings.EqualFold(strings.TrimSpace(name), contentEncoding) && quality(strings.TrimSpace(params)) > 0 {
				return true
			}
		}
	}
	return false
}

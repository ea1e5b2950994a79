package http1

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"berth/proxy/http1/http1test"
)

// FuzzFraming compares with net/http: what both take for requests ends at the same bytes.
func FuzzFraming(f *testing.F) {
	for _, text := range http1test.Unusual {
		f.Add([]byte(text + text))
	}
	for _, test := range http1test.Unclear {
		if len(test.Text) < 1000 {
			f.Add([]byte(test.Text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		source := bytes.NewReader(data)
		r := bufio.NewReaderSize(source, 16)
		var ours framing
		for passed := 0; ; {
			req, err := http.ReadRequest(r)
			if err != nil {
				return
			}
			if _, err := io.Copy(io.Discard, req.Body); err != nil {
				return
			}
			end := len(data) - source.Len() - r.Buffered()
			if !ours.follow(data[passed:end]) || ours.at == lost {
				return
			}
			if passed = end; ours.at != requestLine || ours.line.n != 0 {
				t.Fatalf("%q: a request ends at %d, and we are in section %d", data, end, ours.at)
			}
		}
	})
}

// However the bytes come, they mean the same.
func TestFramingIsTheSameInPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	check := func(text string, want bool) {
		for range 20 {
			var f framing
			ok := true
			for rest := text; rest != "" && ok; {
				n := 1 + random.IntN(min(len(rest), 40))
				ok = f.follow([]byte(rest[:n]))
				rest = rest[n:]
			}
			if ok != want {
				t.Fatalf("%.200q: %v, want %v", text, ok, want)
			}
			if want && (f.at != requestLine || f.line.n != 0) {
				t.Fatalf("%.200q: ends in section %d, byte %d", text, f.at, f.line.n)
			}
		}
	}
	for _, text := range http1test.Unusual {
		check(text+text, true)
	}
	for _, test := range http1test.Unclear {
		var whole framing
		ok := whole.follow([]byte(test.Text))
		if !ok {
			check(test.Text, false)
		}
	}
}

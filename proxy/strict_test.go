package proxy

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// FuzzFraming compares with net/http: what both take for requests ends at the same bytes.
func FuzzFraming(f *testing.F) {
	for _, text := range unusual {
		f.Add([]byte(text + text))
	}
	for _, test := range unclear {
		if len(test.text) < 1000 {
			f.Add([]byte(test.text))
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

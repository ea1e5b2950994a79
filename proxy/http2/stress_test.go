package http2_test

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// Whatever clients do to one connection at a time, who goes on gets what he has asked for.
func TestManyAtOnce(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/echo":
			io.Copy(w, r.Body)
		case "/ignore":
			io.WriteString(w, "ignored")
		case "/wait":
			<-r.Context().Done()
		case "/abort":
			w.Write(make([]byte, 100_000))
			panic(http.ErrAbortHandler)
		}
	})
	client := s.client(t)
	client.Timeout = 0
	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * i >> 4)
	}
	var asking sync.WaitGroup
	for range 32 {
		asking.Go(func() {
			for range 25 {
				body := data[:rand.IntN(len(data))]
				switch rand.IntN(5) {
				case 0: // gives up
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(5))*time.Millisecond)
					ask(ctx, client, s.url("/wait"), body)
					ask(ctx, client, s.url("/echo"), body)
					cancel()
				case 1:
					ask(t.Context(), client, s.url("/abort"), nil)
				case 2:
					if got, err := ask(t.Context(), client, s.url("/ignore"), body); err != nil || string(got) != "ignored" {
						t.Errorf("got %q, %v", got, err)
					}
				default:
					if got, err := ask(t.Context(), client, s.url("/echo"), body); err != nil || !bytes.Equal(got, body) {
						t.Errorf("got %d bytes of %d, %v", len(got), len(body), err)
					}
				}
			}
		})
	}
	asking.Wait()
}

func ask(ctx context.Context, c *http.Client, url string, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

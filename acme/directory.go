package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	directorySize    = 1 << 20 // bytes of a CA's directory that are read at most
	directoryTimeout = 30 * time.Second
	directoryKeeps   = 12 * time.Hour // as acmez keeps it
)

// directory is what a CA says of itself (RFC 8555 section 7.1.1).
type directory struct {
	raw []byte
	at  time.Time

	NewOrder string `json:"newOrder"`
	Meta     struct {
		CAAIdentities []string `json:"caaIdentities"`
	} `json:"meta"`
}

// known is the CA's directory, which is asked for again from time to time.
func (c *client) known(ctx context.Context) (*directory, error) {
	if d := c.told.Load(); d != nil && time.Since(d.at) < directoryKeeps {
		return d, nil
	}
	d, err := c.fetchDirectory(ctx)
	if err != nil {
		return nil, fmt.Errorf("directory of %s: %w", c.directory, err)
	}
	c.told.Store(d)
	return d, nil
}

func (c *client) fetchDirectory(ctx context.Context) (*directory, error) {
	ctx, cancel := context.WithTimeout(ctx, directoryTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.directory, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", resp.StatusCode)
	}
	d := directory{at: time.Now()}
	if d.raw, err = io.ReadAll(io.LimitReader(resp.Body, directorySize)); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(d.raw, &d); err != nil {
		return nil, err
	}
	if d.NewOrder == "" {
		return nil, errors.New("it does not say where to order")
	}
	return &d, nil
}

// withDirectory answers acmez's question for a directory that is known: acmez has one lock for asking whatever CA, and one that is slow
// would keep us from the others.
type withDirectory struct {
	next      http.RoundTripper
	url       string
	directory *directory
}

func (w withDirectory) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet || r.URL.String() != w.url {
		return w.next.RoundTrip(r)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header:        http.Header{"Content-Type": {"application/json"}},
		ContentLength: int64(len(w.directory.raw)), Body: io.NopCloser(bytes.NewReader(w.directory.raw)),
	}, nil
}

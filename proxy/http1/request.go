package http1

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// refusal is a request that no handler sees.
type refusal int

func (r refusal) Error() string { return http.StatusText(int(r)) }

// check looks at what net/http's parser leaves to servers.
func check(r *http.Request) error {
	switch {
	case r.ProtoMajor != 1:
		return refusal(http.StatusHTTPVersionNotSupported)
	case !httpguts.ValidHostHeader(r.Host):
		return refusal(http.StatusBadRequest)
	}
	for name, values := range r.Header {
		if !httpguts.ValidHeaderFieldName(name) {
			return refusal(http.StatusBadRequest)
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return refusal(http.StatusBadRequest)
			}
		}
	}
	if expect := r.Header["Expect"]; len(expect) > 0 && expect[0] != "" && !expectsContinue(r) {
		return refusal(http.StatusExpectationFailed)
	}
	return nil
}

func expectsContinue(r *http.Request) bool {
	expect := r.Header["Expect"]
	return len(expect) > 0 && strings.EqualFold(expect[0], "100-continue")
}

// refuse answers what could not be read as a request. A client that has gone, or takes too long, gets no answer.
func (c *conn) refuse(err error) {
	status := http.StatusBadRequest
	var other refusal
	switch {
	case silent(err):
		return
	case errors.Is(err, errHeaderTooLarge):
		status = http.StatusRequestHeaderFieldsTooLarge
	case errors.As(err, &other):
		status = int(other)
	case c.source.framing.at == lost:
		status = http.StatusNotImplemented
	}
	text := fmt.Sprintf("%d %s", status, http.StatusText(status))
	_, err = fmt.Fprintf(c.Conn, "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%[1]s", text, len(text))
	if err == nil {
		c.linger()
	}
}

// silent reports whether nothing has come: the connection has ended, or its time is over.
func silent(err error) bool {
	var slow net.Error
	var broken *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &broken) || errors.As(err, &slow) && slow.Timeout()
}

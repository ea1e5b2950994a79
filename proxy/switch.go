package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

var errSwitch = errors.New("the instance switches to another protocol than the one asked for")

// switchProtocols joins the client's connection and the instance's until both directions have ended, or one has failed
// (RFC 9110 section 7.8).
func (up *upstream) switchProtocols(w http.ResponseWriter, r *http.Request, res *http.Response) error {
	instance := res.Body.(io.ReadWriteCloser) // package origin promises that
	defer instance.Close()
	upgrade := upgradeOf(res.Header)
	if asked := upgradeOf(r.Header); asked == "" || !strings.EqualFold(upgrade, asked) {
		return errSwitch
	}
	up.edge.inspect(up, res)
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	end := func() { _, _ = client.Close(), instance.Close() }
	defer end()
	defer context.AfterFunc(r.Context(), end)()
	dropHopByHop(res.Header)
	res.Header["Connection"], res.Header["Upgrade"] = []string{"Upgrade"}, []string{upgrade}
	if err := writeSwitch(buffered.Writer, w.Header(), res.Header); err != nil {
		return nil // the client has gone, and no other answer can be given
	}
	ends := make(chan error, 2)
	go func() { ends <- pour(instance, buffered.Reader) }()
	go func() { ends <- pour(client, instance) }()
	if <-ends != nil {
		end()
	}
	<-ends
	return nil
}

func writeSwitch(w *bufio.Writer, headers ...http.Header) error {
	_, _ = w.WriteString("HTTP/1.1 101 Switching Protocols\r\n") // the writer keeps its first error
	for _, h := range headers {
		_ = h.Write(w)
	}
	_, _ = w.WriteString("\r\n")
	return w.Flush()
}

// pour copies until the end of one direction, and tells the other side of it.
func pour(to io.Writer, from io.Reader) error {
	if _, err := io.Copy(to, from); err != nil {
		return err
	}
	return closeWrite(to)
}

package http2_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	xhttp2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"berth/proxy/http2"
)

// Whatever a client says, Serve ends with the connection, and nothing panics.
func FuzzServe(f *testing.F) {
	var said bytes.Buffer
	framer := xhttp2.NewFramer(&said, nil)
	framer.AllowIllegalWrites = true
	c := &raw{Framer: framer, t: f}
	c.enc = hpack.NewEncoder(&c.block)
	c.must(c.WriteSettings(xhttp2.Setting{ID: xhttp2.SettingInitialWindowSize, Val: 100}))
	c.must(c.open(1, false, c.to("POST", "/", "content-length", "4", "trailer", "x", "expect", "100-continue")))
	c.must(c.WriteDataPadded(1, false, []byte("body"), make([]byte, 3)))
	c.must(c.open(1, true, c.header("x", "y")))
	c.must(c.open(3, true, c.to("HEAD", "*")))
	c.must(c.WriteWindowUpdate(1, 1000))
	c.must(c.WriteWindowUpdate(0, 1))
	c.must(c.WriteHeaders(xhttp2.HeadersFrameParam{
		StreamID: 5, BlockFragment: c.to("CONNECT", ""), Priority: xhttp2.PriorityParam{StreamDep: 5},
	}))
	c.must(c.WriteContinuation(5, true, nil))
	c.must(c.WriteRSTStream(1, xhttp2.ErrCodeCancel))
	c.must(c.WritePing(false, [8]byte{}))
	c.must(c.WritePriority(7, xhttp2.PriorityParam{StreamDep: 7}))
	c.must(c.WriteGoAway(0, xhttp2.ErrCodeNo, nil))
	f.Add(said.Bytes())
	f.Fuzz(func(t *testing.T, said []byte) {
		var logged syncBuffer
		s := &http2.Server{Log: log.New(&logged, "", 0), MaxStreams: 4, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(w, r.Body)
			w.Header().Set(http.TrailerPrefix+"X", "y")
			if n > 0 {
				panic(http.ErrAbortHandler)
			}
			w.Write(make([]byte, 300))
		})}
		near, far := net.Pipe()
		go io.Copy(io.Discard, near)
		go func() {
			_, _ = io.WriteString(near, xhttp2.ClientPreface)
			_, _ = near.Write(said)
			near.Close()
		}()
		s.Serve(context.Background(), far, nil)
		s.Close()
		if text := logged.String(); text != "" {
			t.Error(text)
		}
	})
}

package compress

import (
	"io"
	"net/http"
	"strconv"
)

// Writer is a response that is encoded on its way, if that is worthwhile and the client takes it. Close must be called when
// the response is complete, and Abort when it will never be.
type Writer struct {
	http.ResponseWriter
	compressor *Compressor
	request    *http.Request
	coding     Coding
	encoder    encoder // nil: the body passes as it is
	began      bool
	held       int    // status of a header that waits for the body to show whether it is long enough; 0: none waits
	buffer     []byte // of the body, while a header waits
}

// Wrap returns the response to r that encodes.
func (z *Compressor) Wrap(w http.ResponseWriter, r *http.Request) Writer {
	return Writer{ResponseWriter: w, compressor: z, request: r}
}

// Unwrap is for http.ResponseController.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *Writer) WriteHeader(status int) {
	switch {
	case w.began:
	case status < http.StatusOK && status != http.StatusSwitchingProtocols:
		w.ResponseWriter.WriteHeader(status)
	default:
		w.began = true
		w.begin(status)
	}
}

func (w *Writer) begin(status int) {
	h := w.Header()
	if !Worthwhile(status, h) {
		w.ResponseWriter.WriteHeader(status)
		return
	}
	w.coding = Fastest(w.request.Header["Accept-Encoding"])
	announced := len(h["Content-Length"]) > 0
	switch {
	case w.coding == Identity, w.request.Method == http.MethodHead && !announced:
		w.settle(status, Identity)
	case announced || len(h["Trailer"]) > 0:
		w.settle(status, w.coding)
	default:
		w.held = status
	}
}

// settle sends the header.
func (w *Writer) settle(status int, c Coding) {
	h := w.Header()
	if c != Identity && w.request.Method != http.MethodHead {
		if w.encoder = w.compressor.take(c, w.ResponseWriter, endless(h)); w.encoder == nil {
			c = Identity
		}
	}
	w.held, w.coding = 0, c
	Describe(h, c)
	w.ResponseWriter.WriteHeader(status)
}

// release sends a header that waits and what there is of the body.
func (w *Writer) release(c Coding) error {
	w.settle(w.held, c)
	body := w.buffer
	w.buffer = nil
	if len(body) == 0 {
		return nil
	}
	_, err := w.write(body)
	return err
}

func (w *Writer) Write(p []byte) (int, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	if w.held == 0 {
		return w.write(p)
	}
	if len(w.buffer)+len(p) < least {
		w.buffer = append(w.buffer, p...)
		return len(p), nil
	}
	if err := w.release(w.coding); err != nil {
		return 0, err
	}
	return w.write(p)
}

func (w *Writer) write(p []byte) (int, error) {
	if w.encoder == nil {
		return w.ResponseWriter.Write(p)
	}
	return w.encoder.Write(p)
}

// ReadFrom is for io.Copy: a file goes to the connection as one, where nothing is to be encoded.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	if to, ok := w.ResponseWriter.(io.ReaderFrom); ok && w.encoder == nil && w.held == 0 {
		return to.ReadFrom(src)
	}
	return io.Copy(struct{ io.Writer }{w}, src)
}

// FlushError sends what was written so far, so that the client can decode all of it.
func (w *Writer) FlushError() error {
	if !w.began {
		w.WriteHeader(http.StatusOK)
	}
	if w.held != 0 {
		if err := w.release(w.coding); err != nil {
			return err
		}
	}
	if w.encoder != nil {
		if err := w.encoder.Flush(); err != nil {
			return err
		}
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Flush makes it an http.Flusher, which handlers may look for.
func (w *Writer) Flush() { _ = w.FlushError() }

// Close ends the encoded body. It does not close the connection.
func (w *Writer) Close() error {
	if w.held != 0 {
		w.Header()["Content-Length"] = []string{strconv.Itoa(len(w.buffer))}
		return w.release(Identity)
	}
	if w.encoder == nil {
		return nil
	}
	err := w.encoder.Close()
	w.Abort()
	return err
}

// Abort gives up what Close would end.
func (w *Writer) Abort() {
	if w.encoder != nil {
		w.compressor.give(w.coding, w.encoder)
		w.encoder = nil
	}
}

package panel

import (
	"archive/zip"
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"berth/sites"

	"github.com/PuerkitoBio/goquery"
)

// noise is endless bytes: a random block over and over.
type noise struct {
	block []byte
	at    int
}

func newNoise() *noise {
	block := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{1}).Read(block)
	return &noise{block: block}
}

func (n *noise) Read(b []byte) (int, error) {
	got := copy(b, n.block[n.at:])
	n.at = (n.at + got) % len(n.block)
	return got, nil
}

// bigForm streams a form with a zip of about size bytes.
func bigForm(size int64) (contentType string, body io.Reader) {
	r, w := io.Pipe()
	form := multipart.NewWriter(w)
	go func() {
		err := writeBigForm(form, size)
		w.CloseWithError(err)
	}()
	return form.FormDataContentType(), r
}

func writeBigForm(form *multipart.Writer, size int64) error {
	if err := form.WriteField("comment", "a field that comes first"); err != nil {
		return err
	}
	part, err := form.CreateFormFile("file", "big.zip")
	if err != nil {
		return err
	}
	sum := crc32.NewIEEE()
	if _, err := io.CopyN(sum, newNoise(), size); err != nil {
		return err
	}
	z := zip.NewWriter(part)
	f, err := z.CreateRaw(&zip.FileHeader{
		Name: "index.html", Method: zip.Store, CRC32: sum.Sum32(), CompressedSize64: uint64(size), UncompressedSize64: uint64(size),
	})
	if err != nil {
		return err
	}
	if _, err := io.CopyN(f, newNoise(), size); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return form.Close()
}

func TestUploadStreamsInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 200 MB")
	}
	w := newWorld(t)
	w.site("ann", "big")
	b := w.login("ann")
	runtime.GC()
	peak := watchHeap(t)
	contentType, body := bigForm(200 << 20)
	p := b.once(http.MethodPost, "/sites/big/releases", contentType, body)
	if p.status != 303 {
		t.Fatalf("upload answers %d %s", p.status, p.Find("main").Text())
	}
	if grown := peak(); grown > 40<<20 {
		t.Errorf("the heap grew by %d MiB during an upload of 200 MiB", grown>>20)
	}
	if st := w.await("ann", "big"); st.Release == nil || st.Release.Bytes != 200<<20 {
		t.Errorf("the release is %+v", st.Release)
	}
}

// watchHeap returns a function that stops watching and tells how far the heap grew.
func watchHeap(t *testing.T) func() uint64 {
	var base runtime.MemStats
	runtime.ReadMemStats(&base)
	var peak atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			peak.Store(max(peak.Load(), now.HeapAlloc))
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return peak.Load() - min(peak.Load(), base.HeapAlloc)
	}
}

func TestUploadOverTheLimit(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "big")
	w.panel.cfg.MaxUpload = 1 << 20
	token, b := w.token("ann"), w.login("ann")

	told := w.call(token, http.MethodPost, "/api/v1/sites/big/releases", zipType, strings.Repeat("x", 2<<20))
	told.problem(t, 413, "larger than 1 MB")
	if told.json["field"] != "file" {
		t.Errorf("the problem names field %v", told.json["field"])
	}

	// Of unknown length, so that only reading can tell.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/api/v1/sites/big/releases", io.LimitReader(newNoise(), 2<<20))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", zipType)
	w.do(w.client(false), r).problem(t, 413, "larger than 1 MB")

	b.open("/sites/big")
	b.submitFile("form[data-upload]", "big.zip", make([]byte, 2<<20))
	b.faults(413, "file", "larger than 1 MB")
	if left, err := w.Releases(t.Context(), w.actor("ann"), "big"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestAnUploadOverTheLimitIsHeardOut sends as browsers do over HTTP/1.1: all of it, before they look for an answer.
func TestAnUploadOverTheLimitIsHeardOut(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "big")
	w.panel.cfg.MaxUpload = 1 << 20
	cookie := w.login("ann").session()
	const size = 16 << 20 // more than the buffers between here and there hold
	for _, framing := range []string{fmt.Sprintf("Content-Length: %d", size), "Transfer-Encoding: chunked"} {
		conn, err := tls.Dial("tcp", w.server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /sites/big/releases HTTP/1.1\r\nHost: %s\r\nCookie: %s=%s\r\nContent-Type: application/zip\r\n%s\r\n\r\n",
			testZone, cookie.Name, cookie.Value, framing)
		body := io.LimitReader(newNoise(), size)
		if strings.HasPrefix(framing, "Transfer") {
			chunks := httputil.NewChunkedWriter(conn)
			_, err = io.Copy(chunks, body)
			err = errors.Join(err, chunks.Close())
			io.WriteString(conn, "\r\n")
		} else {
			_, err = io.Copy(conn, body)
		}
		if err != nil {
			t.Fatalf("%s: the connection ends before the upload does: %v", framing, err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", framing, err)
		}
		page, err := goquery.NewDocumentFromReader(res.Body)
		if fault := page.Find("#file-fault").Text(); err != nil || res.StatusCode != 413 || !strings.Contains(fault, "larger than 1 MB") || !strings.Contains(fault, "Make it smaller") {
			t.Errorf("%s: %d %q, %v", framing, res.StatusCode, fault, err)
		}
	}
}

// TestWhoAsksBeforeSendingIsAnswered has a client wait for a word to go on.
func TestWhoAsksBeforeSendingIsAnswered(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "big")
	w.panel.cfg.MaxUpload = 1 << 20
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.server.URL+"/api/v1/sites/big/releases", unread{t})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 2 << 20
	r.Header = http.Header{"Authorization": {"Bearer " + w.token("ann")}, "Content-Type": {zipType}, "Expect": {"100-continue"}}
	w.do(w.waitingClient(), r).problem(t, 413, "larger than 1 MB")
}

// waitingClient sends what it has been asked to ask about (Expect) only once it may.
func (w *world) waitingClient() *http.Client {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ExpectContinueTimeout: time.Hour}}
	w.t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestUploadThatBreaksOff(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "big")
	b := w.login("ann")
	p := b.send(http.MethodPost, "/sites/big/releases", "multipart/form-data; boundary=x",
		strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.zip\"\r\n\r\nPK"))
	if p.status != 422 {
		t.Errorf("answered %d", p.status)
	}
	b.faults(422, "file", "broke off")
}

func TestUploadWithoutAFile(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "big")
	b := w.login("ann")
	b.open("/sites/big")
	b.submitFile("form[data-upload]", "", nil)
	b.faults(422, "file", "Choose a zip")
}

// unread fails the test when somebody reads it.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestUploadToAnothersSiteIsNotRead(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "big")
	c := w.panel.echo.NewContext(httptestRequest(t, unread{t}), nil)
	c.SetParamNames("name")
	c.SetParamValues("big")
	if _, err := w.panel.receive(c, w.actor("bob"), "big"); explain(err).status != 404 {
		t.Errorf("receive: %v", err)
	}
}

func httptestRequest(t *testing.T, body io.Reader) *http.Request {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/sites/big/releases", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", zipType)
	return r
}

func TestUploadOverQuotaSaysSo(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	if _, err := w.UpdateAccount(t.Context(), sites.System, "ann", sites.AccountUpdate{Quota: sites.QuotaUpdate{Bytes: new(int64(5))}}); err != nil {
		t.Fatal(err)
	}
	b := w.login("ann")
	b.open("/sites/hello")
	b.submitFile("form[data-upload]", "a.zip", zipOf(t, "index.html"))
	b.faults(403, "file", "left")
}

// TestUploadShowsRemarks wants faulty lines told at once, on the release, and to programs.
func TestUploadShowsRemarks(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	b := w.login("ann")
	b.open("/sites/hello")
	p := b.submitFile("form[data-upload]", "a.zip", zipOf(t, "index.html", "_redirects"))
	if text := p.Find(".notices").Text(); !strings.Contains(text, "have no effect") {
		t.Errorf("after the upload: %q", text)
	}
	if text := p.Find(".line-remarks").Text(); !strings.Contains(text, "_redirects, line 7") || !strings.Contains(text, "The line is <odd>.") {
		t.Errorf("on the release: %q", text)
	}
	told := w.call(w.token("ann"), http.MethodGet, "/api/v1/sites/hello/releases/1", "", "")
	remarks, _ := told.json["remarks"].([]any)
	if len(remarks) != 1 || !maps.Equal(remarks[0].(map[string]any), map[string]any{"file": "_redirects", "line": 7.0, "sentence": "The line is <odd>."}) {
		t.Errorf("to programs: %s", told.body)
	}
}

// slowly hands out a body in pieces, one a tick.
type slowly struct {
	pieces [][]byte
	tick   *time.Ticker
}

func (s *slowly) Read(b []byte) (int, error) {
	if len(s.pieces) == 0 {
		return 0, io.EOF
	}
	<-s.tick.C
	n := copy(b, s.pieces[0])
	if s.pieces[0] = s.pieces[0][n:]; len(s.pieces[0]) == 0 {
		s.pieces = s.pieces[1:]
	}
	return n, nil
}

func TestSlowUploadsOutliveTheServersTimeouts(t *testing.T) {
	const timeout = 200 * time.Millisecond
	w := newWorld(t)
	w.site("ann", "slow")
	token := w.token("ann")
	for _, http2 := range []bool{false, true} {
		server := httptest.NewUnstartedServer(w.panel)
		server.EnableHTTP2 = http2
		server.Config.ReadTimeout, server.Config.WriteTimeout = timeout, timeout
		server.StartTLS()
		t.Cleanup(server.Close)
		tick := time.NewTicker(timeout / 4)
		defer tick.Stop()
		body := &slowly{tick: tick, pieces: slices.Collect(slices.Chunk(zipOf(t, "index.html"), 16))}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/api/v1/sites/slow/releases?wait=live", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", zipType)
		release := w.shelf.holdUp()
		started := time.AfterFunc(4*timeout, release) // well after the body has come
		a := w.do(server.Client(), r)
		started.Stop()
		release()
		if a.status != 201 || a.json["active"] != true {
			t.Errorf("HTTP/2 %v: %d %s", http2, a.status, a.body)
		}
	}
}

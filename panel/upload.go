package panel

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

const (
	uploadFrame = 64 << 10        // what a multipart body may take beside the zip
	uploadStall = 2 * time.Minute // how long an upload may stand still

	// unpackPatience is how long the answer to a form waits until the zip is unpacked: most are by then, and what is wrong with
	// one is told best beside the form.
	unpackPatience = 2 * time.Second
)

// upload takes a zip from a form. A refused one is told on the site's page, with the status that says so.
func (p *Panel) upload(c echo.Context, who visitor) error {
	name := siteParam(c)
	arrival, err := p.receive(c, who.actor, name)
	if err != nil {
		return p.renderUploadFault(c, who, name, err)
	}
	patience, end := context.WithTimeout(c.Request().Context(), p.unpackPatience)
	defer end()
	release, err := arrival.Wait(patience)
	if errors.Is(err, context.DeadlineExceeded) {
		if arrival.Keep(c.Request().Context()) == nil {
			return p.done(c, templates.SitePath(name), "The upload has arrived and is being unpacked. Below you see what becomes of it.")
		}
		release, err = arrival.Wait(c.Request().Context()) // what a crash would lose has not arrived
	}
	if err != nil {
		return p.renderUploadFault(c, who, name, err)
	}
	text := "Release " + strconv.Itoa(release.Number) + " is uploaded and goes live by itself."
	if release.Warning != "" {
		text += " " + release.Warning
	}
	if len(release.Remarks) > 0 {
		text += " Some lines of its rules have no effect; the release says which."
	}
	return p.done(c, templates.SitePath(name), text)
}

func (p *Panel) renderUploadFault(c echo.Context, who visitor, name string, cause error) error {
	fault := explain(cause)
	if fault.internal || fault.status == http.StatusNotFound {
		return cause
	}
	view, err := p.siteView(c.Request().Context(), who, name)
	if err != nil {
		return err
	}
	view.UploadFault = fault.sentence
	view.Shell = p.shell(c, view.Name, view.Section)
	return p.render(c, fault.status, templates.Site(view))
}

// receive streams the zip in the body, which is either the zip itself or a form with it in field file, to the service.
// Nothing is read of it for somebody who may not upload here.
func (p *Panel) receive(c echo.Context, actor sites.Actor, name string) (*sites.Arrival, error) {
	r := c.Request()
	if _, err := p.service.Site(r.Context(), actor, name); err != nil {
		return nil, err
	}
	bound := p.cfg.MaxUpload + uploadFrame
	patient := &patientReader{body: r.Body, response: c.Response()}
	liftDeadlines(c.Response())
	defer liftDeadlines(c.Response()) // also the one that the last read set
	if r.ContentLength > bound {
		return nil, p.tooLarge(r, patient)
	}
	r.Body = http.MaxBytesReader(c.Response(), patient, bound)
	archive, err := archiveIn(r)
	if err == nil {
		var arrival *sites.Arrival
		if arrival, err = p.service.Receive(r.Context(), actor, name, archive); err == nil {
			return arrival, nil
		}
	}
	if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) || errors.Is(err, sites.ErrTooLarge) {
		return nil, p.tooLarge(r, patient)
	}
	if patient.failed != nil || errors.Is(err, io.ErrUnexpectedEOF) {
		err = sites.Refuse(sites.ErrInvalid, "The upload broke off before its end. Try again.")
	}
	return nil, err
}

// maxHeard is how much is read of an upload that is too large.
const maxHeard = 1 << 30

// tooLarge refuses an upload. Over HTTP/1.1 it hears the rest of it out: browsers look for an answer when they have sent
// everything, and show an error of their own where the connection ends before. Who waits for a word to go on (100-continue)
// is not given one.
func (p *Panel) tooLarge(r *http.Request, rest io.Reader) error {
	if r.ProtoMajor == 1 && r.Header.Get("Expect") == "" && r.ContentLength <= maxHeard {
		_, _ = io.CopyN(io.Discard, rest, maxHeard) // a client that has gone needs no answer
	}
	return sites.RefuseField(sites.ErrTooLarge, "file", "%s", templates.UploadTooLarge(p.cfg.MaxUpload))
}

// archiveIn finds the zip in the body without reading it.
func archiveIn(r *http.Request) (io.Reader, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		kind = ""
	}
	switch kind {
	case "application/zip", "application/x-zip-compressed", "application/octet-stream":
		return r.Body, nil
	case "multipart/form-data":
		return fileField(r)
	}
	return nil, &outcome{
		status:   http.StatusUnsupportedMediaType,
		sentence: "Send the zip as application/zip, or in field file of a multipart/form-data form.",
	}
}

// fileField finds the zip in a form; a page is one that holds nothing else.
func fileField(r *http.Request) (io.Reader, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, sites.RefuseField(sites.ErrInvalid, "file", "The form could not be read.")
	}
	for {
		part, err := parts.NextPart()
		if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) {
			return nil, err
		}
		if err != nil {
			return nil, sites.RefuseField(sites.ErrInvalid, "file", "The form has no field file with a zip.")
		}
		if part.FormName() != "file" {
			continue
		}
		if part.FileName() == "" {
			return nil, sites.RefuseField(sites.ErrInvalid, "file", "Choose a zip to upload.")
		}
		if isPage(part.FileName()) {
			return newPageArchive(part)
		}
		return part, nil
	}
}

// patientReader lets an upload take as long as it needs, as long as it moves.
type patientReader struct {
	body     io.ReadCloser
	response http.ResponseWriter
	until    time.Time
	failed   error // why reading ended before the end
}

func (r *patientReader) Read(b []byte) (int, error) {
	if now := time.Now(); r.until.Sub(now) < uploadStall/2 {
		r.until = now.Add(uploadStall)
		// A connection that cannot have a deadline has none to push back.
		_ = http.NewResponseController(r.response).SetReadDeadline(r.until)
	}
	n, err := r.body.Read(b)
	if err != nil {
		liftDeadlines(r.response)
	}
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return n, err
}

func (r *patientReader) Close() error { return r.body.Close() }

// liftDeadlines keeps the server's timeouts from cutting off an answer that is long in coming, and its connection:
// net/http takes a read that times out while a handler runs for a client that has gone.
func liftDeadlines(w http.ResponseWriter) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // a connection that cannot have deadlines has none to lift
	_ = control.SetWriteDeadline(time.Time{})
}

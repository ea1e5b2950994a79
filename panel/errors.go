package panel

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"berth/panel/auth"
	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// failure is how an error is told to people.
type failure struct {
	status   int
	sentence string
	field    string // faulty input, where known
	internal bool   // the error's own text goes to the log
	extra    map[string]any
}

// outcome is an error that carries what to say in its place, with more for programs in extra.
type outcome struct {
	status   int
	sentence string
	extra    map[string]any
}

func (o *outcome) Error() string { return o.sentence }

// explain is the one mapping from errors to statuses and sentences.
func explain(err error) failure {
	var (
		said    *outcome
		tooMuch *http.MaxBytesError
		routing *echo.HTTPError
	)
	switch {
	case errors.As(err, &said):
		return failure{status: said.status, sentence: said.sentence, extra: said.extra}
	case errors.Is(err, errForeign):
		return failure{status: http.StatusForbidden, sentence: "The request came from another website and was not carried out."}
	case errors.Is(err, auth.ErrBusy):
		return failure{status: http.StatusServiceUnavailable, sentence: "Too many people are logging in right now. Try again in a moment."}
	case errors.As(err, &tooMuch):
		return failure{status: http.StatusRequestEntityTooLarge, sentence: "What was sent is too large."}
	}
	if f, ok := refused(err); ok {
		return f
	}
	if errors.As(err, &routing) && routing.Internal == nil {
		if sentence, ok := routingSentence(routing.Code); ok {
			return failure{status: routing.Code, sentence: sentence}
		}
	}
	return failure{
		status: http.StatusInternalServerError, internal: true,
		sentence: "Something went wrong on the server. It has been logged.",
	}
}

// refused explains the refusals of package sites.
func refused(err error) (failure, bool) {
	kinds := []struct {
		kind     error
		status   int
		sentence string // where the error has none of its own
	}{
		{sites.ErrNotFound, http.StatusNotFound, "There is nothing here."},
		{sites.ErrInvalid, http.StatusUnprocessableEntity, "The input is not valid."},
		{sites.ErrReserved, http.StatusUnprocessableEntity, "The name is reserved."},
		{sites.ErrTaken, http.StatusConflict, "The name is taken."},
		{sites.ErrForbidden, http.StatusForbidden, "Your account is not allowed to do this."},
		{sites.ErrQuota, http.StatusForbidden, "The account's quota does not allow this."},
		{sites.ErrConflict, http.StatusConflict, "This is not possible at the moment."},
		{sites.ErrTooLarge, http.StatusRequestEntityTooLarge, "The upload is too large."},
		{sites.ErrNoSpace, http.StatusInsufficientStorage, "The server's disk is full. Nothing was changed."},
		{sites.ErrUnavailable, http.StatusServiceUnavailable, "A part of the server does not answer. Try again in a moment."},
		{sites.ErrNotReady, http.StatusServiceUnavailable, "The server is starting or stopping. Try again in a moment."},
	}
	for _, k := range kinds {
		if !errors.Is(err, k.kind) {
			continue
		}
		f := failure{status: k.status, sentence: k.sentence}
		var refusal *sites.Refusal
		if errors.As(err, &refusal) {
			f.sentence, f.field = refusal.Sentence, refusal.Field
		}
		return f, true
	}
	return failure{}, false
}

func routingSentence(status int) (string, bool) {
	switch status {
	case http.StatusNotFound:
		return "There is nothing here.", true
	case http.StatusMethodNotAllowed:
		return "This address does not take that kind of request.", true
	case http.StatusUnsupportedMediaType:
		return "The request has the wrong content type.", true
	}
	return "", false
}

// fail answers a request that ended with an error: the only place that does, and that logs.
func (p *Panel) fail(err error, c echo.Context) {
	r := c.Request()
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		panic(http.ErrAbortHandler) // the client has gone, or the server stops: an answer without a word would look whole
	}
	f := explain(err)
	if f.internal {
		p.log.Error("request failed", "request", requestID(c), "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if c.Response().Committed {
		panic(http.ErrAbortHandler) // too late to say so; cut the response off rather than let it look whole
	}
	if f.status == http.StatusServiceUnavailable {
		c.Response().Header().Set("Retry-After", "5")
	}
	if isAPI(r.URL.Path) {
		err = writeProblem(c, f)
	} else {
		err = p.renderFailure(c, f)
	}
	if err != nil && r.Context().Err() == nil {
		p.log.Error("answering with an error failed", "request", requestID(c), "error", err)
	}
}

// writeProblem answers with a problem document, RFC 9457.
func writeProblem(c echo.Context, f failure) error {
	problem := map[string]any{
		"type":   "about:blank",
		"title":  http.StatusText(f.status),
		"status": f.status,
		"detail": f.sentence,
	}
	if f.field != "" {
		problem["field"] = f.field
	}
	if f.internal {
		problem["request_id"] = requestID(c)
	}
	for key, value := range f.extra {
		problem[key] = value
	}
	if f.status == http.StatusUnauthorized {
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="berth"`)
	}
	body, err := json.Marshal(problem)
	if err != nil {
		return err
	}
	return c.Blob(f.status, "application/problem+json", body)
}

func (p *Panel) renderFailure(c echo.Context, f failure) error {
	view := templates.ErrorView{Shell: p.shell(c, http.StatusText(f.status), templates.SectionNone), Code: f.status, Sentence: f.sentence}
	if f.internal {
		view.Sentence += " The number of this request is " + requestID(c) + "."
	}
	return p.render(c, f.status, templates.Error(view))
}

// sessionFailed answers a request whose session could not be read or written.
func (p *Panel) sessionFailed(w http.ResponseWriter, r *http.Request, err error) {
	c := p.echo.NewContext(r, w)
	c.Set(keyRequestID, w.Header().Get("X-Request-Id"))
	p.fail(err, c)
}

package panel

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"berth/panel/auth"
	"berth/sites"

	"github.com/labstack/echo/v4"
)

// apiHandler serves the holder of an API token.
type apiHandler func(c echo.Context, actor sites.Actor, account sites.Account) error

// errNoToken refuses a request to the API without a valid token.
var errNoToken = &outcome{
	status:   http.StatusUnauthorized,
	sentence: "Send an API token that is valid, as Authorization: Bearer TOKEN.",
}

// token lets holders of an API token in. Cookies count for nothing here, which is why no other origin can abuse them.
func (p *Panel) token(h apiHandler) echo.HandlerFunc {
	return func(c echo.Context) error {
		if isOperator(c) {
			return h(c, sites.Operator, sites.Account{Name: sites.Operator.Name, Role: sites.Operator.Role})
		}
		scheme, secret, _ := strings.Cut(c.Request().Header.Get("Authorization"), " ")
		secret = strings.TrimSpace(secret)
		if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, auth.TokenPrefix) {
			return errNoToken
		}
		account, err := p.service.AccountByToken(c.Request().Context(), auth.HashToken(secret), clientAddr(c.Request()).String())
		if errors.Is(err, sites.ErrNotFound) {
			return errNoToken
		}
		if err != nil {
			return err
		}
		return h(c, actorOf(account, c.Request()), account)
	}
}

// adminToken is token for admins.
func (p *Panel) adminToken(h apiHandler) echo.HandlerFunc {
	return p.token(func(c echo.Context, actor sites.Actor, account sites.Account) error {
		if !actor.Admin() {
			return sites.Refuse(sites.ErrForbidden, "Only an admin can do that.")
		}
		return h(c, actor, account)
	})
}

// maxJSON bounds the body of an API call; uploads have a bound of their own.
const maxJSON = 64 << 10

// readJSON reads the body into v and refuses what v has no field for, so that a typo does not pass as success.
func readJSON(c echo.Context, v any) error {
	r := c.Request()
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return &outcome{status: http.StatusUnsupportedMediaType, sentence: "Send the body as application/json."}
	}
	in := json.NewDecoder(http.MaxBytesReader(c.Response(), r.Body, maxJSON))
	in.DisallowUnknownFields()
	err := in.Decode(v)
	if err == nil {
		if _, err = in.Token(); err == io.EOF {
			return nil
		}
		if err == nil {
			err = errors.New("more than one value")
		}
	}
	return jsonRefusal(err)
}

// jsonRefusal says in a sentence what is wrong with a body.
func jsonRefusal(err error) error {
	var (
		kind    *json.UnmarshalTypeError
		syntax  *json.SyntaxError
		tooMuch *http.MaxBytesError
	)
	bad := func(format string, args ...any) error {
		return &outcome{status: http.StatusBadRequest, sentence: fmt.Sprintf(format, args...)}
	}
	switch {
	case errors.As(err, &tooMuch):
		return err
	case errors.As(err, &kind) && kind.Field != "":
		return sites.RefuseField(sites.ErrInvalid, kind.Field, "The field %s cannot be a %s.", kind.Field, kind.Value)
	case errors.As(err, &kind):
		return bad("The body must be a JSON object.")
	case errors.As(err, &syntax):
		return bad("The body is not valid JSON, at byte %d.", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return bad("The body ends before the JSON object does.")
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return sites.RefuseField(sites.ErrInvalid, strings.Trim(field, `"`), "There is no field %s.", field)
	}
	return bad("The body must be one JSON object and nothing else.")
}

// patience is how a caller waits for the outcome of what it asks for; without, it does not.
type patience struct {
	ctx context.Context // also ends with the account's rights and with the panel
	end func()
}

// patience reads whether the caller asks to wait. Waiting counts as a stream, and is refused before anything is done. The
// caller calls end.
func (p *Panel) patience(c echo.Context, actor sites.Actor) (*patience, error) {
	switch c.QueryParam("wait") {
	case "":
		return &patience{end: func() {}}, nil
	case "live":
		ctx, end, err := p.streams.open(c.Request().Context(), actor.ID, "")
		return &patience{ctx: ctx, end: end}, err
	}
	return nil, sites.RefuseField(sites.ErrInvalid, "wait", "The parameter wait can only be live.")
}

// waits reports whether the caller waits at all.
func (w *patience) waits() bool { return w.ctx != nil }

// await waits until nothing is under way at the site, the client leaves, or the wait has to end.
func (p *Panel) await(c echo.Context, w *patience, actor sites.Actor, name string) (sites.SiteStatus, error) {
	liftDeadlines(c.Response())
	status, err := p.service.Await(w.ctx, actor, name)
	switch {
	case err == nil || c.Request().Context().Err() != nil:
	case p.streams.closing.Err() != nil:
		err = sites.Refuse(sites.ErrNotReady, "The server is stopping. What was asked for goes on when it is back.")
	case w.ctx.Err() != nil:
		err = sites.Refuse(sites.ErrConflict, "The account was changed, which ends the wait. What was asked for goes on.")
	}
	return status, err
}

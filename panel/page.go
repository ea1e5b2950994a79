package panel

import (
	"bytes"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"berth/sites"
	"berth/templates"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"
)

// shell is the frame around a page. It takes the notice that the last action left.
func (p *Panel) shell(c echo.Context, title string, section templates.Section) templates.Shell {
	s := p.frame(c, title, section)
	if hasSession(c) && willBeSeen(c) {
		s.Notices = p.takeNotice(c)
	}
	return s
}

// willBeSeen reports whether a person will see the answer: not that to a HEAD, and not what a script gets instead of a part.
// What is shown once must wait for one that is seen.
func willBeSeen(c echo.Context) bool {
	return c.Request().Method != http.MethodHead && c.Get(keyPart) == nil
}

// frame is shell for parts of a page: the notice stays for the next page.
func (p *Panel) frame(c echo.Context, title string, section templates.Section) templates.Shell {
	s := templates.Shell{Title: title, Zone: p.cfg.Zone, Section: section, Now: time.Now()}
	if who, ok := visitorOf(c); ok {
		s.Account, s.Admin = who.account.Name, who.actor.Admin()
	}
	return s
}

// siteSection is the navigation entry that the pages of a site belong to: an admin finds somebody else's among all sites.
func siteSection(who visitor, site sites.SiteStatus) templates.Section {
	if site.Owner != who.account.ID {
		return templates.SectionAllSites
	}
	return templates.SectionSites
}

// keySession marks requests that the session middleware has seen.
const keySession = "session"

// keyPart marks requests of the panel's script.
const keyPart = "part"

func hasSession(c echo.Context) bool { return c.Get(keySession) != nil }

// render renders to memory first, so that a component that fails ends as an error page and not as half a page.
func (p *Panel) render(c echo.Context, status int, component templ.Component) error {
	var page bytes.Buffer
	if err := component.Render(c.Request().Context(), &page); err != nil {
		return err
	}
	return c.HTMLBlob(status, page.Bytes())
}

// notify leaves a notice for the next page of this browser.
func (p *Panel) notify(c echo.Context, kind templates.NoticeKind, text string) {
	p.sessions.SetNotice(c.Request().Context(), string(kind)+" "+text)
}

func (p *Panel) takeNotice(c echo.Context) []templates.Notice {
	kind, text, ok := strings.Cut(p.sessions.TakeNotice(c.Request().Context()), " ")
	if !ok {
		return nil
	}
	return []templates.Notice{{Kind: templates.NoticeKind(kind), Text: text}}
}

// done ends an action: a notice that says what happened, and the page to see it on.
func (p *Panel) done(c echo.Context, to, text string) error {
	p.notify(c, templates.NoticeSuccess, text)
	return c.Redirect(http.StatusSeeOther, to)
}

// declined ends an action that was refused for a reason the person can do something about: the reason as a notice on
// the page to. All other errors, and what does not exist, become error pages.
func (p *Panel) declined(c echo.Context, to string, err error) error {
	f := explain(err)
	if f.internal || f.status == http.StatusNotFound {
		return err
	}
	p.notify(c, templates.NoticeError, f.sentence)
	return c.Redirect(http.StatusSeeOther, to)
}

// faults returns what is wrong with the inputs of a form. Refusals that name none of the fields are shown at the
// first. What is no refusal of an input is returned as it is.
func faults(err error, fields ...string) (templates.Faults, error) {
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) || errors.Is(err, sites.ErrNotFound) {
		return nil, err
	}
	for _, field := range fields {
		if refusal.Field == field {
			return templates.Faults{field: refusal.Sentence}, nil
		}
	}
	return templates.Faults{fields[0]: refusal.Sentence}, nil
}

// maxForm bounds the body of a form; uploads have a bound of their own.
const maxForm = 64 << 10

// form reads the fields of a form from the body.
func form(c echo.Context) (func(string) string, error) {
	r := c.Request()
	r.Body = http.MaxBytesReader(c.Response(), r.Body, maxForm)
	err := r.ParseForm()
	if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) {
		return nil, err
	}
	if err != nil {
		return nil, sites.Refuse(sites.ErrInvalid, "The form could not be read.")
	}
	return r.PostForm.Get, nil
}

// readForm reads a form before its session is: who sends one slowly must not act by a session that was ended meanwhile, or bring it
// back by saving it.
func readForm(c echo.Context) error {
	kind, _, _ := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if kind != echo.MIMEApplicationForm {
		return nil // uploads are streamed
	}
	_, err := form(c)
	return err
}

// siteParam is the site named in the path; names are lower-case.
func siteParam(c echo.Context) string { return strings.ToLower(c.Param("name")) }

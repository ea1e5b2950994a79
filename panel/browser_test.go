package panel

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"berth/panel/auth"

	"github.com/PuerkitoBio/goquery"
)

// browser uses the panel as a person without JavaScript does: it opens pages and sends the forms that are on them.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
	header http.Header // sent along
	page   *page
}

// page is what the browser shows.
type page struct {
	*goquery.Document
	path   string
	status int
	header http.Header
	body   string
}

func (w *world) browser() *browser {
	return &browser{t: w.t, base: w.server.URL, client: w.client(true), header: http.Header{}}
}

// login is a browser that has logged in.
func (w *world) login(account string) *browser {
	w.t.Helper()
	b := w.browser()
	b.open("/login")
	b.submit("form[action='/login']", map[string]string{"account": account, "password": testPassword})
	if b.page.path != "/" || b.page.status != http.StatusOK {
		w.t.Fatalf("login of %s ends at %s with %d", account, b.page.path, b.page.status)
	}
	return b
}

func (b *browser) open(path string) *page {
	b.t.Helper()
	return b.send(http.MethodGet, path, "", nil)
}

// send sends a request and shows what comes back, after at most one redirect, which must be 303.
func (b *browser) send(method, path, contentType string, body io.Reader) *page {
	b.t.Helper()
	b.page = b.once(method, path, contentType, body)
	if to := b.page.header.Get("Location"); to != "" {
		if b.page.status != http.StatusSeeOther {
			b.t.Errorf("%s %s redirects with %d, want 303", method, path, b.page.status)
		}
		b.page = b.once(http.MethodGet, to, "", nil)
	}
	return b.page
}

// once sends one request and follows no redirect.
func (b *browser) once(method, path, contentType string, body io.Reader) *page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header = b.header.Clone()
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	res, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(content))
	if err != nil {
		b.t.Fatal(err)
	}
	return &page{Document: doc, path: path, status: res.StatusCode, header: res.Header, body: string(content)}
}

// submit fills the form on the page and sends it as a browser would. Every value must have an input.
func (b *browser) submit(selector string, values map[string]string) *page {
	b.t.Helper()
	form := b.form(selector)
	fields := formValues(form)
	for name, value := range values {
		if !fields.Has(name) {
			b.t.Fatalf("%s on %s has no input %q", selector, b.page.path, name)
		}
		fields.Set(name, value)
	}
	if form.AttrOr("method", "") != "post" {
		b.t.Fatalf("%s on %s is not sent by post", selector, b.page.path)
	}
	return b.send(http.MethodPost, form.AttrOr("action", ""), "application/x-www-form-urlencoded", strings.NewReader(fields.Encode()))
}

// submitFile sends a form that has a file input.
func (b *browser) submitFile(selector, name string, content []byte) *page {
	b.t.Helper()
	form := b.form(selector)
	input := form.Find("input[type=file]")
	if form.AttrOr("enctype", "") != "multipart/form-data" || input.Length() != 1 {
		b.t.Fatalf("%s on %s cannot send a file", selector, b.page.path)
	}
	var body bytes.Buffer
	parts := multipart.NewWriter(&body)
	file, err := parts.CreateFormFile(input.AttrOr("name", ""), name)
	if err != nil {
		b.t.Fatal(err)
	}
	file.Write(content)
	parts.Close()
	return b.send(http.MethodPost, form.AttrOr("action", ""), parts.FormDataContentType(), &body)
}

func (b *browser) form(selector string) *goquery.Selection {
	b.t.Helper()
	form := b.page.Find(selector)
	if form.Length() != 1 {
		b.t.Fatalf("%d forms %s on %s (%d)", form.Length(), selector, b.page.path, b.page.status)
	}
	return form
}

func formValues(form *goquery.Selection) url.Values {
	values := url.Values{}
	form.Find("textarea[name]").Each(func(_ int, in *goquery.Selection) { values.Set(in.AttrOr("name", ""), in.Text()) })
	form.Find("input[name]").Each(func(_ int, in *goquery.Selection) {
		if _, chosen := in.Attr("checked"); in.AttrOr("type", "") == "radio" && !chosen {
			return
		}
		if _, ticked := in.Attr("checked"); in.AttrOr("type", "") == "checkbox" && !ticked {
			values.Set(in.AttrOr("name", ""), "") // as good as left out, and can be set
			return
		}
		values.Set(in.AttrOr("name", ""), in.AttrOr("value", ""))
	})
	form.Find("select[name]").Each(func(_ int, in *goquery.Selection) {
		option := in.Find("option[selected]")
		if option.Length() == 0 {
			option = in.Find("option").First()
		}
		values.Set(in.AttrOr("name", ""), option.AttrOr("value", ""))
	})
	return values
}

// notice is what the page says has happened.
func (p *page) notice() string { return strings.TrimSpace(p.Find(".notice").First().Text()) }

// says checks status and notice.
func (b *browser) says(status int, notice string) {
	b.t.Helper()
	if b.page.status != status || !strings.Contains(b.page.notice(), notice) {
		b.t.Errorf("%s: %d %q, want %d and a notice with %q", b.page.path, b.page.status, b.page.notice(), status, notice)
	}
}

// faults checks status and the sentence beside an input.
func (b *browser) faults(status int, input, sentence string) {
	b.t.Helper()
	if got := b.page.Find("#" + input + "-fault").Text(); b.page.status != status || !strings.Contains(got, sentence) {
		b.t.Errorf("%s: %d with fault %q at %s, want %d and %q", b.page.path, b.page.status, got, input, status, sentence)
	}
}

// session is the browser's cookie.
func (b *browser) session() *http.Cookie {
	b.t.Helper()
	at, err := url.Parse(b.base)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, cookie := range b.client.Jar.Cookies(at) {
		if cookie.Name == auth.CookieName {
			return cookie
		}
	}
	b.t.Fatal("the browser has no session")
	return nil
}

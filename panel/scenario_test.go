package panel

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answer is what the API says.
type answer struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// call calls the API; an empty token sends none.
func (w *world) call(token, method, path, contentType, body string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return w.do(w.client(false), r)
}

func (w *world) do(c *http.Client, r *http.Request) answer {
	w.t.Helper()
	res, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: string(content)}
	if strings.Contains(res.Header.Get("Content-Type"), "json") && strings.HasPrefix(a.body, "{") {
		if err := json.Unmarshal(content, &a.json); err != nil {
			w.t.Errorf("%s %s: %v in %q", r.Method, r.URL.Path, err, content)
		}
	}
	return a
}

// problem checks that the answer is a problem document with the status, and a detail that contains the text.
func (a answer) problem(t *testing.T, status int, detail string) {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" || a.json["status"] != float64(status) ||
		a.json["title"] != http.StatusText(status) || a.json["type"] != "about:blank" {
		t.Errorf("%d %s %s, want a problem document with %d", a.status, a.header.Get("Content-Type"), a.body, status)
	}
	if text, _ := a.json["detail"].(string); !strings.Contains(text, detail) {
		t.Errorf("detail %q does not contain %q", text, detail)
	}
}

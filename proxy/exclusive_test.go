package proxy

import (
	"net/http"
	"testing"
)

func TestKeepPrivate(t *testing.T) {
	for _, tc := range []struct {
		said []string
		want string
	}{
		{nil, "private"},
		{[]string{"public, max-age=0, must-revalidate"}, "private, max-age=0, must-revalidate"},
		{[]string{"max-age=60", "PUBLIC,s-maxage=9"}, "private, max-age=60"},
		{[]string{"private"}, "private"},
		{[]string{`private="set-cookie, x", max-age=1`}, "private, max-age=1"},
		{[]string{`no-cache="a, public", public`}, `private, no-cache="a, public"`},
		{[]string{"no-store, public"}, "no-store, public"},
		{[]string{", ,"}, "private"},
		{[]string{`no-cache="a`}, `private, no-cache="a`},
	} {
		h := http.Header{"Cache-Control": tc.said, "Cdn-Cache-Control": {"max-age=9"}}
		keepPrivate(h)
		if got := h["Cache-Control"]; len(got) != 1 || got[0] != tc.want {
			t.Errorf("%q becomes %q, want %q", tc.said, got, tc.want)
		}
	}
}

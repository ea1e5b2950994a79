package templates

import (
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
)

// TestLinksToTheHelp follows the links of all pages to sections of the help, and those of the help within itself.
func TestLinksToTheHelp(t *testing.T) {
	help := parse(t, Help(HelpView{}))
	lead := map[string]bool{}
	for _, p := range pages() {
		parse(t, p.full).Find("a").Each(func(_ int, a *goquery.Selection) {
			href := a.AttrOr("href", "")
			anchor, ok := strings.CutPrefix(href, PathHelp+"#")
			if p.name == "help" && !ok {
				anchor, ok = strings.CutPrefix(href, "#")
			}
			if !ok {
				return
			}
			lead[p.name] = true
			if help.Find(`[id="`+anchor+`"]`).Length() != 1 {
				t.Errorf("%s links to %s, which the help does not have", p.name, href)
			}
		})
	}
	for _, name := range []string{"help", "sites-none", "site", "domains", "domains-none", "settings", "account"} {
		if !lead[name] {
			t.Errorf("%s does not link to the help", name)
		}
	}
}

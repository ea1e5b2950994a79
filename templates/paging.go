package templates

import (
	"net/url"
	"strconv"
)

// fewSites are seen at a glance and need no search.
const fewSites = 12

// searchable reports whether the list has a search box.
func (p Paging) searchable() bool { return p.All > fewSites || p.Query != "" }

// At is the address of a list's part at a page: path alone for the first page of all.
func (p Paging) At(path string, page int) string {
	query := url.Values{}
	if p.Query != "" {
		query.Set("q", p.Query)
	}
	if page > 1 {
		query.Set("page", strconv.Itoa(page))
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

// here is the address of the part that is shown.
func (p Paging) here(path string) string { return p.At(path, p.Page) }

func (p Paging) words() string {
	return "Page " + number(int64(p.Page)) + " of " + number(int64(p.Pages))
}

// foundWords says how many sites the list has.
func (p Paging) foundWords() string {
	if p.Query == "" {
		return plural(int64(p.All), "site") + " of all accounts"
	}
	return number(int64(p.Found)) + " of " + plural(int64(p.All), "site")
}

// Package templates owns the look of berth: the pages of the panel, the pages that visitors of a site see when
// the site itself cannot answer, the styles, the small script, and the sample site of `berth dev`. Every page is
// a templ component that takes one view struct; all formatting of times and sizes is done here.
//
// It must not know any other package of berth: views are plain strings, numbers and times. It decides nothing
// about rights; what a view carries is shown.
//
// Everything is safe for concurrent use: components only read their view, and the embedded files never change.
package templates

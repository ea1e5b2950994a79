package templates

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"sync"
)

//go:embed assets
var assetFiles embed.FS

// Sample is the site that `berth dev` uploads at its first start; its files are below the folder sample.
//
//go:embed sample
var Sample embed.FS

//go:embed visitor.css
var visitorStyle string

// PanelPolicy is the Content-Security-Policy under which the pages of the panel work.
func PanelPolicy() string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// VisitorPolicy is the Content-Security-Policy under which the visitor pages work: their one style and nothing else.
func VisitorPolicy() string {
	sum := sha256.Sum256([]byte(visitorStyle))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; " +
		"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
}

// Assets serves the panel's files below PathAssets. A request that names the version of AssetURL may be kept for
// ever; others are asked for again.
func Assets() http.Handler {
	root, err := fs.Sub(assetFiles, "assets")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	files := http.StripPrefix(PathAssets, http.FileServerFS(root))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, PathAssets)
		hash, known := assetHashes()[name]
		if !known {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == hash {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		w.Header().Set("ETag", `"`+hash+`"`)
		files.ServeHTTP(w, r)
	})
}

// AssetURL is the address of a file of the panel, such as berth.css, with its version.
func AssetURL(name string) string {
	return PathAssets + name + "?v=" + assetHashes()[name]
}

// assetHashes computes the version of every file once; the files are compiled in and never change.
var assetHashes = sync.OnceValue(func() map[string]string {
	hashes := map[string]string{}
	entries, err := assetFiles.ReadDir("assets")
	if err != nil {
		panic(err) // the folder is compiled in
	}
	for _, entry := range entries {
		data, err := assetFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		hashes[entry.Name()] = hex.EncodeToString(sum[:6])
	}
	return hashes
})

package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"path"
	"strings"
)

//go:embed assets pages
var files embed.FS

// assets are the files that pages refer to, by name, with the version that is
// in their address.
type assets map[string]asset

type asset struct {
	content []byte
	kind    string
	version string
}

func loadAssets() assets {
	all := assets{}
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err) // they are in the binary
	}
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	for _, entry := range entries {
		content, err := files.ReadFile("assets/" + entry.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(content)
		all[entry.Name()] = asset{content, kinds[path.Ext(entry.Name())], hex.EncodeToString(sum[:6])}
	}
	return all
}

// url is the address of an asset, which changes with its content.
func (a assets) url(name string) string { return "/assets/" + name + "?v=" + a[name].version }

// ServeHTTP answers an asset. They are the same for everybody, and may be kept.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found, known := a[strings.TrimPrefix(r.URL.Path, "/assets/")]
	if !known {
		http.Error(w, "there is nothing here", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", found.kind)
	if r.URL.Query().Get("v") == found.version {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = w.Write(found.content)
}

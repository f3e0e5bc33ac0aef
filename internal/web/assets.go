package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"path"
	"strings"
)

//go:embed assets/*.css assets/*.js assets/*.svg
var embedded embed.FS

// assets are the embedded files, each under a path that holds its content's
// hash, so that a browser may keep it for ever.
type assets struct {
	paths map[string]string // by name
	files map[string][]byte // by path
}

func loadAssets() (assets, error) {
	a := assets{paths: map[string]string{}, files: map[string][]byte{}}
	entries, err := embedded.ReadDir("assets")
	if err != nil {
		return a, fmt.Errorf("read assets: %w", err)
	}
	for _, e := range entries {
		data, err := embedded.ReadFile("assets/" + e.Name())
		if err != nil {
			return a, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(data)
		ext := path.Ext(e.Name())
		p := "/assets/" + strings.TrimSuffix(e.Name(), ext) + "-" + hex.EncodeToString(sum[:8]) + ext
		a.paths[e.Name()], a.files[p] = p, data
	}
	return a, nil
}

func (a assets) path(name string) string { return a.paths[name] }

// ServeHTTP sends one asset. Every other path below is not found, and is not kept.
func (a assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	data, known := a.files[r.URL.Path]
	if !known {
		http.Error(w, "no such asset", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.URL.Path)))
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(data) // the browser may be gone
}

package proxy

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// folder makes a folder of files whose content is their name.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func ownPages(t *testing.T, files ...string) *Pages {
	t.Helper()
	p, err := ReadPages(os.DirFS(folder(t, files...)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOwnPageSuitsTheClient(t *testing.T) {
	e := startEdge(t, nil)
	for _, c := range []struct {
		files                     string
		accept, languages, route  string
		contentType, language, is string
	}{
		{"503.html 5xx.html", "", "", "", "text/html", "", "503.html"},
		{"5xx.html 4xx.html 404.html", "*/*", "", "", "text/html", "", "5xx.html"},
		{"503.html 503.es.html 503.pt-br.html", "text/html", "es-MX,en;q=0.5", "", "text/html", "es", "503.es.html"},
		{"503.html 503.es.html 503.pt-br.html", "text/html", "pt-BR", "", "text/html", "pt-br", "503.pt-br.html"},
		{"503.html 503.es.html", "text/html", "fr", "es", "text/html", "", "503.html"},
		{"503.de.html 503.es.html", "text/html", "fr", "es", "text/html", "es", "503.es.html"},
		{"503.de.html 503.pt.html", "text/html", "", "es", "text/html", "de", "503.de.html"},
		{"5xx.es.html 503.html", "text/html", "es", "", "text/html", "", "503.html"},
		{"503.html", "application/json", "es", "", "application/json", "es", ""},
		{"503.html", "text/plain", "", "", "text/plain", "en", ""},
		{"404.html 4xx.html maintenance.html notes.txt", "", "", "", "text/html", "en", ""},
	} {
		e.service.Set(&Route{Policy: Policy{Public: true, Language: c.route, Pages: ownPages(t, strings.Fields(c.files)...)}})
		response, body := e.get(true, "https://"+appHost+"/", "Accept", c.accept, "Accept-Language", c.languages)
		h := response.Header
		if response.StatusCode != 503 || !strings.HasPrefix(h.Get("Content-Type"), c.contentType) || h.Get("Content-Language") != c.language {
			t.Errorf("%+v: %d %v", c, response.StatusCode, h)
		}
		if c.is != "" && body != c.is || c.is == "" && strings.HasSuffix(body, ".html") {
			t.Errorf("%+v: %s", c, body)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("Retry-After") == "" || h.Get("Vary") == "" {
			t.Errorf("%+v: %v", c, h)
		}
	}
}

func TestErrorsOfTheBackendKeepTheirPages(t *testing.T) {
	e := startEdge(t, startBackend(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "mine", http.StatusServiceUnavailable) }))
	e.under(func(p *Policy) { p.Pages = ownPages(t, "503.html", "5xx.html") })
	if response, body := e.get(false, "https://"+appHost+"/"); response.StatusCode != 503 || body != "mine\n" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

func TestMaintenanceHasAPageOfItsOwn(t *testing.T) {
	e := startEdge(t, nil)
	for files, want := range map[string]string{"503.html maintenance.html": "maintenance.html", "503.html": "we build"} {
		e.service.Set(&Route{
			Policy:      Policy{Public: true, Pages: ownPages(t, strings.Fields(files)...)},
			Maintenance: &Maintenance{Message: "we build"},
		})
		if response, body := e.get(false, "https://"+appHost+"/"); response.StatusCode != 503 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", files, response.StatusCode, body)
		}
	}
}

func TestFolderThatWouldNotShowItsPagesIsRefused(t *testing.T) {
	big := folder(t, "503.html")
	if err := os.Truncate(filepath.Join(big, "503.html"), MaxPageBytes+1); err != nil {
		t.Fatal(err)
	}
	pipe := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(pipe, "503.html"), 0o600); err != nil {
		t.Fatal(err)
	}
	dangling := t.TempDir()
	if err := os.Symlink("gone", filepath.Join(dangling, "503.html")); err != nil {
		t.Fatal(err)
	}
	for dir, says := range map[string]string{
		filepath.Join(big, "gone"):     "no such file",
		filepath.Join(big, "503.html"): "not a directory",
		big:                            "at most",
		pipe:                           "regular file",
		dangling:                       "no such file",
		folder(t, "50x.html"):          "not the name of a page",
		folder(t, "503.ES.html"):       "not the name of a page",
		folder(t, "302.html"):          "not the name of a page",
		folder(t, "index.html"):        "not the name of a page",
	} {
		if _, err := ReadPages(os.DirFS(dir)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", dir, err, says)
		}
	}
}

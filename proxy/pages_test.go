package proxy

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestErrorPageSuitsTheClient(t *testing.T) {
	for _, c := range []struct {
		accept, languages, language string
		contentType, says           string
	}{
		{"", "", "", "text/html", "Unknown address"},
		{"text/html,application/xhtml+xml,*/*;q=0.8", "es-MX,es;q=0.9,en;q=0.5", "en", "text/html", "Dirección desconocida"},
		{"application/json", "", "es", "application/json", "Dirección desconocida"},
		{"application/problem+json", "", "", "application/json", "Unknown address"},
		{"text/plain", "fr", "es", "text/plain", "Dirección desconocida"},
		{"text/plain;q=0.5, application/json;q=0.9", "en", "es", "application/json", "Unknown address"},
		{"*/*", "*", "es", "text/html", "Dirección desconocida"},
		{"image/png", "de, en;q=0.1", "es", "text/html", "Unknown address"},
		{"text/*", "es;q=0", "en", "text/html", "Unknown address"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Accept", c.accept)
		r.Header.Set("Accept-Language", c.languages)
		w := httptest.NewRecorder()
		writePage(w, r, http.StatusMisdirectedRequest, c.language)
		if got := w.Header().Get("Content-Type"); !strings.HasPrefix(got, c.contentType) {
			t.Errorf("%+v: content type %s", c, got)
		}
		if !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%+v: %s", c, w.Body)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%+v: the page may be cached", c)
		}
	}
}

func TestEveryStatusHasAPageInBothLanguages(t *testing.T) {
	for _, status := range []int{400, 403, 404, 405, 408, 413, 421, 429, 502, 503, 504} {
		en, es := text(status, "en"), text(status, "es")
		if en.Title == "" || en.Text == "" || en == es {
			t.Errorf("%d: %+v, %+v", status, en, es)
		}
		var decoded struct {
			Status        int
			Title, Detail string
		}
		if err := json.Unmarshal(render("application/json", status, "es", es), &decoded); err != nil || decoded.Status != status || decoded.Detail != es.Text {
			t.Errorf("%d: %+v, %v", status, decoded, err)
		}
	}
}

func TestUnavailablePageSaysWhenToTryAgain(t *testing.T) {
	w := httptest.NewRecorder()
	writePage(w, httptest.NewRequest(http.MethodHead, "/", nil), http.StatusServiceUnavailable, "en")
	if w.Header().Get("Retry-After") == "" || w.Body.Len() != 0 {
		t.Errorf("Retry-After %q, body of a HEAD %d bytes", w.Header().Get("Retry-After"), w.Body.Len())
	}
}

func TestPageIsInTheLanguageOfItsRoute(t *testing.T) {
	e := startEdge(t, nil)
	e.service.Set(&Route{Policy: Policy{Public: true, Language: "es"}})
	response, body := e.get(true, "https://"+appHost+"/")
	if response.StatusCode != 503 || !strings.Contains(body, `lang="es"`) || response.Header.Get("Content-Language") != "es" {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

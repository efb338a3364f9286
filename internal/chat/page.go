package chat

import (
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageText string

// page shows the chat in a browser.
func (c *chat) page(w http.ResponseWriter, _ *http.Request) {
	page, err := template.New("page").Parse(pageText)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "the page is broken")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	page.Execute(w, c.identity())
}

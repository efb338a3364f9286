package proxy

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxPageBytes is the most bytes an own error page may have.
	MaxPageBytes = 256 << 10

	maxOwnPages = 256
)

// ownPageName is the name of a file with a page: of a status, of a class of them, or
// of the maintenance, with or without a language.
var ownPageName = regexp.MustCompile(`^([45][0-9]{2}|[45]xx|maintenance)(?:\.([a-z]{2,3}(?:-[a-z0-9]{2,8})*))?\.html$`)

// Pages are the own pages of an app, which take the place of the edge's own
// where a client wants HTML. They are held in memory.
type Pages struct {
	byName map[string][]ownPage
}

// ownPage is one file; those of a name that say no language come first.
type ownPage struct {
	language string // empty: not said
	html     []byte
}

// ReadPages reads the pages in a folder: files such as 503.html, 5xx.html,
// maintenance.html, and for a language 503.es.html. A .html file with another
// name is an error, for it would never be shown; other files are left alone.
func ReadPages(folder fs.FS) (*Pages, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, fmt.Errorf("reading error pages: %w", err)
	}
	p := &Pages{byName: make(map[string][]ownPage)}
	count := 0
	for _, entry := range entries { // sorted, so that 503.html comes after 503.es.html
		file := entry.Name()
		if path.Ext(file) != ".html" {
			continue
		}
		name := ownPageName.FindStringSubmatch(file)
		if name == nil {
			return nil, fmt.Errorf("reading error pages: %s is not the name of a page: call it 503.html, 5xx.html, 503.es.html or maintenance.html", file)
		}
		if count++; count > maxOwnPages {
			return nil, fmt.Errorf("reading error pages: there are more than %d", maxOwnPages)
		}
		html, err := readPage(folder, file)
		if err != nil {
			return nil, fmt.Errorf("reading error pages: %w", err)
		}
		p.byName[name[1]] = append(p.byName[name[1]], ownPage{language: name[2], html: html})
	}
	for _, pages := range p.byName {
		slices.SortFunc(pages, func(a, b ownPage) int { return strings.Compare(a.language, b.language) })
	}
	return p, nil
}

// readPage reads a regular file of bounded size: a pipe could make it wait for
// ever.
func readPage(folder fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(folder, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > MaxPageBytes {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", file, MaxPageBytes)
	}
	return fs.ReadFile(folder, file)
}

// find returns the page of a name, or else of the status or its class, that
// suits the client best; nil when there is none. What the client prefers wins,
// then a page that says no language, then the language of the route.
func (p *Pages) find(r *http.Request, name string, status int, language string) *ownPage {
	if p == nil {
		return nil
	}
	pages := p.byName[name]
	if name == "" {
		pages = p.byName[strconv.Itoa(status)]
		if pages == nil {
			pages = p.byName[strconv.Itoa(status/100)+"xx"]
		}
	}
	if len(pages) == 0 {
		return nil
	}
	languages := make([]string, len(pages))
	for i := range pages {
		languages[i] = pages[i].language
	}
	otherwise := 0
	if languages[0] != "" {
		otherwise = max(0, slices.Index(languages, language))
	}
	preferred := negotiate(r.Header["Accept-Language"], languages, otherwise)
	return &pages[slices.Index(languages, preferred)]
}

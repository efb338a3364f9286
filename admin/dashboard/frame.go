package dashboard

import (
	"html/template"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// frame is what every page has around it.
type frame struct {
	Language string
	Title    string
	Version  string
	Actor    switcher.Actor // empty: nobody is signed in
	Scope    string
	Apps     []tab
	Live     string // where the newest content of the page is; empty: it does not change
	Every    int    // milliseconds between two looks at it
	Again    bool   // the page is to be asked for once more
	Lost     string // what is said when there is no answer any more
}

// tab leads to an app.
type tab struct {
	Name    string
	URL     string
	Here    bool
	Trouble bool
}

func (s *Server) frame(words words, title string) frame {
	return frame{Language: words.Code(), Title: title, Version: s.options.Version}
}

// frame is that of a page inside.
func (v *visit) frame(title, app string) frame {
	f := v.server.frame(v.words, title)
	f.Actor, f.Scope = v.who.actor, v.words.t("scope."+v.who.scope.String())
	f.Lost = v.words.t("lost")
	if v.door == nil { // a restart of the edge ends the session and moves the listener
		f.Lost += " " + v.words.t("lost.link")
	}
	for _, a := range v.server.options.Apps() {
		st := a.Status()
		f.Apps = append(f.Apps, tab{a.Name(), appURL(a.Name()), a.Name() == app, st.Alert != "" || st.Error != ""})
	}
	return f
}

// parsePages parses the templates once for each language.
func parsePages(a assets) map[string]*template.Template {
	pages := map[string]*template.Template{}
	for _, language := range []string{"en", "es"} {
		words := catalogue(language)
		pages[language] = template.Must(template.New("").Funcs(template.FuncMap{
			"t": words.t, "n": words.n, "asset": a.url, "rfc": rfc, "clock": clock, "day": day,
			"scope": func(s admin.Scope) string { return words.t("scope." + s.String()) },
		}).ParseFS(files, "pages/*.html"))
	}
	return pages
}

func rfc(t time.Time) string   { return t.UTC().Format(time.RFC3339) }
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
func day(t time.Time) string   { return t.Local().Format("2006-01-02") }

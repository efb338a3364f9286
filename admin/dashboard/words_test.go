package dashboard

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func TestBothLanguagesSayEverything(t *testing.T) {
	en, es := english(), spanish()
	verbs := regexp.MustCompile(`%[a-z]`)
	for key, text := range en {
		other, known := es[key]
		if !known || other == "" || text == "" {
			t.Errorf("%s is missing or empty in one language", key)
		}
		if got, want := strings.Join(verbs.FindAllString(other, -1), ""), strings.Join(verbs.FindAllString(text, -1), ""); got != want {
			t.Errorf("%s takes %q in Spanish and %q in English", key, got, want)
		}
	}
	for key := range es {
		if _, known := en[key]; !known {
			t.Errorf("%s is Spanish only", key)
		}
	}
}

// Every key that is asked for is there: those that stand in the sources and in
// the pages, and those that are put together from the switcher's words.
func TestNoTextIsMissing(t *testing.T) {
	known := english()
	wants := func(where, key string) {
		if _, ok := known[key]; !ok {
			t.Errorf("%s asks for %q", where, key)
		}
	}
	for name, call := range keysInSources(t) {
		for _, key := range call {
			wants(name, key)
		}
	}
	pages, err := filepath.Glob("pages/*.html")
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages")
	}
	inPage := regexp.MustCompile(`{{t "([^"]+)"`)
	for _, page := range pages {
		text, err := files.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range inPage.FindAllSubmatch(text, -1) {
			wants(page, string(found[1]))
		}
	}
	for _, c := range switcher.Colours() {
		wants("a colour", "colour."+string(c))
	}
	for _, s := range []switcher.SlotState{switcher.Empty, switcher.Starting, switcher.Testing, switcher.Active, switcher.Previous, switcher.Failed} {
		wants("a state", "state."+string(s))
		wants("a state", "explain."+string(s))
	}
	for _, state := range []string{"good", "busy", "bad"} {
		wants("what fits", "fit."+state)
	}
	for _, k := range switcher.Kinds() {
		wants("a kind", "kind."+string(k))
		if k.Phase() != "" {
			wants("a phase", "phase."+string(k.Phase()))
		}
	}
	for _, p := range []switcher.Phase{switcher.PhaseEmpty, switcher.PhaseSteady, switcher.PhaseTesting, switcher.PhaseBaking} {
		wants("a phase", "phase."+string(p))
	}
	for _, k := range offered() {
		wants("an action", "do."+string(k))
		wants("an action", "does."+string(k))
		wants("an action", "plan."+string(k))
	}
	for _, s := range []admin.Scope{admin.ScopeRead, admin.ScopeDeploy, admin.ScopeOperate, admin.ScopeAdmin} {
		wants("a scope", "scope."+s.String())
	}
	for _, o := range []switcher.Outcome{switcher.Good, switcher.Bad, switcher.Undecided} {
		wants("a verdict", "verdict."+string(o))
		wants("a verdict", "outcome."+string(o))
	}
	for _, h := range []switcher.HealthStatus{switcher.Healthy, switcher.Unhealthy, switcher.Unknown} {
		wants("a health", "health."+string(h)+".word")
	}
}

// keysInSources finds the whole keys that are passed to t, n, fact and fail.
func keysInSources(t *testing.T) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(file) {
			call, ok := node.(*ast.CallExpr)
			if !ok {
				continue
			}
			called := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				called = f.Name
			case *ast.SelectorExpr:
				called = f.Sel.Name
			}
			for _, argument := range call.Args {
				literal, ok := argument.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					continue
				}
				key, _ := strconv.Unquote(literal.Value)
				switch called {
				case "t", "fact":
					found[name] = append(found[name], key)
				case "n":
					found[name] = append(found[name], key+".one", key+".other")
				case "fail":
					found[name] = append(found[name], key, key+".title", key+".hint")
				}
			}
		}
	}
	return found
}

func TestThingsAreCountedAsTheLanguageDoes(t *testing.T) {
	en, es := catalogue("en"), catalogue("es")
	for got, want := range map[string]string{
		en.n("inflight", 1): "1 request in flight", es.n("inflight", 2): "2 peticiones en curso", es.n("inflight", 23456): "23\u202f456 peticiones en curso",
	} {
		if got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	}
}

func TestLanguageIsTheBrowsersOrTheConfigured(t *testing.T) {
	s := start(t, func(o *Options) { o.Language = "es" })
	v := s.enter(t, "maria@host", admin.ScopeRead)
	for accepted, want := range map[string]string{
		"": "es", "de-DE,de;q=0.9": "es", "en-GB,en;q=0.8": "en", "de,en;q=0.3,es-MX;q=0.7": "es", "en;q=0": "es",
	} {
		answer, text := v.get("/apps/chat", "Accept-Language", accepted)
		if got := answer.Header.Get("Content-Language"); got != want || !strings.Contains(text, `<html lang="`+want+`"`) {
			t.Errorf("%q is answered in %s, want %s", accepted, got, want)
		}
	}
}

// A life of releases is told in Spanish, from its first step to its history.
func TestWhatTheSwitcherSaysIsToldInSpanish(t *testing.T) {
	s := start(t)
	v := s.enter(t, "maria@host", admin.ScopeOperate)
	s.Deploy(t, "one")
	s.Deploy(t, "two")
	for _, kind := range []switcher.Kind{switcher.KindSwitch, switcher.KindRollback, switcher.KindDiscard} {
		v.do(s, kind)
	}
	s.Deploy(t, "three")
	v.do(s, switcher.KindSwitch)
	v.do(s, switcher.KindConfirm)
	v.do(s, switcher.KindCleanup)
	markup := regexp.MustCompile(`<[^>]*>`)
	for _, r := range s.App.History() {
		_, text := v.get("/apps/chat?operation="+r.ID, "Accept-Language", "es")
		for _, english := range []string{" is ", " now ", " the ", " with ", "leads", "answers", " back ", "healthy", "has ended"} {
			for line := range strings.Lines(html.UnescapeString(markup.ReplaceAllString(text, ""))) {
				if strings.Contains(line, english) {
					t.Errorf("%s is told in English: %s", r.Kind, line)
				}
			}
		}
	}
}

package language_test

import (
	"regexp"
	"testing"
	"time"

	"sofiacall.com/bluegreen/internal/apptest"
	"sofiacall.com/bluegreen/language"
	"sofiacall.com/bluegreen/switcher"
	"sofiacall.com/bluegreen/verdict"
)

// english are words that no Spanish sentence has.
var english = regexp.MustCompile(`\b(the|is|are|was|were|its|it|of|in|on|with|has|have|now|and|not|failed|than|healthy|until|leads?|drain(s|ed)|requests?|probes?|again|blue|green)\b`)

// instance is the name of one, which holds its colour.
var instance = regexp.MustCompile(`chat-(blue|green)-\S+`)

// inSpanish checks that a sentence is told in Spanish, all of it.
func inSpanish(t *testing.T, text string) {
	t.Helper()
	if text == "" {
		return
	}
	said := language.Of("es").Say(text)
	if word := english.FindString(instance.ReplaceAllString(said, "")); said == text || word != "" {
		t.Errorf("%q is told as %q", text, said)
	}
	if got := language.Of("en").Say(text); got != text {
		t.Errorf("%q is told as %q in English", text, got)
	}
}

// A life of releases is told in Spanish, from its first step to its history.
func TestWhatTheSwitcherSaysIsToldInSpanish(t *testing.T) {
	b := apptest.Start(t, "chat")
	told := func(op *switcher.Operation, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		_ = op.Wait(t.Context())
		for e := range op.Events(t.Context()) {
			switch {
			case e.Result != nil && e.Result.OK:
				inSpanish(t, e.Result.Text)
			case e.Result == nil && e.Progress == nil:
				inSpanish(t, e.Text)
			}
		}
		st := b.App.Status()
		inSpanish(t, st.Rollback.Reason)
		inSpanish(t, st.Alert)
	}
	const maria = "maria@host"
	deploy := func(commit string) { told(b.App.Deploy(maria, switcher.DeployRequest{Commit: commit})) }
	move := func() { told(b.App.Switch(maria, switcher.SwitchRequest{})) }
	inSpanish(t, b.App.Status().Rollback.Reason)
	deploy("one")
	deploy("two")
	move()
	told(b.App.Rollback(maria, switcher.RollbackRequest{}))
	told(b.App.Discard(maria))
	deploy("three")
	plan, err := b.App.Plan(t.Context(), switcher.SwitchRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range plan.Gates {
		inSpanish(t, g.Text)
	}
	move()
	told(b.App.Confirm(maria))
	told(b.App.Cleanup(maria))
	told(b.App.Recover(maria))
	deploy("four")
	move()
	b.SetSick("four", true) // rolls back by itself
	apptest.Eventually(t, "production is back", func() bool {
		st := b.App.Status()
		return st.Operation == nil && st.Phase == switcher.PhaseSteady
	})
	deploy("five")
	move()
	b.SetSick("three", true)
	b.SetSick("five", true) // and nothing is left that answers
	apptest.Eventually(t, "somebody must look", func() bool { return b.App.Status().Alert != "" })
	inSpanish(t, b.App.Status().Alert)
	inSpanish(t, b.App.Status().Rollback.Reason)
	for _, r := range b.App.History() {
		inSpanish(t, r.Result)
		if r.Actor == switcher.Self {
			inSpanish(t, r.Reason)
		}
	}
}

func TestWhatAVerdictSaysIsToldInSpanish(t *testing.T) {
	traffic := func(requests, errors int64, took time.Duration) verdict.Traffic {
		return verdict.Traffic{Requests: requests, Errors: errors, Duration: verdict.Histogram{{Lower: took / 2, Upper: took, Count: requests}}}
	}
	rules := verdict.Rules{MinRequests: 100, ErrorRate: 0.01, P99: time.Second, Restarts: 3, ErrorRateRelative: 0.005, LatencyRelative: 0.5}
	said := map[string]bool{}
	for _, before := range []verdict.Traffic{{}, traffic(50000, 50, 40*time.Millisecond)} {
		for _, now := range []struct {
			each, errors int64
			took         time.Duration
		}{{1, 0, 30 * time.Millisecond}, {300, 0, 30 * time.Millisecond}, {300, 2, 1500 * time.Millisecond}, {300, 60, 3 * time.Second}, {3000, 0, 30 * time.Millisecond}} {
			w := verdict.Begin(rules, verdict.Baseline{Traffic: before}, 10*time.Minute)
			for i := range int64(20) {
				n := i * now.each
				v := w.Look(verdict.Sample{
					At: time.Duration(i) * 20 * time.Second, Traffic: traffic(n, i*now.errors, now.took), Healthy: i%2 == 0, Restarts: int(i % 4),
				})
				for _, f := range v.Findings {
					said[f.Text] = true
				}
			}
		}
	}
	if len(said) < 50 {
		t.Errorf("only %d sentences", len(said))
	}
	for text := range said {
		inSpanish(t, text)
	}
}

func TestSomebodysOwnWordsAreLeftAsTheyAre(t *testing.T) {
	es := language.Of("es")
	for text, want := range map[string]string{
		"": "", "too slow for maría": "too slow for maría",
		"production is back on blue with r1 (a): too slow; really":                                        "producción vuelve a estar en azul con r1 (a): too slow; really",
		"r2 (b) became unhealthy in the bake: /health answered 500":                                       "r2 (b) dejó de estar sana en observación: /health respondió 500",
		"it exited with code 137; it has died 3 times in 2m0s":                                            "terminó con el código 137; se ha caído 3 veces en 2 min",
		"60 of 60 requests (100 %) failed or were given up, against 0 % of 5,000 on the previous release": "fallaron o se abandonaron 60 de 60 peticiones (100 %), frente al 0 % de 5000 en la versión anterior",
		"the figures speak against r2 (b): 63 of 1,213 requests (5.2 %) failed, 1.0 % are too many":       "las cifras hablan en contra de r2 (b): fallaron 63 de 1213 peticiones (5,2 %); el 1,0 % es demasiado",
	} {
		if got := es.Say(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}

package notify

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/specialized/generic"

	"sofiacall.com/bluegreen/switcher"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is not as it was; see what has changed with -update\n%s", name, got)
	}
}

func verdict(outcome switcher.Outcome) *switcher.Verdict {
	return &switcher.Verdict{Outcome: outcome, Findings: []switcher.Finding{
		{Rule: "health", Outcome: switcher.Good, Text: "its probes succeed", Measured: 1},
		{Rule: "restarts", Outcome: switcher.Good, Text: "restarted once, 3 is too often", Measured: 1, Limit: 2},
		{Rule: "error_rate", Outcome: outcome, Text: "63 of 1,213 requests (5.2 %) failed, 1.0 % are too many", Measured: 0.052, Limit: 0.01, Samples: 1213},
		{Rule: "error_rate_relative", Outcome: outcome, Text: "63 of 1,213 requests (5.2 %) failed, against 0.10 % of 48,210 on the previous release", Measured: 0.052, Limit: 0.001, Samples: 1213, Against: 48210},
		{Rule: "p99", Outcome: switcher.Good, Text: "2 of 1,213 requests (0.16 %) took longer than 1 s, 1 % may", Measured: 0.21, Limit: 1, Samples: 1213},
		{Rule: "latency_relative", Outcome: switcher.Undecided, Text: "the previous release was not asked enough to compare with"},
	}}
}

// everyMessage has each kind at each stage, and what differs within a kind.
func everyMessage() []*message {
	lasting := []switcher.Notice{
		{Kind: switcher.NoticeUnhealthy, App: "chat", Colour: switcher.Green, Release: candidate(), Cause: "/health answered 503"},
		{Kind: switcher.NoticeDied, App: "chat", Colour: switcher.Blue, Release: candidate(), Cause: "the kernel killed it for lack of memory (exit code 137); it has died 3 times in 2m10s", Output: []string{"one", "two", "three", "four", "five", "\tlast \x1b[31mwords\x1b[0m "}},
		{Kind: switcher.NoticeCertificate, App: "chat", Subject: "chat.example.com", Cause: "it expires on 2026-12-01 and could not be renewed: rate limited"},
		{Kind: switcher.NoticeDisk, Subject: "/var/lib/bluegreen", Cause: "93 % of 40 GB are used, 2.8 GB are free"},
		{Kind: switcher.NoticeLogs, App: "chat", Colour: switcher.Green, Subject: "/var/log/chat/green.log", Cause: "no space left on device"},
		{Kind: switcher.NoticeErrorRate, App: "chat", Colour: switcher.Green, Release: candidate(), Cause: "7.1 % of 2310 requests failed in 5 minutes, the limit is 5 %"},
		{Kind: switcher.NoticeStuck, App: "chat", Cause: "neither release answers as it should: production is on green, nothing was stopped"},
	}
	events := []switcher.Notice{
		{Kind: switcher.NoticeReady, Actor: "ci", Subject: "https://next.example.com"},
		{Kind: switcher.NoticeDeployFailed, Actor: "ci", Cause: "chat-green-r4-opqeyk was not healthy within 2m0s: connection refused"},
		{Kind: switcher.NoticeSwitched, Actor: "maria", Previous: &switcher.Release{ID: "20261120-1", Commit: "77aa001"}},
		{Kind: switcher.NoticeRolledBack, Actor: switcher.Self, Cause: "the figures speak against 20261124-3 (9bad000): 63 of 1,213 requests (5.2 %) failed, 1.0 % are too many", Verdict: verdict(switcher.Bad), Previous: &switcher.Release{ID: "20261124-3", Commit: "9bad000"}},
		{Kind: switcher.NoticeVerdict, Actor: switcher.Self, Verdict: verdict(switcher.Good)},
		{Kind: switcher.NoticeVerdict, Actor: switcher.Self, Verdict: verdict(switcher.Undecided)},
		{Kind: switcher.NoticeVerdict, Actor: switcher.Self, Verdict: verdict(switcher.Bad), Cause: "the previous release does not answer, so production stays"},
	}
	var all []*message
	for _, notice := range lasting {
		notice.Time = moment0
		all = append(all, &message{Notice: notice, Stage: Began, Since: moment0})
		notice.Time = moment0.Add(4 * time.Hour)
		all = append(all, &message{Notice: notice, Stage: Lasts, Since: moment0})
		notice.Time, notice.Over, notice.Cause = moment0.Add(12*time.Minute), true, "nothing is to run in this slot now"
		all = append(all, &message{Notice: notice, Stage: Ended, Since: moment0})
	}
	returned := lasting[0]
	returned.Time = moment0
	all = append(all, &message{Notice: returned, Stage: Began, Since: moment0, Returns: 1})
	returned.Time, returned.Over = moment0.Add(50*time.Hour), true
	all = append(all, &message{Notice: returned, Stage: Ended, Since: moment0, Blinks: 3, Returns: 1})
	for _, notice := range events {
		notice.Time, notice.App, notice.Colour, notice.Release = moment0, "chat", switcher.Green, candidate()
		all = append(all, &message{Notice: notice, Stage: Event})
	}
	trial := &message{Notice: switcher.Notice{Kind: "test", Time: moment0, App: "chat"}, Stage: Trial}
	lossy := *all[0]
	lossy.Lost = 12
	all = append(all, trial, &lossy)
	for i, m := range all {
		m.ID = fmt.Sprint("message-", i)
	}
	return all
}

func speaker(t *testing.T) *Notifier {
	n := New(Options{Dir: t.TempDir()})
	n.server, n.zone = "web-1", time.UTC
	return n
}

func TestEveryMessageInBothLanguages(t *testing.T) {
	for _, language := range []string{"en", "es"} {
		var all strings.Builder
		for _, m := range everyMessage() {
			fmt.Fprintf(&all, "%s\n\n", speaker(t).wording(m, language).plain(style{}))
		}
		golden(t, language+".txt", all.String())
	}
}

// A kind without words of its own would be told by its key.
func TestNoKindIsWithoutWords(t *testing.T) {
	for _, m := range everyMessage() {
		for _, language := range []string{"en", "es"} {
			said := speaker(t).wording(m, language)
			if m.Stage != Trial && strings.Contains(said.title, string(m.Notice.Kind)) && strings.Contains(string(m.Notice.Kind), "_") {
				t.Errorf("%s: %s", language, said.title)
			}
			if (m.Stage == Began || m.Stage == Event || m.Stage == Lasts) && m.Notice.Kind != switcher.NoticeVerdict && len(said.commands()) == 0 {
				t.Errorf("%s says no command: %s", language, said.title)
			}
		}
	}
}

func TestDocumentOfAWebhook(t *testing.T) {
	var all strings.Builder
	for _, m := range everyMessage() {
		if m.Notice.Kind != switcher.NoticeRolledBack && m.Notice.Kind != switcher.NoticeDisk {
			continue
		}
		c, _ := generic.DefaultConfig()
		n := speaker(t)
		document, err := json.MarshalIndent(n.document(m, n.wording(m, "en"), c, map[string]string{"team": "chat"}), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s\n", document)
	}
	golden(t, "documents.json", all.String())
}

func TestLongAndStrangeValuesAreShownSafely(t *testing.T) {
	m := &message{Stage: Event, Notice: switcher.Notice{
		Kind: switcher.NoticeRolledBack, App: "chat", Time: moment0, Colour: switcher.Green, Actor: "x\r\nBcc: all@example.com",
		Release: &switcher.Release{Commit: "8f2c1ab\x1b[31m\n", ID: strings.Repeat("id", 500)},
		Cause:   strings.Repeat("<b>*_`ñ`_*</b>\n", 1000), Verdict: verdict(switcher.Bad),
	}}
	said := speaker(t).wording(m, "es")
	if strings.ContainsAny(said.title, "\r\n\x1b") {
		t.Errorf("the title is %q", said.title)
	}
	for scheme := range styles {
		s := styleOf(scheme)
		text := said.plain(s)
		limit := s.limit
		if limit == 0 {
			limit = defaultLimit
		}
		if len(text) > limit {
			t.Errorf("%s: %d bytes, the limit is %d", scheme, len(text), limit)
		}
		if strings.ContainsAny(text, "\r\x1b") || strings.Contains(text, "\nBcc") {
			t.Errorf("%s: it is not safe to show: %q", scheme, text)
		}
		if !strings.Contains(text, "…") {
			t.Errorf("%s: what was cut is not marked", scheme)
		}
	}
	if text := said.plain(styleOf("telegram")); strings.Count(text, "<b>") != 1 || !strings.Contains(text, "&lt;b&gt;") {
		t.Errorf("Telegram would take what is quoted for HTML: %s", text)
	}
	if text := said.plain(styleOf("discord")); !strings.Contains(text, "\\*\\_\\`ñ") {
		t.Errorf("Discord would take what is quoted for Markdown: %s", text)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 400 * time.Millisecond: "0 s", 59 * time.Second: "59 s", time.Minute: "1 min", 61 * time.Second: "1 min 1 s",
		time.Hour: "1 h", 90 * time.Minute: "1 h 30 min", 25 * time.Hour: "1 d 1 h", 24*time.Hour - 1: "1 d",
	} {
		if got := span(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

func TestSpanishFiguresOfEachRule(t *testing.T) {
	for _, c := range []struct {
		finding switcher.Finding
		want    string
	}{
		{switcher.Finding{Rule: "health"}, "no responde a todas las comprobaciones"},
		{switcher.Finding{Rule: "latency_relative", Samples: 12, Against: 900}, "12 peticiones hasta ahora, pocas para comparar"},
		{switcher.Finding{Rule: "latency_relative", Samples: 1200, Against: 90000, Measured: 1.5, Limit: 0.0123},
			"p90 de 1,5 s en las últimas 1.200 peticiones, frente a 12,3 ms en 90.000 de la versión anterior"},
		{switcher.Finding{Rule: "error_rate_relative"}, "la versión anterior no tuvo peticiones suficientes para comparar"},
		{switcher.Finding{Rule: "new_rule", Measured: 1234567, Limit: 0.5, Samples: 3}, "medido 1.234.567, límite 0,5, 3 peticiones"},
	} {
		if got := spanishFinding(c.finding); got != c.want {
			t.Errorf("%s: %q, want %q", c.finding.Rule, got, c.want)
		}
	}
}

// What people, programs and the system say is never in the table; what the edge
// says itself is told in the team's language.
func TestCausesAreToldInSpanish(t *testing.T) {
	for cause, want := range map[string]string{
		"r2 (8f2c1ab) became unhealthy in the bake: /health answered 500":                                                 "r2 (8f2c1ab) dejó de estar sana mientras estaba bajo observación: /health respondió 500",
		"it exited with code 137; it has died 3 times in 2m0s":                                                            "terminó con el código 137; se ha caído 3 veces en 2m0s",
		"it died, nobody knows with which exit code; it has died 2 times in 5s":                                           "se cayó, no se sabe con qué código; se ha caído 2 veces en 5s",
		"chat-green-r4 was not healthy within 2m0s: no answer within 5s":                                                  "chat-green-r4 no llegó a estar sano en 2m0s: sin respuesta en 5s",
		"the bake of r2 (8f2c1ab) has ended as good":                                                                      "la observación de r2 (8f2c1ab) ha terminado bien",
		"the bake of r2 (b) has ended as good, because maria@host says so; the figures were undecided: 3 requests so far": "la observación de r2 (b) ha terminado bien, porque lo dice maria@host",
		"the bake of r2 (b) has ended undecided, for want of data: 3 requests so far":                                     "la observación de r2 (b) ha terminado sin datos suficientes",
		"the figures speak against r2 (b): 9 of 10 requests failed":                                                       "las cifras hablan en contra de r2 (b)",
		"r2 (b) is unhealthy on green and cannot be rolled back: no previous release is warm":                             "r2 (b) no está sana en green y no se puede revertir: no hay ninguna versión anterior caliente",
		"production did not answer on green after the switch: connection reset":                                           "producción no respondió en green después del switch: conexión cortada",
		"too slow for maría": "too slow for maría",
		"":                   "",
	} {
		if got := spanishCause(cause); got != want {
			t.Errorf("%q is %q, want %q", cause, got, want)
		}
	}
}

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
		{Kind: switcher.NoticeCertificate, App: "chat", Subject: "chat.example.com", Cause: "it expires on 2026-12-01, in 6 d, and was not renewed: rate limited"},
		{Kind: switcher.NoticeDisk, Subject: "/var/lib/bluegreen", Cause: "93 % of it is used, 2.8 GB are free"},
		{Kind: switcher.NoticeLogs, App: "chat", Colour: switcher.Green, Subject: "/var/log/chat/green.log", Cause: "no space left on device"},
		{Kind: switcher.NoticeErrorRate, App: "chat", Colour: switcher.Green, Release: candidate(), Cause: "164 of 2310 requests (7.1 %) have failed in 5 minutes, the limit is 5 %"},
		{Kind: switcher.NoticeStuck, App: "chat", Cause: "neither release answers as it should: production is on green, nothing was stopped"},
		{Kind: switcher.NoticeDatabase, App: "chat", Cause: "no answer within 2s"},
		{Kind: switcher.NoticeSchema, App: "chat", Cause: "the schema was changed by hand: the column public.users.note is new"},
		{Kind: switcher.NoticeSchema, App: "chat", Colour: switcher.Blue, Release: candidate(), Cause: "production can no longer go back: 20261124-2 (8f2c1ab) cannot live with the schema any more: public.users.email is gone (--allow column_dropped:public.users.email@5f1c)"},
		{Kind: switcher.NoticeBackup, App: "chat", Cause: "the newest backup is 40 hours old"},
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
	events = append(events, switcher.Notice{Kind: switcher.NoticeVerdict, Actor: "maria", Verdict: verdict(switcher.Bad), Cause: "the bake of 20261124-2 has ended as good, because maria says so"})
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
	access := lasting[4]
	access.Time, access.Subject = moment0, "/var/log/chat/access-green.log"
	all = append(all, &message{Notice: access, Stage: Began, Since: moment0, Returns: 1})
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
		s := styles[scheme]
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
	if text := said.plain(styles["telegram"]); strings.Count(text, "<b>") != 1 || !strings.Contains(text, "&lt;b&gt;") {
		t.Errorf("Telegram would take what is quoted for HTML: %s", text)
	}
	if text := said.plain(styles["discord"]); !strings.Contains(text, "\\*\\_\\`ñ") {
		t.Errorf("Discord would take what is quoted for Markdown: %s", text)
	}
}

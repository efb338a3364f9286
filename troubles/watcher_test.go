package troubles

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// world is what a watcher looks at, and what it has told.
type world struct {
	*Watcher
	certificates []Certificate
	folders      []string
	apps         []App
	served       map[string][2]int64 // requests and errors, by release
	told         []string            // kind, app, colour, subject, and the cause or "over"
}

func newWorld() *world {
	w := &world{served: map[string][2]int64{}}
	w.Watcher = New(Options{
		Tell:         w.hear,
		Certificates: func() []Certificate { return w.certificates },
		Folders:      func() ([]string, float64) { return w.folders, 90 },
		Apps:         func() []App { return w.apps },
		Figures: func(_ string, _ switcher.Colour, release string, _, _ time.Time) (int64, int64) {
			return w.served[release][0], w.served[release][1]
		},
	})
	return w
}

func (w *world) hear(n switcher.Notice) {
	said := strings.Join(strings.Fields(fmt.Sprint(n.Kind, " ", n.App, " ", n.Colour, " ", n.Subject)), " ")
	if n.Over {
		said += " over"
	} else {
		said += ": " + n.Cause
	}
	w.told = append(w.told, said)
}

// at looks at a moment and returns what was told.
func (w *world) at(now time.Time) string {
	w.told = nil
	w.look(now)
	return strings.Join(w.told, "; ")
}

func TestACertificateThatNearsItsEndOrIsNotRenewedIsTold(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	good := Certificate{Host: "chat.example.com", App: "chat", NotAfter: now.Add(60 * 24 * time.Hour)}
	failing, expiring, expired, none := good, good, good, good
	failing.Error = "rate limited"
	expiring.Expiring, expiring.NotAfter, expiring.Error = true, now.Add(100*time.Hour), "rate limited"
	expired.Expiring, expired.NotAfter = true, now.Add(-time.Hour)
	none.Expiring, none.NotAfter = true, time.Time{}
	w := newWorld()
	for _, step := range []struct {
		after time.Duration
		found Certificate
		want  string
	}{
		{0, good, "certificate chat chat.example.com over"},
		{time.Minute, failing, ""},
		{9 * time.Minute, failing, ""},
		{12 * time.Minute, failing, "certificate chat chat.example.com: it expires on 2027-01-23, in 59 d, and was not renewed: rate limited"},
		{13 * time.Minute, good, "certificate chat chat.example.com over"},
		{14 * time.Minute, failing, ""},
		{15 * time.Minute, expiring, "certificate chat chat.example.com: it expires on 2026-11-28, in 4 d, and was not renewed: rate limited"},
		{16 * time.Minute, expired, "certificate chat chat.example.com: it expired on 2026-11-24"},
		{17 * time.Minute, none, "certificate chat chat.example.com: there is no certificate yet"},
	} {
		w.certificates = []Certificate{step.found}
		if got := w.at(now.Add(step.after)); got != step.want {
			t.Errorf("after %v it told %q, want %q", step.after, got, step.want)
		}
	}
}

func TestProductionThatFailsTooOftenIsToldUntilHalfOfThatFails(t *testing.T) {
	w := newWorld()
	on := func(active switcher.Colour, release string, limit float64) App {
		slots := map[switcher.Colour]switcher.SlotStatus{active: {Release: &switcher.Release{ID: release}}}
		return App{Status: switcher.Status{App: "chat", Active: active, Slots: slots}, Limit: limit}
	}
	blue, green := on(switcher.Blue, "r1", 5), on(switcher.Green, "r2", 5)
	const over = "error_rate chat blue over; error_rate chat green over"
	for _, step := range []struct {
		what             string
		app              App
		requests, errors int64
		want             string
	}{
		{"too few requests, but nothing fails in the other slot", blue, 50, 50, "error_rate chat green over"},
		{"10 per cent", blue, 500, 50, "error_rate chat blue: 50 of 500 requests (10 %) have failed in 5 minutes, the limit is 5 %; error_rate chat green over"},
		{"between half of the limit and the limit", blue, 1200, 50, "error_rate chat blue: 50 of 1200 requests (4.2 %) have failed in 5 minutes, the limit is 5 %; error_rate chat green over"},
		{"half of the limit", blue, 2000, 50, over},
		{"again", blue, 2000, 101, "error_rate chat blue: 101 of 2000 requests (5 %) have failed in 5 minutes, the limit is 5 %; error_rate chat green over"},
		{"after a switch to a release that is well", green, 200, 0, over},
		{"bad", green, 100, 100, "error_rate chat blue over; error_rate chat green: 100 of 100 requests (100 %) have failed in 5 minutes, the limit is 5 %"},
		{"turned off", on(switcher.Green, "r2", 0), 100, 100, over},
		{"nothing is active", App{Status: switcher.Status{App: "chat"}, Limit: 5}, 0, 0, ""},
	} {
		w.apps = []App{step.app}
		if r := step.app.Status.Slots[step.app.Status.Active].Release; r != nil {
			w.served[r.ID] = [2]int64{step.requests, step.errors}
		}
		if got := w.at(time.Now()); got != step.want {
			t.Errorf("%s: it told %q, want %q", step.what, got, step.want)
		}
	}
}

func TestADiskThatDoesNotAnswerDoesNotKeepTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, answer := newWorld(), make(chan struct{})
		w.folders = []string{"/hangs"}
		w.disk = func(string) (Disk, error) { <-answer; return Disk{}, nil }
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		synctest.Wait()
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		close(answer)
	})
}

func TestTheWatcherLooksAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.certificates = []Certificate{{Host: "chat.example.com", NotAfter: time.Now(), Expiring: true}}
		ctx, stop := context.WithTimeout(t.Context(), 3*every+time.Second)
		defer stop()
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(w.told) != 4 {
			t.Errorf("in %v it looked %d times, want 4", 3*every, len(w.told))
		}
	})
}

package notify

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// expect says what the team must have heard since the last time.
func (f *fake) expect(t *testing.T, when, want string) {
	t.Helper()
	synctest.Wait()
	if got := f.heard(); got != want {
		t.Errorf("%s: heard %q, want %q", when, got, want)
	}
}

func rehearsal(t *testing.T, s Settings, play func(*testing.T, *Notifier, *fake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{}
		n := New(Options{Dir: t.TempDir(), Settings: s})
		n.send = f.send
		stop := start(t, n)
		play(t, n, f)
		stop()
	})
}

const someURL = "generic+http://one.example/hook"

func TestATroubleIsToldOnceAgainWhileItLastsAndOnceWhenItIsOver(t *testing.T) {
	s := Settings{Apps: map[string]App{"chat": {Services: []string{someURL}, Repeat: 2 * time.Hour}}}
	rehearsal(t, s, func(t *testing.T, n *Notifier, f *fake) {
		n.Tell(unhealthy(false))
		f.expect(t, "at first", "unhealthy began")
		for range 50 {
			n.Tell(unhealthy(false))
		}
		f.expect(t, "told by everybody again", "")
		time.Sleep(2*time.Hour + time.Minute)
		f.expect(t, "after the time to repeat", "unhealthy lasts")
		time.Sleep(2 * time.Hour)
		f.expect(t, "and once more", "unhealthy lasts")
		n.Tell(unhealthy(true))
		f.expect(t, "when it is over", "unhealthy ended")
		n.Tell(unhealthy(true))
		time.Sleep(24 * time.Hour)
		f.expect(t, "afterwards", "")
		n.Tell(unhealthy(false))
		f.expect(t, "the next day", "unhealthy began")
	})
}

func TestARecoveryOfWhatNobodyHeardOfIsNoNews(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		n.Tell(unhealthy(true))
		f.expect(t, "of no trouble", "")
	})
}

func TestTroublesThatDifferInTheirSubjectAreTwo(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		disk := switcher.Notice{Kind: switcher.NoticeDisk, Subject: "/var/log", Time: time.Now()}
		n.Tell(disk)
		disk.Subject = "/var/lib/bluegreen"
		n.Tell(disk)
		f.expect(t, "both", "disk began, disk began")
		disk.Over = true
		n.Tell(disk)
		f.expect(t, "one of them", "disk ended")
	})
}

func TestAnEventIsToldEachTime(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		n.Tell(event(switcher.NoticeSwitched))
		n.Tell(event(switcher.NoticeRolledBack))
		n.Tell(event(switcher.NoticeSwitched))
		f.expect(t, "all", "switched event, rolled_back event, switched event")
	})
}

func TestAnEventOfAnOperationThatARestartResumesIsToldOnce(t *testing.T) {
	dir, hook := t.TempDir(), newWebhook(t)
	resumed := event(switcher.NoticeSwitched)
	resumed.Operation = "op-1"
	for range 2 {
		n := New(Options{Dir: dir, Settings: settingsFor(hook.url)})
		stop := start(t, n)
		n.Tell(resumed)
		n.Tell(resumed)
		eventually(t, "it is told", func() bool { return len(hook.documents()) > 0 && n.Status("chat").Services[0].Waiting == 0 })
		stop()
	}
	if told := len(hook.documents()); told != 1 {
		t.Errorf("it was told %d times", told)
	}
}

// Every minute it goes and comes back: the team hears of it, that it is back,
// and after that only when it has really stayed away.
func TestFlappingIsCountedNotToldEachTime(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		n.Tell(unhealthy(false))
		n.Tell(unhealthy(true))
		f.expect(t, "the first time", "unhealthy began, unhealthy ended")
		time.Sleep(time.Minute)
		n.Tell(unhealthy(false))
		f.expect(t, "it returns", "unhealthy began")
		for range 30 {
			time.Sleep(time.Minute)
			n.Tell(unhealthy(true))
			time.Sleep(time.Minute)
			n.Tell(unhealthy(false))
		}
		f.expect(t, "flapping", "")
		n.Tell(unhealthy(true))
		time.Sleep(firstSettle - time.Second)
		f.expect(t, "before it has settled", "")
		time.Sleep(2 * time.Second)
		f.expect(t, "once it has settled", "unhealthy ended")
		time.Sleep(time.Minute)
		n.Tell(unhealthy(false))
		f.expect(t, "it returns again", "unhealthy began")
		n.Tell(unhealthy(true))
		time.Sleep(2*firstSettle - time.Second)
		f.expect(t, "before it has settled for longer", "")
		time.Sleep(2 * time.Second)
		f.expect(t, "once it has", "unhealthy ended")
	})
}

func TestTheEdgesOwnTroublesReachEveryServiceOnce(t *testing.T) {
	s := Settings{Apps: map[string]App{
		"chat": {Services: []string{someURL, "generic+http://two.example/hook"}}, "shop": {Services: []string{someURL}}, "mute": {},
	}}
	rehearsal(t, s, func(t *testing.T, n *Notifier, f *fake) {
		n.Tell(switcher.Notice{Kind: switcher.NoticeDisk, Subject: "/var/log", Time: time.Now()})
		synctest.Wait()
		if got := f.heard(); strings.Count(got, "disk began") != 2 || strings.Count(got, "two: disk began") != 1 {
			t.Errorf("of the edge: heard %q, want it once from each service", got)
		}
		n.Tell(switcher.Notice{Kind: switcher.NoticeReady, App: "shop", Time: time.Now()})
		f.expect(t, "of an app with one service", "ready event")
		n.Tell(switcher.Notice{Kind: switcher.NoticeReady, App: "mute", Time: time.Now()})
		f.expect(t, "of an app with none", "")
	})
}

func TestAReloadChangesServicesAndForgetsAppsThatAreGone(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		n.Tell(unhealthy(false))
		f.expect(t, "before", "unhealthy began")
		n.Apply(Settings{Apps: map[string]App{"shop": {Services: []string{"generic+http://two.example/hook"}}}})
		if open := n.Status("chat").Troubles; len(open) != 0 {
			t.Errorf("troubles of an app that is gone: %v", open)
		}
		n.Tell(switcher.Notice{Kind: switcher.NoticeReady, App: "shop", Time: time.Now()})
		f.expect(t, "after", "two: ready event")
	})
}

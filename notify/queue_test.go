package notify

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

func TestADeadServiceDoesNotDelayAnother(t *testing.T) {
	stuck, asked := hanging(t)
	refusing := "generic+http://127.0.0.1:1/hook"
	alive := newWebhook(t)
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(stuck, refusing, alive.url)})
	start(t, n)
	for range 5 {
		n.Tell(event(switcher.NoticeSwitched))
	}
	eventually(t, "the service that lives gets all", func() bool { return len(alive.documents()) == 5 })
	eventually(t, "the one that hangs was asked", func() bool { return asked() == 1 })
	eventually(t, "the one that refuses is known to fail", func() bool {
		st := n.Status("chat").Services[1]
		return st.Failing && st.Waiting == 5 && st.Failure != nil && strings.Contains(st.Failure.Error, "connection refused")
	})
}

func TestAStopWaitsForNoService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		n := New(Options{Dir: t.TempDir(), Settings: settingsFor(someURL)})
		n.send = func(*service, *message, Settings) error { <-over; return nil }
		stop := start(t, n)
		n.Tell(event(switcher.NoticeSwitched))
		synctest.Wait() // the service hangs
		began := time.Now()
		stop()
		if took := time.Since(began); took != stopGrace {
			t.Errorf("the stop took %v with a service that hangs, the grace is %v", took, stopGrace)
		}
		close(over)
	})
}

func TestTellNeverWaits(t *testing.T) {
	stuck, _ := hanging(t)
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(stuck)}) // nobody runs it
	for range 10 * maxQueue {
		n.Tell(event(switcher.NoticeSwitched))
	}
	if st := n.Status("chat").Services[0]; st.Waiting != maxQueue || st.Lost != 9*maxQueue {
		t.Errorf("%d wait and %d are lost, want %d and %d", st.Waiting, st.Lost, maxQueue, 9*maxQueue)
	}
}

func TestAServiceThatFailsIsTriedAgain(t *testing.T) {
	hook := newWebhook(t, 500, 200)
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(hook.url)})
	start(t, n)
	n.Tell(event(switcher.NoticeSwitched))
	eventually(t, "it arrives at the second try", func() bool { return len(hook.documents()) == 1 })
	eventually(t, "nothing waits", func() bool { return n.Status("chat").Services[0].Waiting == 0 })
	if st := n.Status("chat").Services[0]; st.Failing || st.Failure == nil || !strings.Contains(st.Failure.Error, "500") {
		t.Errorf("the status is %+v with failure %+v, want the last failure told, and that it works", st, st.Failure)
	}
}

func TestWhatMattersLeastIsDroppedFirst(t *testing.T) {
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(someURL)})
	n.Tell(event(switcher.NoticeRolledBack))
	for range maxQueue {
		n.Tell(event(switcher.NoticeSwitched))
	}
	n.Tell(event(switcher.NoticeRolledBack))
	sv := n.services[n.order[0]]
	if sv.queue[0].Notice.Kind != switcher.NoticeRolledBack || sv.queue[maxQueue-1].Notice.Kind != switcher.NoticeRolledBack {
		t.Error("a rollback gave way to a switch")
	}
	if sv.lost != 2 {
		t.Errorf("%d are counted as lost, want 2", sv.lost)
	}
}

func TestWhatIsLostIsToldWithTheNextMessage(t *testing.T) {
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(someURL)})
	for range maxQueue + 7 {
		n.Tell(event(switcher.NoticeSwitched))
	}
	hook := newWebhook(t)
	n.services[n.order[0]].url = hook.url
	start(t, n)
	eventually(t, "all that is left arrives", func() bool { return len(hook.documents()) == maxQueue })
	first, second := hook.documents()[0], hook.documents()[1]
	if first["undelivered"] != 7.0 || !strings.Contains(fmt.Sprint(first["text"]), "7 messages before this one could not be delivered") {
		t.Errorf("the first message says %v undelivered: %v", first["undelivered"], first["text"])
	}
	if second["undelivered"] != 0.0 {
		t.Errorf("the second says it again: %v", second["undelivered"])
	}
}

func TestReminderReplacesTheOneBeforeThatStillWaits(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		f.fail = func(string, *message) error { return errors.New("down") }
		n.Tell(unhealthy(false))
		time.Sleep(13 * time.Hour) // three reminders
		if waiting := n.Status("chat").Services[0].Waiting; waiting != 2 {
			t.Errorf("%d messages wait, want the trouble and one reminder", waiting)
		}
	})
}

func TestPausesGrowAndAMessageIsGivenUpAfterADay(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		var at []time.Time
		f.fail = func(string, *message) error { at = append(at, time.Now()); return errors.New("down") }
		n.Tell(event(switcher.NoticeSwitched))
		time.Sleep(giveUpAfter + time.Hour)
		synctest.Wait()
		st := n.Status("chat").Services[0]
		if st.Waiting != 0 || st.Lost != 1 {
			t.Errorf("%d wait and %d are lost, want 0 and 1", st.Waiting, st.Lost)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(at) < 100 || len(at) > 400 {
			t.Errorf("%d attempts in a day", len(at))
		}
		for i := 1; i < len(at); i++ {
			full := min(firstPause<<min(i-1, 20), maxPause)
			if gap := at[i].Sub(at[i-1]); gap < full/2 || gap > full+time.Second {
				t.Fatalf("pause %d is %v, want between half of %v and all of it", i, gap, full)
			}
		}
	})
}

// A message that a service never takes, because of what it says, holds up
// nothing but what follows on the same trouble.
func TestOneRefusedMessageDoesNotHoldUpOthers(t *testing.T) {
	rehearsal(t, settingsFor(someURL), func(t *testing.T, n *Notifier, f *fake) {
		f.fail = func(_ string, m *message) error {
			if m.Notice.Kind == switcher.NoticeUnhealthy {
				return errors.New("400 Bad Request")
			}
			return nil
		}
		n.Tell(unhealthy(false))
		n.Tell(unhealthy(true))
		n.Tell(event(switcher.NoticeSwitched))
		time.Sleep(time.Minute)
		f.expect(t, "in a minute", "switched event")
	})
}

func TestNothingWaitsAnyLongerOnceAServiceIsBack(t *testing.T) {
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor(someURL)})
	n.Tell(event(switcher.NoticeSwitched))
	sv := n.services[n.order[0]]
	for failures, want := range map[int]bool{1: false, 2: true, 9: true} {
		sv.failures, sv.queue[0].after = failures, time.Now().Add(time.Hour)
		n.works(sv, 0)
		if at := sv.queue[0].after.IsZero(); at != want {
			t.Errorf("after %d failures in a row the next message is free: %v, want %v", failures, at, want)
		}
	}
}

func TestHungAttemptsAreFewAndOneThatEndsLateStillCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, begun := make(chan error), atomic.Int32{}
		n := New(Options{Dir: t.TempDir(), Settings: settingsFor(someURL)})
		n.send = func(*service, *message, Settings) error { begun.Add(1); return <-release }
		stop := start(t, n)
		n.Tell(event(switcher.NoticeSwitched))
		time.Sleep(6 * time.Hour)
		synctest.Wait()
		if begun.Load() != maxHung {
			t.Errorf("%d attempts hang after six hours, want %d", begun.Load(), maxHung)
		}
		if why := n.Status("chat").Services[0].Failure.Error; !strings.Contains(why, "have not ended") {
			t.Errorf("the failure says %q", why)
		}
		release <- nil // the service had it all along
		synctest.Wait()
		if waiting := n.Status("chat").Services[0].Waiting; waiting != 0 {
			t.Errorf("%d messages wait though one late answer was good", waiting)
		}
		release <- errors.New("reset")
		release <- errors.New("reset")
		stop()
	})
}

func TestAPanicOfAServiceIsAFailure(t *testing.T) {
	n := New(Options{Dir: t.TempDir(), Settings: settingsFor("teams://")})
	if err := n.deliver(&service{url: "generic+http://127.0.0.1:1"}, nil, Settings{}); err == nil {
		t.Error("a nil message was delivered")
	}
}

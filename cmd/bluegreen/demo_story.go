package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// demoReleases are what the story deploys, in order; the last one is faulty.
var demoReleases = [...]string{"v1", "v2", "v3"}

// demoInvited is the release that a person may deploy after the story.
const demoInvited = "v4"

// story is what happens in the demo. Every operation goes through the admin
// socket, as the command line's do.
type story struct {
	stage *demoStage
	show  *demoScreen
	once  bool

	began    time.Time // of the load
	failback time.Duration
}

// chapter is one thing to see.
type chapter struct {
	title string
	play  func(ctx context.Context) error
}

func (s *story) chapters() []chapter {
	return []chapter{
		{"Deploy v1. The first release is live at once.", s.first},
		{"Deploy v2 beside it. Only the internal URL shows it.", s.candidate},
		{"Switch: production moves to v2.", s.switchOver},
		{"Roll back: v1 was still warm.", s.rollback},
		{"Second thoughts: deploy v2 again, switch, confirm.", s.again},
		{"Deploy and switch to v3, whose health check fails under real traffic.", s.faulty},
		{"Clean up.", s.tidy},
	}
}

func (s *story) tell(ctx context.Context) error {
	s.show.intro()
	for n, c := range s.chapters() {
		s.show.title(n+1, c.title)
		if err := c.play(ctx); err != nil {
			return err
		}
	}
	if s.once {
		return nil
	}
	s.show.invite()
	<-ctx.Done()
	return context.Cause(ctx)
}

// pause leaves time to look, and traffic time to show what is wrong.
func (s *story) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *story) first(ctx context.Context) error {
	if err := s.deploy(ctx, "v1"); err != nil {
		return err
	}
	s.stage.load.Fence("v1")
	s.stage.load.start(ctx)
	s.began = time.Now()
	s.show.say("load begins: HTTP/1.1, HTTP/2, transfers, event streams, WebSockets; no retries")
	return s.pause(ctx, 2*time.Second)
}

func (s *story) candidate(ctx context.Context) error {
	if err := s.deploy(ctx, "v2"); err != nil {
		return err
	}
	if err := s.expect(ctx, "v1", "v2"); err != nil {
		return err
	}
	return s.pause(ctx, time.Second)
}

func (s *story) switchOver(ctx context.Context) error {
	if err := s.change(ctx, "v2", s.doSwitch); err != nil {
		return err
	}
	if err := s.expect(ctx, "v2", "v2"); err != nil {
		return err
	}
	s.show.say("%d WebSockets opened on v1 stay there: they have their own deadline", s.sockets("v1"))
	return s.pause(ctx, 2*time.Second)
}

func (s *story) rollback(ctx context.Context) error {
	kept := s.sockets("v1")
	if err := s.change(ctx, "v1", s.doRollback); err != nil {
		return err
	}
	if err := s.expect(ctx, "v1", "v1"); err != nil {
		return err
	}
	s.show.say("%d of %d WebSockets that v1 had before the switch never noticed", min(kept, s.sockets("v1")), kept)
	return s.pause(ctx, 2*time.Second)
}

func (s *story) again(ctx context.Context) error {
	if err := s.deploy(ctx, "v2"); err != nil {
		return err
	}
	if err := s.change(ctx, "v2", s.doSwitch); err != nil {
		return err
	}
	if err := s.pause(ctx, time.Second); err != nil {
		return err
	}
	return s.do(s.stage.client.Confirm(ctx, s.stage.app, s.show.event))
}

// faulty waits until the edge has gone back by itself.
func (s *story) faulty(ctx context.Context) error {
	if err := s.deploy(ctx, "v3"); err != nil {
		return err
	}
	s.stage.load.Fence("")
	if err := s.doSwitch(ctx); err != nil {
		return err
	}
	began := time.Now()
	for deadline := time.After(30 * time.Second); ; {
		st, err := s.stage.status(ctx)
		if err != nil {
			return err
		}
		if st.Phase == switcher.PhaseSteady && st.Operation == nil {
			break
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			return fmt.Errorf("v3 is still live, although its health check fails")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	s.failback = time.Since(began)
	s.stage.load.Fence("v2")
	s.show.last(ctx)
	return s.expect(ctx, "v2", "v2")
}

func (s *story) tidy(ctx context.Context) error {
	if err := s.pause(ctx, time.Second); err != nil {
		return err
	}
	return s.do(s.stage.client.Discard(ctx, s.stage.app, s.show.event))
}

func (s *story) deploy(ctx context.Context, release string) error {
	return s.do(s.stage.client.Deploy(ctx, s.stage.app, switcher.DeployRequest{Commit: release}, s.show.event))
}

func (s *story) doSwitch(ctx context.Context) error {
	return s.do(s.stage.client.Switch(ctx, s.stage.app, switcher.SwitchRequest{}, s.show.event))
}

func (s *story) doRollback(ctx context.Context) error {
	r := switcher.RollbackRequest{Reason: "the logo is upside down"}
	return s.do(s.stage.client.Rollback(ctx, s.stage.app, r, s.show.event))
}

// change moves production while the load watches: from the moment the command
// has returned, nothing but the new release may answer.
func (s *story) change(ctx context.Context, to string, move func(context.Context) error) error {
	s.stage.load.Fence("")
	if err := move(ctx); err != nil {
		return err
	}
	s.stage.load.Fence(to)
	return nil
}

func (s *story) do(_ switcher.Result, err error) error { return err }

// expect asks both URLs as a browser would.
func (s *story) expect(ctx context.Context, production, internal string) error {
	for host, want := range map[string]string{demoHost: production, demoInternal: internal} {
		got, err := s.stage.release(ctx, host)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s shows %s, not %s", host, got, want)
		}
	}
	s.show.say("%s shows %s, %s shows %s", demoHost, production, demoInternal, internal)
	return nil
}

// sockets counts the WebSockets that began on a release and are open.
func (s *story) sockets(release string) int64 {
	return s.stage.load.Snapshot().Sockets.Open[release]
}

// figures are what the demo has measured.
func (s *story) figures() demoFigures {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	stats := s.stage.load.Snapshot()
	f := demoFigures{
		Seconds: time.Since(s.began).Seconds(), Done: stats.Done(), Failed: stats.Failed(), Stale: stats.Stale(),
		Errors: stats.Errors(), Kinds: stats.Kinds, Sockets: stats.Sockets, FailbackMS: milliseconds(s.failback),
	}
	if s.began.IsZero() {
		f.Seconds = 0
	}
	switched, _ := s.stage.durations(ctx, switcher.KindSwitch)
	back, itself := s.stage.durations(ctx, switcher.KindRollback)
	f.SwitchMS, f.RollbackMS = slowest(switched), slowest(slices.Concat(back, itself))
	f.Switches, f.Rollbacks = len(switched), len(back)+len(itself)
	return f
}

func slowest(all []time.Duration) float64 {
	if len(all) == 0 {
		return 0
	}
	return milliseconds(slices.Max(all))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// demoStatus is what the live lines are drawn from.
type demoStatus struct {
	admin.Status
	done, failed, stale int64
	sockets             map[string]int64
}

func (s *demoStage) look(ctx context.Context) (demoStatus, error) {
	st, err := s.status(ctx)
	stats := s.load.Snapshot()
	return demoStatus{Status: st, done: stats.Done(), failed: stats.Failed(), stale: stats.Stale(), sockets: stats.Sockets.Open}, err
}

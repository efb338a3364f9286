package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"sofiacall.com/bluegreen/internal/browsertest"
	"sofiacall.com/bluegreen/internal/load"
)

// underLoad keeps a little traffic on production until the returned function
// is called, which fails the test for what was lost.
func (e *testEdge) underLoad() (end func()) {
	e.t.Helper()
	traffic := load.New(load.Options{
		Address: e.HTTPS, Host: "app.localhost", RootCAs: e.roots(), Pause: 20 * time.Millisecond,
		Workers: map[load.Kind]int{load.Get: 1, load.H2Get: 2, load.WebSocket: 3},
	})
	ctx, cancel := context.WithCancel(e.t.Context())
	done := make(chan error, 1)
	go func() { done <- traffic.Run(ctx) }()
	return func() {
		e.t.Helper()
		cancel()
		if err := <-done; err != nil {
			e.t.Error(err)
		}
		if s := traffic.Snapshot(); s.Failed()+s.Stale() > 0 {
			e.t.Errorf("%d failed, %d stale: %q", s.Failed(), s.Stale(), s.Errors())
		}
	}
}

// opened is a browser in which the dashboard's link was opened.
func (e *testEdge) opened() *browsertest.Page {
	e.t.Helper()
	p := browsertest.Open(e.t)
	p.Look(1280, 900, "light")
	p.Go(strings.TrimSpace(e.must("dashboard").stdout))
	p.Wait("h1", e.App)
	return p
}

// The pages are driven as a person does, in a real browser, while real traffic
// flows: every step shows without a reload, and nothing is lost.
func TestAReleaseIsSwitchedAndRolledBackByClicking(t *testing.T) {
	e := newTestEdge(t, "    switch: { bake: 10m }\n")
	e.Drain, e.WebSockets = "10s", "3s"
	e.configure()
	e.start()
	p := e.opened()
	if at := browsertest.Eval[string](p, "location.href"); strings.Contains(at, "key") {
		t.Errorf("the key is in the address bar: %s", at)
	}
	p.Wait("#slot-blue .tag", "Empty")
	e.deploy("v1")
	p.Wait("#slot-blue .tag", "Live")
	end := e.underLoad()
	e.deploy("v2")
	p.Wait("#slot-green .tag", "In test")
	p.Wait("#slot-green .release", "v2")
	p.Wait("#why-switch", "v2 goes live")
	p.Wait("#chart-rate .legend", "/s")
	p.Wait("#log-green", "listening")

	p.Click("#do-switch")
	p.Wait("h1", "Switch to Green")
	p.Wait(".gates", "Health passes")
	p.Wait(".facts", "WebSockets")
	p.Expect("status of 422")
	p.Type("#confirm", "v1")
	p.Click("#go")
	p.Wait("#problem", "Nothing was done")
	p.Type("#confirm", "v2")
	p.Click("#go")
	p.Wait("#operation", "Done in")
	p.Wait("#operation", "production now leads to green")
	p.Wait("#slot-green .tag", "Live")
	p.Wait("#slot-blue .tag", "Previous")
	p.Wait("#safety", "left of 10 min")
	p.Wait("#history", "v2")
	if st := e.status(); st.Active != "green" {
		t.Fatalf("%s is active", st.Active)
	}

	p.Click("#do-rollback")
	p.Wait(".move", "v2")
	p.Wait(".facts", "stopped and marked as failed")
	p.Type("#confirm", e.App)
	p.Click("#go")
	p.Wait("#operation", "Done in")
	p.Wait("#slot-blue .tag", "Live")
	p.Wait("#slot-green .tag", "Failed")
	if st := e.status(); st.Active != "blue" {
		t.Fatalf("%s is active", st.Active)
	}
	end()
}

// Whoever has no mouse comes to every button, and a page that renews itself
// leaves the focus alone.
func TestTheDashboardIsUsedByKeyboardAlone(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("v1")
	e.deploy("v2")
	p := e.opened()
	focus := func() string {
		return browsertest.Eval[string](p, "document.activeElement.id || document.activeElement.className")
	}
	p.Press(kb.Tab)
	if got := focus(); got != "skip" {
		t.Errorf("the first stop is %q, want the link that skips to the content", got)
	}
	reach := func(id string) {
		t.Helper()
		for range 40 {
			if focus() == id {
				if width := browsertest.Eval[string](p, "getComputedStyle(document.activeElement).outlineWidth"); width == "0px" {
					t.Errorf("the focus on %s cannot be seen", id)
				}
				return
			}
			p.Press(kb.Tab)
		}
		t.Fatalf("%s is not reached", id)
	}
	reach("do-switch")
	before := browsertest.Eval[string](p, "document.querySelector('#slot-blue .state').innerText")
	p.Wait("#slot-blue .state", "Healthy")
	e.await("the page is renewed", func() bool {
		return browsertest.Eval[string](p, "document.querySelector('#slot-blue .state').innerText") != before
	})
	if got := focus(); got != "do-switch" {
		t.Fatalf("the focus went to %q while the page was renewed", got)
	}
	browsertest.Eval[bool](p, "(window.before = document.activeElement) !== null")
	e.must("pause", "--max", "1m")
	p.Wait(".banner", "Production is paused")
	e.must("resume")
	e.await("the note has gone", func() bool { return p.Text(".banner") == "" })
	if !browsertest.Eval[bool](p, "document.activeElement === window.before") {
		t.Fatalf("the focus went to %q when a note came and went", focus())
	}
	p.Press(kb.Enter)
	p.Wait("h1", "Switch to Green")
	if got := focus(); got != "confirm" {
		t.Errorf("the focus is on %q, want the field", got)
	}
	p.Press("chat")
	p.Press(kb.Enter)
	p.Wait("#slot-green .tag", "Live")
}

func TestTheDashboardIsReadAndUsedWithoutJavaScript(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("v1")
	p := browsertest.Open(t)
	p.WithoutScripts()
	p.Go(strings.TrimSpace(e.must("dashboard").stdout))
	p.Wait("#slot-blue .tag", "Live")
	e.deploy("v2")
	p.Wait("#slot-green .tag", "In test") // the page comes again by itself
	p.Click("#do-switch")
	p.Wait("h1", "Switch to Green")
	p.Type("#confirm", "v2")
	p.Click("#go")
	p.Wait("#operation", "Done in")
	p.Wait("#slot-green .tag", "Live")
}

func TestEveryPageOfTheDashboardIsAccessible(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.start()
	e.deploy("v1")
	e.deploy("v2")
	e.must("switch")
	p := e.opened()
	home := browsertest.Eval[string](p, "location.origin") + "/apps/chat"
	for _, path := range []string{"", "/rollback", "/confirm", "/switch", "/nothing-of-the-kind"} {
		p.Expect("status of 404")
		p.Go(home + path)
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 800, 360} {
				p.Look(width, 900, scheme)
				p.Accessible(fmt.Sprintf("%s at %d, %s", home+path, width, scheme))
			}
		}
	}
}

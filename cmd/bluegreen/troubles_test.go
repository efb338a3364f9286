package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
	edgetls "sofiacall.com/bluegreen/tls"
)

// toldBy collects what a watcher tells: kind, app, colour, subject, and "over".
func toldBy(t *troubles, look func(*troubles)) (told []string) {
	t.tell = func(n switcher.Notice) {
		said := strings.Join(strings.Fields(fmt.Sprint(n.Kind, " ", n.App, " ", n.Colour, " ", n.Subject)), " ")
		if n.Over {
			said += " over"
		} else {
			said += ": " + n.Cause
		}
		told = append(told, said)
	}
	look(t)
	return told
}

func alertConfig() *config.Config {
	return &config.Config{
		State: config.State{Dir: "/state"}, Logs: config.Logs{Dir: "/logs"}, Disk: config.Disk{Warn: 90},
		Apps: map[string]*config.App{
			"chat": {Name: "chat", Production: []string{"chat.example.com"}, Internal: []string{"next.example.com"}, Notify: config.Notify{ErrorRate: 5}},
		},
	}
}

func TestACertificateThatNearsItsEndOrIsNotRenewedIsTold(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	good := edgetls.Status{Host: "chat.example.com", OK: true, NotAfter: now.Add(60 * 24 * time.Hour)}
	failing, expiring := good, good
	failing.Error = "rate limited"
	expiring.Expiring, expiring.NotAfter, expiring.Error = true, now.Add(100*time.Hour), "rate limited"
	c := alertConfig()
	w := newTroubles(nil)
	at := func(after time.Duration, s edgetls.Status) string {
		return strings.Join(toldBy(w, func(w *troubles) { w.certificates(c, []edgetls.Status{s}, now.Add(after)) }), "; ")
	}
	for _, step := range []struct {
		after time.Duration
		found edgetls.Status
		want  string
	}{
		{0, good, "certificate chat chat.example.com over"},
		{time.Minute, failing, ""},
		{9 * time.Minute, failing, ""},
		{12 * time.Minute, failing, "certificate chat chat.example.com: it expires on 2027-01-23, in 59 d, and was not renewed: rate limited"},
		{13 * time.Minute, good, "certificate chat chat.example.com over"},
		{14 * time.Minute, failing, ""},
		{15 * time.Minute, expiring, "certificate chat chat.example.com: it expires on 2026-11-28, in 4 d, and was not renewed: rate limited"},
	} {
		if got := at(step.after, step.found); got != step.want {
			t.Errorf("after %v it told %q, want %q", step.after, got, step.want)
		}
	}
}

func TestAFullDiskIsToldOnceForAllItsFoldersAndUntilItHasRoom(t *testing.T) {
	uses := map[string]diskUse{"/state": {device: 1, free: 12e9}, "/logs": {device: 1}}
	w := newTroubles(nil)
	w.disk = func(dir string) (diskUse, error) {
		if dir == "/gone" {
			return diskUse{}, errors.New("gone")
		}
		return uses[dir], nil
	}
	c := alertConfig()
	at := func(percent float64) string {
		for dir, use := range uses {
			use.percent = percent
			uses[dir] = use
		}
		return strings.Join(toldBy(w, func(w *troubles) { w.disks(c, time.Now()) }), "; ")
	}
	for _, step := range []struct {
		percent float64
		want    string
	}{
		{89.9, ""}, {90, "disk /state: 90 % of it is used, 12 GB are free"}, {88.5, "disk /state: 88.5 % of it is used, 12 GB are free"},
		{87.9, "disk /state over"}, {89, ""}, {95.44, "disk /state: 95.4 % of it is used, 12 GB are free"},
	} {
		if got := at(step.percent); got != step.want {
			t.Errorf("at %v %% it told %q, want %q", step.percent, got, step.want)
		}
	}
	uses["/logs"] = diskUse{device: 2, inodes: true, percent: 99, free: 7}
	if got := at(99); got != "disk /state: 99 % of it is used, 12 GB are free; disk /logs: 99 % of its inodes are used, there is room for 7 more files" {
		t.Errorf("two disks: %q", got)
	}
	c.State.Dir, c.Logs.Dir = "/gone", "/gone"
	if got := at(99); got != "" {
		t.Errorf("a folder that cannot be looked at: %q", got)
	}
}

func TestTheDiskOfAFolderThatIsNotThereIsThatOfItsParent(t *testing.T) {
	dir := t.TempDir()
	there, err := useOfDisk(dir)
	if err != nil || there.percent < 0 || there.percent > 100 || there.free == 0 {
		t.Fatalf("the disk of %s: %+v, %v", dir, there, err)
	}
	missing, err := useOfDisk(filepath.Join(dir, "a", "b"))
	if err != nil || missing.device != there.device {
		t.Errorf("a folder that is not there: %+v, %v", missing, err)
	}
}

func TestProductionThatFailsTooOftenIsToldUntilHalfOfThatFails(t *testing.T) {
	m := newMetrics("test")
	c := alertConfig()
	w := newTroubles(nil)
	status := func(active switcher.Colour, release string) switcher.Status {
		return switcher.Status{App: "chat", Active: active, Slots: map[switcher.Colour]switcher.SlotStatus{active: {Release: &switcher.Release{ID: release}}}}
	}
	served := func(colour switcher.Colour, release string, good, bad int) {
		r := recorder{m.Route("chat", "production", string(colour), release)}
		for range good {
			r.Request(proxy.Observation{Status: 200, Proxied: true})
		}
		for range bad {
			r.Request(proxy.Observation{Status: 502, Proxied: true})
		}
	}
	look := func(st switcher.Status, after time.Duration) string {
		return strings.Join(toldBy(w, func(w *troubles) { w.production(c.Apps["chat"], st, m, time.Now().Add(after)) }), "; ")
	}
	blue := status(switcher.Blue, "r1")
	served(switcher.Blue, "r1", 0, 50)
	if got := look(blue, 0); got != "" {
		t.Errorf("50 requests are enough for %q", got)
	}
	served(switcher.Blue, "r1", 450, 0)
	const told = "error_rate chat blue: 50 of 500 requests (10 %) have failed in 5 minutes, the limit is 5 %; error_rate chat green over"
	if got := look(blue, 0); got != told {
		t.Errorf("10 %% of 500: %q, want %q", got, told)
	}
	served(switcher.Blue, "r1", 700, 0)
	if got := look(blue, 0); !strings.HasPrefix(got, "error_rate chat blue: 50 of 1200 requests (4.2 %)") {
		t.Errorf("between half of the limit and the limit: %q", got)
	}
	served(switcher.Blue, "r1", 1300, 0)
	if got := look(blue, 0); got != "error_rate chat blue over; error_rate chat green over" {
		t.Errorf("at half of the limit: %q", got)
	}
	served(switcher.Blue, "r1", 0, 1000)
	if got := look(blue, 0); !strings.HasPrefix(got, "error_rate chat blue: 1050 of 3500") {
		t.Errorf("again: %q", got)
	}
	served(switcher.Green, "r2", 200, 0)
	if got := look(status(switcher.Green, "r2"), 0); got != "error_rate chat blue over; error_rate chat green over" {
		t.Errorf("after a switch to a release that is well: %q", got)
	}
	c.Apps["chat"].Notify.ErrorRate = 0
	served(switcher.Green, "r2", 0, 1000)
	if got := look(status(switcher.Green, "r2"), 0); got != "error_rate chat blue over; error_rate chat green over" {
		t.Errorf("turned off: %q", got)
	}
}

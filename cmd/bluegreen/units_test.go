package main

import (
	"testing"
	"time"
)

func TestDurationsAreSaidAsAPersonWould(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second:                   "0 s",
		0:                              "0 µs",
		340 * time.Microsecond:         "340 µs",
		12*time.Millisecond + 900:      "12 ms",
		3250 * time.Millisecond:        "3.2 s",
		59*time.Second + 900_000_000:   "59 s",
		60 * time.Second:               "1 m",
		4*time.Minute + 12*time.Second: "4 m 12 s",
		time.Hour + 5*time.Minute:      "1 h 5 m",
		47*time.Hour + 59*time.Minute:  "47 h 59 m",
		63*24*time.Hour + 12*time.Hour: "63 days",
	} {
		if got := took(d); got != want {
			t.Errorf("took(%v) = %q, want %q", d, got, want)
		}
	}
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "now", time.Second: "now", 30 * time.Second: "30 s ago", 3 * time.Minute: "3 min ago",
		26 * time.Hour: "26 h ago", 72 * time.Hour: "3 days ago",
	} {
		if got := ago(now, now.Add(-d)); got != want {
			t.Errorf("ago(%v) = %q, want %q", d, got, want)
		}
	}
	if got := ago(now, time.Time{}); got != "never" {
		t.Errorf("ago of no time = %q", got)
	}
}

func TestColouredTextIsMeasuredAndClippedByWhatIsSeen(t *testing.T) {
	colours := &terminal{colour: true}
	text := colours.red("déjà") + " vu"
	if got := visible(text); got != 7 {
		t.Errorf("visible = %d, want 7", got)
	}
	if got := clip(text, 7); got != text {
		t.Errorf("clip to its width = %q", got)
	}
	if got, want := clip(text, 4), "\x1b[31mdéj…\x1b[0m"; got != want {
		t.Errorf("clip = %q, want %q", got, want)
	}
	if got := visible(pad(text, 10)); got != 10 {
		t.Errorf("padded to %d, want 10", got)
	}
}

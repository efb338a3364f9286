package main

import (
	"fmt"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// drainProgress says what a drain waits for and what ends the wait: first
// requests and long connections go by themselves, then those that are left are
// closed one by one.
func drainProgress(d switcher.DrainStatus, now time.Time) switcher.Progress {
	if d.ToClose+d.Closed > 0 && d.UpgradedUntil != nil && !now.Before(*d.UpgradedUntil) {
		whole := d.Closed + d.ToClose
		text := fmt.Sprintf("%d of %d closed", d.Closed, whole)
		if d.ClosedBy != nil && d.ClosedBy.Sub(now) >= time.Second {
			text += ", " + span(d.ClosedBy.Sub(now)) + " left"
		}
		if d.InFlight > 0 {
			text += "; " + count(d.InFlight, "request")
		}
		return switcher.Progress{Text: text, Done: d.Closed, Total: whole, Drain: &d}
	}
	var parts []string
	if d.InFlight > 0 {
		parts = append(parts, count(d.InFlight, "request")+within(", cut in ", d.RequestsUntil, now))
	}
	if d.Upgraded > 0 {
		parts = append(parts, count(d.Upgraded, "long connection")+within(", closing in ", d.UpgradedUntil, now))
	}
	if len(parts) == 0 {
		parts = []string{"nothing in flight"}
	}
	return switcher.Progress{Text: strings.Join(parts, "; ")}
}

// within says how long there is until a moment that is still to come.
func within(what string, until *time.Time, now time.Time) string {
	if until == nil || !until.After(now) {
		return ""
	}
	return what + span(until.Sub(now))
}

// bar draws how far work has come, if that is known.
func (t *terminal) bar(p switcher.Progress) string {
	if p.Total <= 0 {
		return ""
	}
	const cells = 20
	share := min(1, float64(p.Done)/float64(p.Total))
	percent := ""
	if p.Drain == nil { // which counts
		percent = fmt.Sprintf("%3.0f %%  ", 100*share)
	}
	if !t.live {
		return percent
	}
	full := int(share * cells)
	return strings.Repeat("━", full) + t.dim(strings.Repeat("─", cells-full)) + " " + percent
}

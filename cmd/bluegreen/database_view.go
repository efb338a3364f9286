package main

import (
	"fmt"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// drawCheck writes what the schema is to each release.
func drawCheck(t *terminal, app string, check switcher.SchemaCheck, now time.Time) {
	t.printf("%s  database %s\n", t.bold(app), databaseLine(t, check.Database, now))
	if drift := check.Database.Drift; drift != "" {
		t.paragraph(t.yellow("!")+" ", "changed by hand: "+printable(drift)+"; `bluegreen db accept` takes it")
	}
	if len(check.Releases) == 0 {
		t.printf("\nnothing has been deployed yet\n")
	}
	for _, r := range check.Releases {
		t.printf("\n%s %s  %s\n", t.mark(len(r.Fit.Stopping()) == 0), t.bold(r.Release.String()), where(t, r))
		findings, plan := r.Fit.All(), ""
		if r.State == switcher.Testing || r.State == switcher.Previous {
			plan = r.Fit.Plan // a switch or a rollback can accept them
		}
		drawFindings(t, "  ", findings, plan)
		if len(findings) == 0 {
			t.printf("  can live with the schema\n")
		}
	}
}

// where says which slot holds a release.
func where(t *terminal, r switcher.ReleaseFit) string {
	if r.Slot == "" {
		return t.dim("in no slot: it would have to be deployed again")
	}
	return fmt.Sprintf("%s on %s", r.State, t.name(r.Slot))
}

// databaseLine says how a database is, in one line.
func databaseLine(t *terminal, d switcher.DatabaseStatus, now time.Time) string {
	text := t.bold(printable(d.Name))
	if d.Server != "" {
		version, _, _ := strings.Cut(d.Server, " ") // without who has built it
		text += " (PostgreSQL " + printable(version) + ")"
	}
	since := ""
	if d.Since != nil {
		since = " for " + span(now.Sub(*d.Since))
	}
	switch {
	case d.CheckedAt == nil && d.Error == "":
		return text + ", not asked yet"
	case d.OK:
		return text + ", " + t.green("answers") + since
	}
	return text + ", " + t.red("does not answer") + since + ": " + printable(d.Error)
}

// backupLine says how backups stand.
func backupLine(t *terminal, b *switcher.BackupStatus, now time.Time) string {
	if b == nil {
		return "none is made"
	}
	text := t.yellow("none yet")
	if b.At != nil {
		text = span(now.Sub(*b.At)) + " old, "
		if b.Verified {
			text += t.green("verified")
		} else {
			text += t.yellow("not verified")
		}
	}
	if b.Late {
		text += ", " + t.red("overdue")
	}
	if b.Next != nil && b.Next.After(now) {
		text += ", next in " + span(b.Next.Sub(now))
	}
	if b.Error != "" {
		text += "; " + t.red("the last one failed: "+printable(b.Error))
	}
	return text
}

// database is the part of a status about the app's database.
func (v *statusView) database() {
	d := v.st.Database
	if d == nil {
		return
	}
	v.row("database", databaseLine(v.terminal, *d, v.now))
	if d.Drift != "" {
		v.row("", v.yellow("changed by hand: "+printable(d.Drift))+"; `bluegreen db accept` takes it")
	}
	v.row("backup", backupLine(v.terminal, d.Backup, v.now))
	label := "schema"
	for _, fit := range d.Fits {
		if said := v.fit(fit); said != "" {
			v.row(label, said)
			label = ""
		}
	}
}

// fit says whether a release can live with the schema, and if not, why.
func (v *statusView) fit(f switcher.Fit) string {
	name := v.holder(f.Release)
	stops, review := f.Stopping(), 0
	for _, finding := range f.All() {
		if finding.Allowed == "" && finding.Verdict == switcher.SchemaData {
			review++
		}
	}
	switch {
	case len(stops) > 0:
		said := fmt.Sprintf("%s %s %s: %s", v.mark(false), name, v.red("cannot live with it"), printable(stops[0].What))
		if more := len(stops) - 1; more > 0 {
			said += fmt.Sprintf(", and %d more: `bluegreen db check`", more)
		}
		return said
	case review > 0:
		return fmt.Sprintf("%s %s %s: `bluegreen db check`", v.mark(true), name, v.yellow("fits, but needs review"))
	}
	return fmt.Sprintf("%s %s fits", v.mark(true), name)
}

// holder is a release by its commit and the slot that holds it.
func (v *statusView) holder(release string) string {
	for _, c := range switcher.Colours() {
		if s := v.st.Slots[c]; s.Release != nil && s.Release.ID == release {
			return fmt.Sprintf("%s on %s", s.Release, v.name(c))
		}
	}
	return release
}

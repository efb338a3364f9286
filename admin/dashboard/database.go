package dashboard

import (
	"fmt"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// databaseView is what is shown of the database that the releases share.
type databaseView struct {
	Name   string
	Health statusLine
	Drift  string // what was changed by hand
	Backup statusLine
	Failed string // why the last backup has
	Fits   []finding
}

func (v *visit) database(st switcher.Status, now time.Time) *databaseView {
	d, w := st.Database, v.words
	if d == nil {
		return nil
	}
	view := &databaseView{Name: d.Name, Health: v.answers(d, now)}
	if d.Drift != "" {
		view.Drift = w.t("database.drift", w.Say(d.Drift))
	}
	view.Backup, view.Failed = v.backup(d.Backup, now)
	for _, fit := range d.Fits {
		view.Fits = append(view.Fits, v.fit(st, fit))
	}
	return view
}

func (v *visit) answers(d *switcher.DatabaseStatus, now time.Time) statusLine {
	w, since := v.words, ""
	if d.Since != nil {
		since = w.t("database.for", w.Span(now.Sub(*d.Since)))
	}
	switch {
	case d.CheckedAt == nil && d.Error == "":
		return statusLine{"idle", w.t("database.unasked"), ""}
	case d.OK:
		return statusLine{"good", w.t("database.ok"), since}
	}
	return statusLine{"bad", w.t("database.down"), w.Say(d.Error)}
}

func (v *visit) backup(b *switcher.BackupStatus, now time.Time) (line statusLine, failed string) {
	w := v.words
	if b == nil {
		return statusLine{"idle", w.t("backup.never"), ""}, ""
	}
	line = statusLine{"busy", w.t("backup.none"), ""}
	if b.At != nil {
		line = statusLine{"busy", w.t("backup.unverified"), w.Ago(now, *b.At)}
		if b.Verified {
			line.State, line.Title = "good", w.t("backup.verified")
		}
	}
	if b.Late {
		line.State, line.Title = "bad", w.t("backup.late")
	}
	if b.Error != "" {
		failed = w.t("backup.failed", w.Say(b.Error))
	}
	return line, failed
}

// fit says whether a release can live with the schema, and if not, why.
func (v *visit) fit(st switcher.Status, fit switcher.Fit) finding {
	f := finding{State: "good", Rule: fit.Release}
	for _, c := range switcher.Colours() {
		if r := st.Slots[c].Release; r != nil && r.ID == fit.Release {
			f.Rule = short(r)
		}
	}
	for _, found := range fit.All() {
		if found.Allowed == "" && found.Verdict == switcher.SchemaData {
			f.State, f.Text = "busy", v.words.Say(found.What)
		}
	}
	if stops := fit.Stopping(); len(stops) > 0 {
		f.State, f.Text = "bad", v.words.Say(stops[0].What)
	}
	f.Outcome = v.words.t("fit." + f.State)
	return f
}

// against are the findings of a schema that have refused something.
func against(r *switcher.Result) (lines []string) {
	for _, f := range r.Findings {
		if f.Stops() {
			lines = append(lines, fmt.Sprintf("%s  %s: %s", f.Verdict, f.ID(r.Plan), f.What))
		}
	}
	return lines
}

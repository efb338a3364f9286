package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
	"sofiacall.com/bluegreen/switcher"
)

// judge says what the migrations mean for the release that runs.
func (m *migration) judge(ctx context.Context) error {
	told := m.Enter("verdict")
	m.plan = planOf(m.before, m.tried.after)
	if m.d.options.Gate.Mode == GateOff {
		told("not asked for, as it is configured")
		return nil
	}
	if m.Active == nil {
		told("no release runs that could be broken")
		return nil
	}
	findings, err := m.findings(ctx)
	if err != nil {
		return err
	}
	var stops []switcher.SchemaFinding
	counts := map[switcher.SchemaVerdict]int{}
	for _, f := range findings {
		if f.Allowed != "" {
			counts[accepted]++
		} else {
			counts[f.Verdict]++
		}
		switch {
		case f.Stops():
			stops = append(stops, f)
		case f.Allowed != "":
			m.Warn("accepted: %s: %s", f.ID(m.plan), f.What)
		case f.Verdict == switcher.SchemaWarn, f.Verdict == switcher.SchemaData:
			m.Warn("%s", line(f))
		}
	}
	summary := summarize(counts)
	if len(stops) == 0 {
		told("%s", summary)
		return m.d.accept(m.accepted)
	}
	if m.d.options.Gate.Mode == GateWarn {
		for _, f := range stops {
			m.Warn("%s", line(f))
		}
		told("%s; the gate only warns, as it is configured", summary)
		return m.d.accept(m.accepted)
	}
	return m.refusal(findings, stops)
}

// line is a finding in one line.
func line(f switcher.SchemaFinding) string {
	text := fmt.Sprintf("%s %s %s: %s", f.Verdict, f.Code, f.Object, f.What)
	if f.Remedy != "" {
		text += "; safely: " + f.Remedy
	}
	return text
}

// accepted counts the findings that somebody has accepted, whatever they are.
const accepted switcher.SchemaVerdict = "accepted"

func summarize(counts map[switcher.SchemaVerdict]int) string {
	text := ""
	for _, v := range []switcher.SchemaVerdict{switcher.SchemaBlock, switcher.SchemaLock, accepted, switcher.SchemaData, switcher.SchemaWarn, switcher.SchemaPass} {
		if counts[v] > 0 {
			if text != "" {
				text += ", "
			}
			text += fmt.Sprintf("%d %s", counts[v], v)
		}
	}
	if text == "" {
		return "nothing of the schema changes"
	}
	return text
}

func (m *migration) refusal(findings, stops []switcher.SchemaFinding) error {
	first := stops[0]
	what := fmt.Sprintf("%s cannot live with the migrations of %s: %s", m.Active, m.Release, first.What)
	switch {
	case first.Verdict == switcher.SchemaLock:
		what = fmt.Sprintf("the migrations of %s would lock out %s for long: %s", m.Release, m.Active, first.What)
	case m.phase != expand:
		what = fmt.Sprintf("%s may need what the %s migrations take away: %s", m.Active, m.phase, first.What)
	}
	if n := len(stops) - 1; n > 0 {
		what += fmt.Sprintf(", and %d more", n)
	}
	e := &switcher.Error{
		Code: switcher.CodeRefused, What: what, Findings: findings, Plan: m.plan,
		Hint: fmt.Sprintf("nothing of the live database was changed; do it the safe way, or accept it with --allow '%s' --reason TEXT", first.ID(m.plan)),
	}
	for _, f := range stops {
		text := fmt.Sprintf("%s: %s", f.ID(m.plan), f.What)
		if f.Why != "" {
			text += "; " + f.Why
		}
		if f.Remedy != "" {
			text += "; safely: " + f.Remedy
		}
		e.Output = append(e.Output, text)
	}
	return e
}

// findings joins what all of them have found, the worst first, with what was
// accepted.
func (m *migration) findings(ctx context.Context) ([]switcher.SchemaFinding, error) {
	o := m.d.rules(m.app)
	o.Sizes = sizes(m.before)
	findings := compat.Compare(m.tried.before, m.tried.after, o)
	findings = append(findings, compat.Unexplained(m.tried.dumpBefore, m.tried.dumpAfter, findings)...)
	findings = append(findings, m.tried.found...)
	if err := m.forgive(findings); err != nil {
		return nil, err
	}
	findings = once(findings)
	return findings, m.allow(findings)
}

// forgive passes what takes something away that the release that runs has never
// known: a release that came to nothing had added it.
func (m *migration) forgive(findings []switcher.SchemaFinding) error {
	need, err := m.d.need(m.Active.ID)
	if err != nil || need == nil || need.DigestAll() == m.before.DigestAll() {
		return err
	}
	for i, f := range findings {
		if strings.HasSuffix(f.Code, "_dropped") && knows(m.before, f.Object) && !knows(need, f.Object) {
			findings[i].Verdict, findings[i].Why, findings[i].Remedy = switcher.SchemaPass, "the release that runs does not know it", ""
		}
	}
	return nil
}

// knows reports whether there is an object of that name in a schema.
func knows(s *catalog.Schema, object string) bool {
	parts := []func(string) bool{in(s.Namespaces), in(s.Tables), in(s.Views), in(s.Sequences), in(s.Enums), in(s.Domains), in(s.Composites), in(s.Ranges), in(s.Functions)}
	if slices.ContainsFunc(parts, func(has func(string) bool) bool { return has(object) }) {
		return true
	}
	for i := range object {
		if object[i] != '.' {
			continue
		}
		of, name := object[:i], object[i+1:]
		t, v := s.Tables[of], s.Views[of]
		named := func(c catalog.Column) bool { return c.Name == name }
		if slices.ContainsFunc(t.Columns, named) || slices.ContainsFunc(v.Columns, named) ||
			in(t.Constraints)(name) || in(t.Indexes)(name) || in(t.Triggers)(name) || in(t.Rules)(name) || in(t.Policies)(name) {
			return true
		}
	}
	return false
}

func in[T any](objects map[string]T) func(string) bool {
	return func(name string) bool { _, there := objects[name]; return there }
}

// need is the snapshot of what a release needs; of one from before there were
// any, the schema at first sight.
func (d *Database) need(release string) (*catalog.Schema, error) {
	s, err := d.files.need(release)
	if err == nil && s == nil {
		s, err = d.files.schema(firstFile)
	}
	return s, err
}

func sizes(s *catalog.Schema) map[string]compat.Size {
	found := map[string]compat.Size{}
	for name, t := range s.Tables {
		found[name] = compat.Size{Rows: int64(max(t.Rows, 0)), Bytes: t.Bytes}
	}
	return found
}

var rank = [...]switcher.SchemaVerdict{switcher.SchemaBlock, switcher.SchemaLock, switcher.SchemaData, switcher.SchemaWarn, switcher.SchemaPass}

// once puts the worst first, and leaves out what is told already. Whoever accepts
// an id accepts all that it stands for, so everything that stops is told.
func once(findings []switcher.SchemaFinding) []switcher.SchemaFinding {
	slices.SortStableFunc(findings, func(a, b switcher.SchemaFinding) int {
		return slices.Index(rank[:], a.Verdict) - slices.Index(rank[:], b.Verdict)
	})
	told := map[string]bool{}
	return slices.DeleteFunc(findings, func(f switcher.SchemaFinding) bool {
		id := f.ID("")
		known := told[id] && !f.Stops() || told[id+f.What]
		told[id], told[id+f.What] = true, true
		return known
	})
}

// allow marks the findings that the request accepts. Accepting what is not
// there is refused: the plan is another one than the one that was looked at.
func (m *migration) allow(findings []switcher.SchemaFinding) error {
	m.accepted = map[string]string{}
	for _, id := range m.Request.Allow {
		found := false
		for i, f := range findings {
			if f.ID(m.plan) == id {
				findings[i].Allowed, found = m.Request.Reason, true
				m.accepted[id] = m.Request.Reason
			}
		}
		if !found {
			return &switcher.Error{
				Code: switcher.CodeRefused, What: fmt.Sprintf("there is nothing to accept as %s in plan %s", id, m.plan), Findings: findings, Plan: m.plan,
				Hint: "the migrations or the schema are others than when that was found: look at what is found now, `bluegreen db plan` shows it",
			}
		}
	}
	return nil
}

// allowedFile holds what was accepted: reasons by id of finding, which is bound to
// its plan.
const allowedFile = "allowed.json"

func (d *Database) allowed() (map[string]string, error) {
	found := map[string]string{}
	content, err := os.ReadFile(d.files.path(allowedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return found, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &found)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.files.path(allowedFile), err)
	}
	return found, nil
}

// accept keeps what was accepted, for the standing checks: the release that runs
// is said to live with it.
func (d *Database) accept(accepted map[string]string) error {
	if len(accepted) == 0 {
		return nil
	}
	all, err := d.allowed()
	if err != nil {
		return err
	}
	maps.Copy(all, accepted)
	return d.putAllowed(all)
}

// unaccept forgets what was accepted for the release that runs, once what it needs
// was moved: an earlier one may have needed the same schema, and what a contract
// took from it.
func (d *Database) unaccept(accepted map[string]string) error {
	if len(accepted) == 0 {
		return nil
	}
	all, err := d.allowed()
	if err != nil {
		return err
	}
	maps.DeleteFunc(all, func(id, _ string) bool { _, is := accepted[id]; return is })
	return d.putAllowed(all)
}

func (d *Database) putAllowed(all map[string]string) error {
	content, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return d.files.write(allowedFile, content)
}

// fit compares what a release needs with the live schema. Locks are of the past.
func (d *Database) fit(release string, now *catalog.Schema, role appRole) (switcher.Fit, error) {
	fit := switcher.Fit{Release: release, Checked: time.Now(), Findings: []switcher.SchemaFinding{}}
	need, err := d.need(release)
	if err == nil && need == nil {
		need, err = now, d.firstSight(now)
	}
	if err != nil {
		fit.Unknown = err.Error()
		return fit, err
	}
	fit.Plan = planOf(need, now)
	if need.DigestAll() == now.DigestAll() || d.options.Gate.Mode == GateOff {
		return fit, nil
	}
	accepted, err := d.allowed()
	if err != nil {
		fit.Unknown = err.Error()
		return fit, err
	}
	o := d.rules(role)
	o.Standing = true
	for _, f := range compat.Compare(need, now, o) {
		if f.Verdict == switcher.SchemaLock {
			continue
		}
		f.Allowed = accepted[f.ID(fit.Plan)]
		if f.Stops() && d.options.Gate.Mode == GateWarn {
			f.Verdict = switcher.SchemaData // told, for somebody to review
		}
		fit.Findings = append(fit.Findings, f)
	}
	return fit, nil
}

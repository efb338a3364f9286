package backup

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// Verify restores a backup into an empty database, which keeps what was restored,
// and compares that with the manifest: schema, rows of every table that was
// counted, sequences. That it was the same, or in what it differed, is recorded in
// the manifest. What the role may not create, such as extensions that take a
// superuser, is left out. Planner statistics are not part of it: ANALYZE. After an
// error the database is not to be used.
func (s *Store) Verify(ctx context.Context, id string, into *Server, report func(switcher.Progress)) (*Manifest, error) {
	release, err := s.hold(id)
	if err != nil {
		return nil, err
	}
	defer release()
	m, how, err := s.restore(ctx, id, into, report)
	if err != nil {
		return nil, err
	}
	if report != nil {
		report(switcher.Progress{Text: "comparing what was restored"})
	}
	c := &comparison{m: m, leftOut: how.leftOut}
	if err := c.run(ctx, s, into); err != nil {
		return nil, err
	}
	m.Verified, m.Refuted = &Verification{At: time.Now().UTC().Truncate(time.Second), Took: how.took,
		Counted: c.counted, Left: c.left, LeftOut: how.leftOut, Schema: c.schema}, ""
	if len(c.differences) > 0 {
		m.Verified, m.Refuted = nil, summary(c.differences)
	}
	if err := m.write(s.Folder(id)); err != nil {
		return nil, err
	}
	if m.Refuted != "" {
		return m, &switcher.Error{Code: switcher.CodeFailed, What: "what was restored from backup " + id + " is not what was backed up: " + m.Refuted,
			Hint: "make another backup, and do not rely on this one", Output: head(c.differences, 20)}
	}
	return m, nil
}

// comparison compares a restored database with a manifest.
type comparison struct {
	m           *Manifest
	leftOut     []string
	counted     int
	left        int // tables without a count
	schema      bool
	differences []string
}

func (c *comparison) differ(format string, args ...any) {
	c.differences = append(c.differences, fmt.Sprintf(format, args...))
}

func (c *comparison) run(ctx context.Context, s *Store, restored *Server) error {
	conn, err := restored.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var now Manifest
	at, err := survey(ctx, conn, &now)
	if err != nil {
		return err
	}
	defer at.end(ctx)
	if err := c.rows(ctx, at.tx, now.Tables); err != nil {
		return sqlError(ctx, "counting what was restored", err)
	}
	c.sequences(now.Sequences)
	_, kept := c.m.Files[schemaFile]
	if !kept {
		return nil
	}
	want, err := readSchema(filepath.Join(s.Folder(c.m.ID), schemaFile))
	if err != nil {
		return err
	}
	got, err := catalog.ReadIn(ctx, at.tx)
	if err != nil {
		return sqlError(ctx, "reading the catalog of what was restored", err)
	}
	c.schema = true
	for _, difference := range Differences(want, got) {
		if !slices.ContainsFunc(c.leftOut, func(object string) bool { return isOf(difference, object) }) {
			c.differences = append(c.differences, difference)
		}
	}
	return nil
}

// isOf reports whether a difference is of an object or of the comment on it.
func isOf(difference, object string) bool {
	kind, name, _ := strings.Cut(object, " ")
	if event, ok := strings.CutPrefix(name, "trigger "); ok {
		kind, name = kind+" trigger", event
	}
	for _, written := range []string{kind + " " + name + " ", kind + " " + ident(name) + " "} {
		if strings.HasPrefix(difference, written) || strings.HasPrefix(difference, "other comment on "+written) {
			return true
		}
	}
	return false
}

func (c *comparison) rows(ctx context.Context, tx pgx.Tx, now map[string]Table) error {
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if _, ok := c.m.Tables[name]; !ok {
			c.differ("table %s was not in it", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.m.Tables)) {
		want := c.m.Tables[name]
		if _, ok := now[name]; !ok {
			c.differ("table %s is missing", name)
			continue
		}
		if want.Rows == nil {
			c.left++
			continue
		}
		var n int64
		if err := tx.QueryRow(ctx, "SELECT count(*) FROM ONLY "+name).Scan(&n); err != nil {
			return err
		}
		c.counted++
		if n < *want.Rows-want.Fewer || n > *want.Rows+want.More {
			c.differ("table %s has %d rows, not %d", name, n, *want.Rows)
		}
	}
	return nil
}

// sequences must lie between where they stood before the dump and after it. A
// sequence that was used for the first time meanwhile has no lower bound.
func (c *comparison) sequences(now map[string]Sequence) {
	for _, name := range slices.Sorted(maps.Keys(c.m.Sequences)) {
		want := c.m.Sequences[name]
		got, ok := now[name]
		switch {
		case !ok:
			c.differ("sequence %s is missing", name)
		case got.Last == nil && want.Last != nil:
			c.differ("sequence %s has never been used and stood at %d", name, *want.Last)
		case got.Last == nil:
		case want.Later == nil:
			c.differ("sequence %s stands at %d and had never been used", name, *got.Last)
		case want.Last != nil && !between(*got.Last, *want.Last, *want.Later):
			c.differ("sequence %s stands at %d, not %d", name, *got.Last, *want.Last)
		}
	}
}

// between does not ask which is the greater bound: sequences may count down, and
// may have been set back.
func between(n, a, b int64) bool { return n >= min(a, b) && n <= max(a, b) }

func summary(differences []string) string {
	text := strings.Join(head(differences, 3), "; ")
	if more := len(differences) - 3; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

func head(list []string, n int) []string { return list[:min(n, len(list))] }

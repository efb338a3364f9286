package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/locks"
	"sofiacall.com/bluegreen/postgres/replay"
	"sofiacall.com/bluegreen/switcher"
)

// statements are what the app was seen to run, tried in the copy before the
// migrations.
type statements struct {
	all    []replay.Statement
	before []replay.Outcome
}

// judged reports whether anybody asks what the migrations mean.
func (m *migration) judged() bool { return m.Active != nil && m.d.options.Gate.Mode != GateOff }

// collect gets what the app was seen to run on the live database, and tries it.
func (r *rehearsal) collect(ctx context.Context) (*statements, error) {
	m := r.m
	if !m.judged() {
		return nil, nil
	}
	all, unknown, err := replay.Collect(ctx, m.w.conn, m.app.Name)
	if err != nil {
		return nil, m.w.explain(ctx, err, "reading the statements of the app in")
	}
	if unknown != "" {
		m.Say("statements of the app are not tried: %s", unknown)
	}
	if len(all) == 0 {
		return nil, nil
	}
	s := &statements{all: all}
	s.before, err = r.try(ctx, all)
	return s, err
}

// again tries them after the migrations.
func (s *statements) again(ctx context.Context, r *rehearsal) ([]switcher.SchemaFinding, error) {
	if s == nil {
		return nil, nil
	}
	after, err := r.try(ctx, s.all)
	if err != nil {
		return nil, err
	}
	r.m.Say("statements of the app were tried on the new schema: %d", len(s.all))
	return replay.Findings(s.before, after), nil
}

// try tries statements in the copy, as the app.
func (r *rehearsal) try(ctx context.Context, all []replay.Statement) ([]replay.Outcome, error) {
	conn, err := r.m.d.asApp(ctx, r.b.name)
	if err != nil {
		return nil, err
	}
	defer hangUp(conn)
	outcomes, err := replay.Try(ctx, conn, all)
	if err != nil {
		return nil, explain(ctx, err, "trying the statements of the app in", conn.Config())
	}
	return outcomes, nil
}

// watched runs the migrations in the copy, and watches what they lock and
// rewrite. The connection has nothing else to do meanwhile.
func (r *rehearsal) watched(ctx context.Context, conn *pgx.Conn) (*locks.Seen, error) {
	m := r.m
	watch, err := locks.Start(ctx, conn)
	if err != nil {
		return nil, explain(ctx, err, "watching the locks in", conn.Config())
	}
	failed := m.d.perform(ctx, m.attempt("rehearsal", r.b.name, false))
	seen, err := watch.Stop(ctx)
	if failed != nil {
		return nil, r.failed(failed)
	}
	if err != nil {
		return nil, explain(ctx, err, "watching the locks in", conn.Config())
	}
	return seen, nil
}

func (r *rehearsal) lockOptions() locks.Options {
	o := locks.Options{LargeBytes: r.m.d.options.Gate.LargeTable, Bookkeeping: r.m.bookkeeping(), Sizes: map[string]locks.Size{}}
	for name, t := range r.m.before.Tables {
		o.Sizes[name] = locks.Size{Rows: int64(max(t.Rows, 0)), Bytes: t.Bytes}
	}
	return o
}

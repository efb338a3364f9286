package switcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// base is a Database in memory, which can be brought to fail in every way. It is
// as strict as a real one: it refuses work that is not described, and two pieces
// of work at once.
type base struct {
	mu       sync.Mutex
	down     error          // what it answers everything with
	hung     bool           // it answers nothing
	unasked  error          // why it cannot be asked at all
	blind    bool           // Status knows nothing of it
	fits     map[string]Fit // by release; without one it fits
	standing map[string]Fit // what Status says of them, likewise
	status   DatabaseStatus // what else it says
	steps    []string       // that work marks
	slow     time.Duration  // how long each lasts
	refuse   error          // what Migrate and Do end with
	during   func()         // called in the middle of work
	left     string         // what Recover says
	busy     bool
	migrated []string // commits
	done     []Kind
	works    []DatabaseWork
	recovers int
	problems []string
}

func newBase() *base {
	return &base{fits: map[string]Fit{}, standing: map[string]Fit{}, steps: []string{"backup", "migrate"}}
}

// change changes what it does.
func (b *base) change(how func(*base)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	how(b)
}

// lose has it fail, or, with nil, answer again.
func (b *base) lose(err error) { b.change(func(b *base) { b.down = err }) }

func (b *base) problem(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, fmt.Sprintf(format, args...))
}

func (b *base) reach(ctx context.Context) error {
	b.mu.Lock()
	down, hung, unasked := b.down, b.hung, b.unasked
	b.mu.Unlock()
	if unasked != nil {
		return unasked
	}
	if hung {
		if _, bounded := ctx.Deadline(); !bounded {
			b.problem("asked for an answer without a deadline")
		}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return down
}

func (b *base) Answers(ctx context.Context) error { return b.reach(ctx) }

func (b *base) Fit(ctx context.Context, release string) (Fit, error) {
	if release == "" {
		b.problem("asked whether nothing fits")
	}
	if err := b.reach(ctx); err != nil {
		return Fit{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return fitIn(b.fits, release), nil
}

func fitIn(fits map[string]Fit, release string) Fit {
	f := fits[release]
	f.Release, f.Checked = release, time.Now()
	if f.Plan == "" {
		f.Plan = "fine"
	}
	f.Findings = slices.Clone(f.Findings)
	return f
}

func (b *base) Status() DatabaseStatus {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	st := b.status
	st.Name = "app"
	if b.unasked != nil {
		st.Error = b.unasked.Error()
		return st
	}
	st.CheckedAt = &now
	if b.blind {
		st.OK = true
		return st
	}
	st.OK = b.down == nil && !b.hung
	if b.down != nil {
		st.Error = b.down.Error()
	} else if b.hung {
		st.Error = "no answer within 2s"
	}
	for release := range b.standing {
		st.Fits = append(st.Fits, fitIn(b.standing, release))
	}
	return st
}

func (b *base) PlanRestore(ctx context.Context, r DatabaseRequest) (RestorePlan, error) {
	if err := b.reach(ctx); err != nil {
		return RestorePlan{}, err
	}
	return RestorePlan{ID: "plan", Backup: r.Backup, Lost: 3}, nil
}

func (b *base) begin(work DatabaseWork) error {
	b.mu.Lock()
	busy := b.busy
	b.busy = true
	b.works = append(b.works, work)
	b.mu.Unlock()
	switch {
	case busy:
		b.problem("two pieces of work at once")
	case work.Teller == nil || work.Operation == "" || work.Actor == "" || work.Freeze == nil || work.Hold == nil:
		b.problem("work without what it needs: %+v", work)
	case len(work.Request.Allow) > 0 && work.Request.Reason == "":
		b.problem("a finding is allowed without a reason")
	}
	return nil
}

func (b *base) work(ctx context.Context, work DatabaseWork) error {
	if err := b.begin(work); err != nil {
		return err
	}
	defer b.change(func(b *base) { b.busy = false })
	b.mu.Lock()
	steps, slow, refuse, during := b.steps, b.slow, b.refuse, b.during
	b.mu.Unlock()
	for _, step := range steps {
		if err := work.Mark(step); err != nil {
			return err
		}
		told := work.Enter(step)
		if err := sleep(ctx, slow); err != nil {
			if errors.Is(err, ErrDiscarded) {
				return fmt.Errorf("the migration was ended in step %s; nothing was applied", step)
			}
			return err
		}
		told("%s is done", step)
	}
	if during != nil {
		during()
	}
	return refuse
}

func (b *base) Migrate(ctx context.Context, work DatabaseWork) error {
	if work.Release == nil || work.Release.ImageID == "" {
		b.problem("a migration of no release that is here: %+v", work.Release)
	}
	if err := b.work(ctx, work); err != nil {
		return err
	}
	b.change(func(b *base) { b.migrated = append(b.migrated, work.Release.Commit) })
	return nil
}

func (b *base) Do(ctx context.Context, kind Kind, work DatabaseWork) (string, error) {
	if !kind.OfDatabase() {
		b.problem("asked to do %q", kind)
	}
	if err := b.work(ctx, work); err != nil {
		return "", err
	}
	b.change(func(b *base) { b.done = append(b.done, kind) })
	return string(kind) + " is done", nil
}

func (b *base) Recover(ctx context.Context, t Teller) (string, error) {
	b.change(func(b *base) { b.recovers++ })
	b.mu.Lock()
	slow, left, down := b.slow, b.left, b.down
	b.mu.Unlock()
	if err := sleep(ctx, slow); err != nil {
		return "", err
	}
	if down != nil {
		return "", down
	}
	t.Say("nothing of the database is left half done")
	return left, nil
}

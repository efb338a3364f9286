package switcher

import (
	"context"
	"time"
)

// concernsDatabase reports whether an interrupted operation may have left
// something of the database half done.
func (a *App) concernsDatabase(j *Journal) bool {
	return a.settings.Load().Database != nil && (j.Kind == KindDeploy || j.Kind.OfDatabase())
}

// settleDatabase ends what an earlier process has begun on the database, which
// may take as long as a migration does, and returns what has become of that. A
// database that cannot be asked keeps nothing else from being repaired.
func (a *App) settleDatabase(ctx context.Context, op *Operation) string {
	db := a.settings.Load().Database
	a.mu.Lock()
	due := a.unsettled && db != nil
	a.unsettles = time.Now()
	a.mu.Unlock()
	if !due {
		return ""
	}
	told := op.enter("database")
	found, err := db.Recover(ctx, telling{a, op})
	switch {
	case ctx.Err() != nil:
		return ""
	case err != nil:
		a.log.Warn("what an earlier process has left of the database is not known yet", "error", err)
		op.warn("what was left of the database is not known yet: %v; it is looked at again in the background", err)
		return "what became of the database is not known yet: " + err.Error()
	}
	a.mu.Lock()
	a.unsettled = false
	a.mu.Unlock()
	told("nothing of the database is left half done")
	return found
}

// settleEvery is how often that is tried again.
const settleEvery = 30 * time.Second

// retryRecovery recovers again when the database could not be asked the last
// time.
func (a *App) retryRecovery() {
	a.mu.Lock()
	due := a.unsettled && !a.unsettles.IsZero() && a.op == nil && time.Since(a.unsettles) >= settleEvery
	if due {
		a.unswept = true
	}
	a.mu.Unlock()
	if due {
		a.wakeSweep()
	}
}

package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

func TestAMigrationBehindALongTransactionGivesUpAndTriesAgain(t *testing.T) {
	l := newLab(t, func(o *Options) { o.LockTimeout, o.LockRetries = 200*time.Millisecond, 20 })
	first := l.release(users)
	l.deploy(first, nil)
	holder := pgtest.Connect(t, l.db.OwnerURL)
	if _, err := holder.Exec(t.Context(), "BEGIN; LOCK TABLE users IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	// The app goes on: nobody waits for longer than the lock timeout.
	stop, longest := make(chan struct{}), make(chan time.Duration)
	go func() {
		app := pgtest.Connect(t, l.db.AppURL)
		var most time.Duration
		for {
			select {
			case <-stop:
				longest <- most
				return
			default:
			}
			began := time.Now()
			if _, err := app.Exec(context.Background(), "INSERT INTO users (email) VALUES ('a')"); err != nil {
				t.Error(err)
			}
			most = max(most, time.Since(began))
		}
	}()
	attempts := 0
	l.jobs.before = func(job switcher.Job) {
		if strings.Contains(job.ID, "-live") {
			if attempts++; attempts == 3 {
				_, _ = holder.Exec(context.Background(), "ROLLBACK")
			}
		}
	}
	l.deploy(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first)
	close(stop)
	if most := <-longest; most > 10*200*time.Millisecond {
		t.Errorf("the app waited for %v", most)
	} else {
		t.Logf("the app waited for %v at most", most)
	}
	if attempts != 3 || !l.teller.has("attempt 2 of 21 gave up after 200ms") || !l.teller.has("with attempt 3") {
		t.Errorf("%d attempts\n%s", attempts, l.teller)
	}
	l.clean()
}

func TestALockThatIsNeverToBeHadEndsTheMigration(t *testing.T) {
	l := newLab(t, func(o *Options) { o.LockRetries = 1 })
	first := l.release(users)
	l.deploy(first, nil)
	holder := pgtest.Connect(t, l.db.OwnerURL)
	if _, err := holder.Exec(t.Context(), "BEGIN; LOCK TABLE users IN ACCESS SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	says(t, l.d.Migrate(t.Context(), l.work(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first)), switcher.CodeFailed,
		"did not get a lock within 100ms, in 2 attempts", "nothing of the schema has changed")
	l.clean()
}

func TestAnInvalidIndexOfAnAttemptIsDroppedBeforeTheNext(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	holder := pgtest.Connect(t, l.db.OwnerURL)
	if _, err := holder.Exec(t.Context(), "BEGIN; INSERT INTO users (email) VALUES ('a')"); err != nil {
		t.Fatal(err)
	}
	go func() {
		watch := pgtest.Connect(t, l.db.OwnerURL)
		for broken := 0; broken == 0; time.Sleep(5 * time.Millisecond) { // once an attempt has given up
			if watch.QueryRow(context.Background(), "SELECT count(*) FROM pg_index WHERE NOT indisvalid AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index)").Scan(&broken) != nil {
				break
			}
		}
		if _, err := holder.Exec(context.Background(), "COMMIT"); err != nil {
			t.Error(err)
		}
	}()
	l.deploy(l.release(users, "CREATE INDEX CONCURRENTLY by_email ON users (email)"), first)
	if !l.teller.has("invalid index public.by_email, which an attempt had left, is dropped") {
		t.Errorf("%s", l.teller)
	}
	if !strings.Contains(l.schema(), "by_email") {
		t.Error("the index was not built")
	}
	l.clean()
}

func TestADiscardEndsARehearsalAtOnce(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	l.jobs.before = func(job switcher.Job) {
		if strings.HasSuffix(job.ID, "-rehearsal") {
			cancel(switcher.ErrDiscarded)
		}
	}
	err := l.d.Migrate(ctx, l.work(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first))
	if !errors.Is(err, switcher.ErrDiscarded) {
		t.Errorf("got %v", err)
	}
	l.clean()
}

func TestADiscardOfALiveMigrationTellsWhatItHasLeft(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	second := l.release(users, "ALTER TABLE users ADD COLUMN a int", "SELECT pg_sleep(CASE current_database() WHEN '"+l.db.Name+"' THEN 60 ELSE 0 END)")
	l.jobs.before = func(job switcher.Job) {
		if strings.HasSuffix(job.ID, "-live1") {
			go func() {
				l.goesOnInTheServer(true)
				cancel(switcher.ErrDiscarded)
			}()
		}
	}
	err := l.d.Migrate(ctx, l.work(second, first))
	if !errors.Is(err, switcher.ErrDiscarded) {
		t.Errorf("got %v", err)
	}
	says(t, err, switcher.CodeFailed, "were ended; a part of them was applied", "public.users.a")
	l.goesOnInTheServer(false)
	l.clean()
}

func TestWhatADeadToolHasLeftRunningIsEndedBeforeAnybodyLooks(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	second := l.release(users, "SELECT 1 / (current_database() LIKE 'bluegreen%')::int")
	l.jobs.before = func(job switcher.Job) {
		if !strings.HasSuffix(job.ID, "-live1") {
			return
		}
		tool, err := pgx.Connect(context.Background(), job.Environment["DATABASE_URL"])
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer hangUp(tool)
			_, _ = tool.Exec(context.Background(), "SELECT pg_sleep(60)")
		}()
		l.goesOnInTheServer(true)
	}
	err := l.d.Migrate(t.Context(), l.work(second, first))
	says(t, err, switcher.CodeFailed, "nothing of the schema has changed")
	l.goesOnInTheServer(false)
	l.clean()
}

// goesOnInTheServer waits until a session sleeps in the live database, or fails
// when one does although nobody should.
func (l *lab) goesOnInTheServer(should bool) {
	watch, err := pgx.Connect(context.Background(), l.db.OwnerURL)
	if err != nil {
		l.t.Error(err)
		return
	}
	defer hangUp(watch)
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		var sleeping int
		err := watch.QueryRow(context.Background(), "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()").Scan(&sleeping)
		switch {
		case err != nil:
			l.t.Error(err)
			return
		case should && sleeping > 0:
			return
		case !should:
			if sleeping > 0 {
				l.t.Error("the server goes on with what was ended")
			}
			return
		}
	}
	l.t.Error("no session has begun to sleep")
}

func TestTheEndOfTheEdgeLeavesALiveMigrationToTheNextOne(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	ctx, cancel := context.WithCancel(t.Context())
	l.jobs.before = func(job switcher.Job) {
		if strings.HasSuffix(job.ID, "-live1") {
			cancel()
		}
	}
	err := l.d.Migrate(ctx, l.work(l.release(users, "ALTER TABLE users ADD COLUMN a int"), first))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if j, err := l.d.files.journal(); j == nil || err != nil || !l.jobs.exist[j.Job] {
		t.Errorf("the next edge does not know of it: %+v %v", j, err)
	}
}

func TestAttemptsAreFurtherApartEachTimeAndNotInStep(t *testing.T) {
	const lock = 2 * time.Second
	for n, want := range map[int]time.Duration{1: 2 * time.Second, 2: 4 * time.Second, 3: 8 * time.Second, 9: longestBackoff, 90: longestBackoff} {
		if least, most := backoff(n, lock, 0), backoff(n, lock, 1); least != want || most != want*3/2 {
			t.Errorf("attempt %d: %v to %v", n, least, most)
		}
	}
}

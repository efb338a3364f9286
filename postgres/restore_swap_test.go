package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// failpoints of a restore, in their order.
var restoreFailpoints = []string{
	"begun", "created", "restored", "dressed", "swapping", "closed", "ended", "settled", "away", "here", "judged", "finished",
}

// The process that restores is killed at each of its steps; the next one finds
// out what to do from the databases that there are.
func TestAfterAKillAtAnyStepTheAppHasItsDatabase(t *testing.T) {
	if text := os.Getenv(killedEnv); text != "" {
		restoreAndDie(t, text)
		return
	}
	c := pgtest.Start(t)
	for _, at := range restoreFailpoints {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			r := newRuin(t, c)
			r.unverified()
			pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('late')")
			killedRestore(t, r, at)

			r.open(func(o *Options) { o.Dir = r.db.options.Dir })
			said, err := r.db.recoverRestore(t.Context(), r.lent)
			if err != nil {
				t.Fatal(err)
			}
			pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('after')")
			rows, want := r.ask("SELECT count(*) FROM entries"), "102"
			kept := r.Name
			switch at {
			case "away", "here", "judged", "finished":
				want, kept = "101", r.Name+" "+r.Name+"_failed"
				if recorded, err := r.db.files.schema(liveFile); recorded == nil || err != nil {
					t.Errorf("the restored schema is not recorded, so deploys would take it for a change by hand: %v", err)
				}
			}
			if rows != want || r.databases() != kept {
				t.Errorf("%s rows in %q, and the restore was said to be: %s", rows, r.databases(), said)
			}
			if said, err := r.db.recoverRestore(t.Context(), r.lent); said != "" || err != nil {
				t.Errorf("once more: %q, %v", said, err)
			}
			if at == "ended" || at == "away" {
				r.mustRestore() // nothing is in the way of the next one
			}
		})
	}
}

// killedEnv holds a killed, as JSON, for the process that restores.
const killedEnv = "BLUEGREEN_TEST_KILLED"

// killed says to another process of this test what to restore, and where to end.
type killed struct{ Owner, App, Dir, At string }

func killedRestore(t *testing.T, r *ruin, at string) {
	t.Helper()
	text, err := json.Marshal(killed{r.OwnerURL, r.AppURL, r.db.options.Dir, at})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestAfterAKillAtAnyStepTheAppHasItsDatabase$", "-test.v")
	cmd.Env = append(os.Environ(), killedEnv+"="+string(text))
	said, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() {
		t.Fatalf("it was not killed at %s: %v\n%s", at, err, said)
	}
}

// restoreAndDie is what that process does.
func restoreAndDie(t *testing.T, text string) {
	t.Helper()
	var k killed
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		t.Fatal(err)
	}
	r := &ruin{t: t, Database: &pgtest.Database{OwnerURL: k.Owner, AppURL: k.App}, lent: &lender{}}
	r.open(func(o *Options) {
		o.Dir = k.Dir
		o.Failpoint = func(name string) {
			if name == "restore/"+k.At {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	})
	r.mustRestore()
}

// at runs something at a failpoint.
func at(name string, do func()) func(*Options) {
	return func(o *Options) {
		o.Failpoint = func(reached string) {
			if reached == "restore/"+name {
				do()
			}
		}
	}
}

func TestAStepThatFailsIsUndone(t *testing.T) {
	c := pgtest.Start(t)
	var r *ruin
	// A session of a superuser is one that the owner cannot end.
	intrude := func(database func() string) func() {
		return func() {
			config, _ := pgx.ParseConfig(c.Superuser)
			config.Database = database()
			conn, err := pgx.ConnectConfig(context.Background(), config)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
		}
	}
	beside := func() string {
		return ask(t, c.Superuser, "SELECT datname FROM pg_database WHERE datname LIKE 'bluegreen_shop_restore_%' AND datdba = $1::text::regrole", r.Owner)
	}
	for _, test := range []struct {
		name, at, want string
		do             func()
	}{
		{"sessions stay", "swapping", "sessions of postgres", intrude(func() string { return r.Name })},
		{"the restored one is in use", "away", "sessions of postgres", intrude(beside)},
		{"the app cannot connect", "here", "connecting", func() {
			pgtest.Exec(t, c.Superuser, "REVOKE CONNECT ON DATABASE "+r.Name+" FROM PUBLIC, "+r.App)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r = newRuin(t, c, at(test.at, test.do))
			r.unverified()
			pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('late')")
			_, err := r.restore(r.plan())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "undone") {
				t.Fatalf("got %v", err)
			}
			pgtest.Exec(t, r.AppURL, "INSERT INTO entries (text) VALUES ('after')")
			if rows := r.ask("SELECT count(*) FROM entries"); rows != "102" {
				t.Errorf("%s rows", rows)
			}
			if j, err := r.db.files.restore(); test.name != "the restored one is in use" && (r.databases() != r.Name || j != nil || err != nil) {
				t.Errorf("left: %s, %v", r.databases(), j)
			}
			if !r.lent.said("release") {
				t.Error("requests are still held")
			}
		})
	}
}

// Every row that an app has committed is either in the restored database or in
// the kept one, and was counted as lost.
func TestAStormOfAnAppThatReconnectsLosesNothingUnseen(t *testing.T) {
	c := pgtest.Start(t)
	r := newRuin(t, c)
	r.unverified()
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	var written, refused atomic.Int64
	var restored atomic.Bool
	for range 12 {
		writers.Go(func() {
			for ctx.Err() == nil {
				conn, err := pgx.Connect(ctx, r.AppURL)
				if err != nil {
					refused.Add(1)
					continue
				}
				for range 20 {
					if _, err := conn.Exec(ctx, "INSERT INTO entries (text) VALUES ('storm')"); err != nil {
						break
					}
					if !restored.Load() {
						written.Add(1)
					}
				}
				_ = conn.Close(context.Background())
			}
		})
	}
	for written.Load() < 500 {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	said, err := r.restore(r.plan())
	restored.Store(true)
	took := time.Since(began)
	stop()
	writers.Wait()
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(r.lent.lines, "\n"))
	}
	kept := ask(t, c.Superuser, "SELECT datname FROM pg_database WHERE datname ~ $1", "^"+r.Name+"_failed_")
	config, _ := pgx.ParseConfig(c.Superuser)
	config.Database = kept
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var lost, last int64
	if err := conn.QueryRow(t.Context(), "SELECT count(*) - 100, max(id) FROM entries").Scan(&lost, &last); err != nil {
		t.Fatal(err)
	}
	t.Logf("in %v: %d rows written, %d connections refused; %s", took.Round(time.Millisecond), written.Load(), refused.Load(), said)
	if !strings.Contains(said, fmt.Sprintf(" %d written rows lost", lost)) {
		t.Errorf("%d rows were lost; told was %s", lost, said)
	}
	if again := r.ask("SELECT count(*) FROM entries WHERE id BETWEEN 101 AND $1", last); again != "0" {
		t.Errorf("%s ids were given out twice", again)
	}
}

func TestRequestsWaitForTheSwapAndWritesAreRefusedBeforeTheLastLook(t *testing.T) {
	r := newRuin(t, pgtest.Start(t))
	r.unverified()
	plan, err := r.db.PlanRestore(t.Context(), switcher.DatabaseRequest{FreezeWrites: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.restore(plan); err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, line := range r.lent.lines {
		for _, part := range []string{"mark restore", "freeze true", "will be lost, 0 had", "mark swap", "hold", "release", "freeze false"} {
			if strings.HasPrefix(line, part) || strings.Contains(line, part) && strings.HasPrefix(part, "will") {
				order = append(order, part)
			}
		}
	}
	if got, want := strings.Join(order, ", "), "mark restore, freeze true, will be lost, 0 had, mark swap, hold, release, freeze false"; got != want {
		t.Errorf("order: %s\nwant %s\n%s", got, want, strings.Join(r.lent.lines, "\n"))
	}
}

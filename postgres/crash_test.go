package postgres

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/switcher"
)

// What a child process is told, which kills itself in the middle of a deploy.
const (
	childDir   = "POSTGRES_TEST_DIR"
	childOwner = "POSTGRES_TEST_OWNER_URL"
	childApp   = "POSTGRES_TEST_APP_URL"
	childKill  = "POSTGRES_TEST_KILL_AT" // name of a failpoint; empty: write the names of all
)

// crashSteps are the migrations of the release that is being deployed then.
var crashSteps = []string{users, "ALTER TABLE users ADD COLUMN a int", "ALTER TABLE users ADD COLUMN b int"}

// child deploys, and kills itself.
func child() {
	j := newJobs()
	j.steps["i2"] = crashSteps
	o := labOptions(os.Getenv(childDir), os.Getenv(childOwner), os.Getenv(childApp), j)
	at := os.Getenv(childKill)
	point := func(name string) {
		if at == "" {
			fmt.Println("point", name)
		} else if at == name {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	o.Failpoint = point
	// Between two steps of the live migration.
	j.before = func(job switcher.Job) {
		if strings.HasSuffix(job.ID, "live1") && at == "half" {
			tool(context.Background(), job.Environment["DATABASE_URL"], "migrate", crashSteps[:2], func(string) {})
		}
		if strings.HasSuffix(job.ID, "live1") {
			point("half")
		}
		if strings.HasSuffix(job.ID, "rehearsal") {
			point("rehearsing")
		}
	}
	d, err := New(o)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	release := &switcher.Release{ID: "r2", Commit: "c2", ImageID: "i2"}
	err = d.Migrate(context.Background(), switcher.DatabaseWork{
		Teller: &teller{}, Operation: "op2", Actor: "maria", Release: release, Active: &switcher.Release{ID: "r1", Commit: "c1", ImageID: "i1"},
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// crash has a child kill itself at a failpoint, and returns what it wrote.
func (l *lab) crash(dir, at string) string {
	l.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir, childOwner+"="+l.db.OwnerURL, childApp+"="+l.db.AppURL, childKill+"="+at)
	said, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); at != "" && (!ok || !status.Signaled()) || at == "" && err != nil {
		l.t.Fatalf("the child did not end as it should at %q: %v\n%s", at, err, said)
	}
	return string(said)
}

func TestAfterAKillInAnyStepNothingIsLeftAndTheTruthIsTold(t *testing.T) {
	points := map[string]string{ // and what is told of it
		"backup": "", "rehearsal": "", "scratch": "", "filled": "", "rehearsing": "",
		"migrate":  "did not come to their end: nothing of the schema has changed",
		"half":     "did not come to their end: a part of them was applied, which the release that runs can live with; applied was: ",
		"migrated": "the migrations of c2 (r2) were applied",
		"verify":   "the migrations of c2 (r2) were applied",
		"record":   "the migrations of c2 (r2) were applied",
	}
	newCrash := func(t *testing.T) (*lab, string) {
		dir := t.TempDir()
		l := newLab(t, func(o *Options) { o.Dir = filepath.Join(dir, "databases", "shop") })
		l.deploy(l.release(users), nil)
		return l, dir
	}
	l, dir := newCrash(t)
	scanner := bufio.NewScanner(strings.NewReader(l.crash(dir, "")))
	for scanner.Scan() {
		if name, is := strings.CutPrefix(scanner.Text(), "point "); is {
			if _, known := points[name]; !known {
				t.Errorf("failpoint %q is not tried", name)
			}
		}
	}
	for at, want := range points {
		t.Run(at, func(t *testing.T) {
			l, dir := newCrash(t)
			l.crash(dir, at)
			l.open()
			told := &teller{}
			got, err := l.d.Recover(t.Context(), told)
			if err != nil || !strings.Contains(got, want) || want == "" && got != "" {
				t.Errorf("told %q %v, want %q\n%s", got, err, want, told)
			}
			if at == "half" && (!strings.Contains(got, "public.users.a") || strings.Contains(got, "public.users.b")) {
				t.Errorf("told %q", got)
			}
			l.clean()
			if entries, _ := filepath.Glob(filepath.Join(l.options.Dir, "backups", "*.partial")); len(entries) > 0 {
				t.Errorf("partial backups are left: %v", entries)
			}
			// The next deploy takes up from there.
			next := l.release(crashSteps...)
			l.deploy(next, &switcher.Release{ID: "r1"})
			if !strings.Contains(l.schema(), "b integer") {
				t.Error("the next deploy did not migrate")
			}
			l.clean()
		})
	}
}

func TestAJobThatStillMigratesIsWaitedForAndOthersAreRemoved(t *testing.T) {
	l := newLab(t)
	first := l.release(users)
	l.deploy(first, nil)
	before, err := l.d.files.schema(liveFile)
	if err != nil {
		t.Fatal(err)
	}
	j := journal{Operation: "op9", Release: "c2 (r2)", Phase: expand, Job: "expand-op9-live1"}
	if err := l.d.files.putSchema(beforeFile, before); err != nil {
		t.Fatal(err)
	}
	if err := l.d.files.putJournal(j); err != nil {
		t.Fatal(err)
	}
	attached := &attached{t: t, url: l.db.OwnerURL}
	l.options.Jobs = attached
	l.open()
	got, err := l.d.Recover(t.Context(), &teller{})
	if len(l.d.looks) == 0 {
		t.Error("what the schema is to the releases is not looked at again")
	}
	if err != nil || !strings.Contains(got, "the migrations of c2 (r2) were applied") || attached.removed != "expand-op9-rehearsal" {
		t.Errorf("%q %v, removed %q", got, err, attached.removed)
	}
	l.jobs.exist = map[string]bool{}
	l.clean()
}

// attached has two jobs of an earlier process.
type attached struct {
	t       *testing.T
	url     string
	removed string
}

func (a *attached) Once(_ context.Context, job switcher.Job, take func(switcher.Line)) (int, error) {
	if job.ID != "expand-op9-live1" {
		a.t.Errorf("job %s was started", job.ID)
	}
	take(switcher.Line{Text: []byte("still at it")})
	pgtest.Exec(a.t, a.url, "ALTER TABLE users ADD COLUMN late int")
	return 0, nil
}

func (a *attached) Jobs(context.Context) ([]string, error) {
	return []string{"expand-op9-live1", "expand-op9-rehearsal"}, nil
}

func (a *attached) Remove(_ context.Context, id string) error { a.removed = id; return nil }

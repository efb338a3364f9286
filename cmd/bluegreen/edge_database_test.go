package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

func TestTheURLOfAnAppIsReadAnewWhereTheAppGetsIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chat.env")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := &config.App{Name: "chat", Runtime: config.RuntimeDocker, Database: config.Database{URLEnv: "DB"}}
	app.Container.EnvFile = config.EnvFiles{file}
	for _, want := range []string{"postgres://a@x/one", "postgres://a@x/two"} {
		write("OTHER=1\nDB=" + want + "\n")
		if got, err := appURL(app); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	app.Container.Environment = config.Environment{"DB": "postgres://a@x/three"}
	if got, err := appURL(app); err != nil || got != "postgres://a@x/three" {
		t.Errorf("environment does not win over env_file: %q, %v", got, err)
	}
	process := &config.App{Name: "chat", Runtime: config.RuntimeProcess, Database: config.Database{URLEnv: "DB"}}
	process.Process.Environment = config.Environment{"DB": "postgres://a@x/four"}
	if got, err := appURL(process); err != nil || got != "postgres://a@x/four" {
		t.Errorf("of a process: %q, %v", got, err)
	}
}

func TestAURLThatTheAppDoesNotGetIsNamedAndNothingIsShown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "chat.env")
	if err := os.WriteFile(file, []byte("OTHER=hunter2\nnot hunter2 at all'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := &config.App{Name: "chat", Runtime: config.RuntimeDocker, Database: config.Database{URLEnv: "DB"}}
	app.Container.EnvFile = config.EnvFiles{file}
	if _, err := appURL(app); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a file that cannot be read: %v", err)
	}
	if err := os.WriteFile(file, []byte("OTHER=hunter2\nDB=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := appURL(app)
	if err == nil || !strings.Contains(err.Error(), "gets no DB") || switcher.CodeOf(err) != switcher.CodeUsage {
		t.Errorf("an empty variable: %v", err)
	}
}

func TestTheTimeOfTheNightlyBackupIsCountedFromMidnight(t *testing.T) {
	for at, want := range map[string]time.Duration{
		"00:00": 0, "03:00": 3 * time.Hour, "23:59": 23*time.Hour + 59*time.Minute, config.Never: -1,
	} {
		if got := nightly(at); got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
}

// edgeWithDatabase runs an edge whose only app has a database, at an address
// where nobody answers.
func edgeWithDatabase(t *testing.T, adminURL string) (*edge, func() *config.Config) {
	t.Helper()
	e := newTestEdge(t, "")
	edge, load := e.inside()
	with := func() *config.Config {
		c := load()
		chat := c.Apps["chat"]
		chat.Process.Environment = config.Environment{"DATABASE_URL": "postgres://app:hunter2@127.0.0.1:1/chat"}
		chat.Database = config.Database{URLEnv: "DATABASE_URL", AdminURLEnv: "OWNER_URL", AdminURL: config.Secret(adminURL), LockTimeout: time.Second}
		chat.Database.Backup.Dir, chat.Database.Backup.At = filepath.Join(e.dir, "backups"), config.Never
		return c
	}
	edge.close() // its ports and its state go to the next
	made, err := newEdge(edgeOptions{Config: with(), Logger: edge.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.close)
	serve(t, made)
	return made, with
}

const nobody = "postgres://owner:hunter2@127.0.0.1:1/chat"

func TestAReloadReplacesTheDatabaseOfAnAppAndTakesItAway(t *testing.T) {
	edge, load := edgeWithDatabase(t, nobody)
	h := edge.apps["chat"]
	first := h.base
	if h.app.Status().Database == nil || first.real == nil {
		t.Fatal("the app has no database")
	}
	if err := edge.reloadWith(load()); err != nil || h.base != first {
		t.Errorf("a reload without a change made another database (%v)", err)
	}
	for what, change := range map[string]func(*config.App){
		"a lock timeout": func(a *config.App) { a.Database.LockTimeout = 3 * time.Second },
		"the app's URL":  func(a *config.App) { a.Process.Environment["DATABASE_URL"] += "2" },
	} {
		next, before := load(), h.base
		change(next.Apps["chat"])
		if err := edge.reloadWith(next); err != nil || h.base == before || h.base.real == nil {
			t.Errorf("%s: the old database stays (%v)", what, err)
		}
	}
	before := h.base
	next := load()
	next.Apps["chat"].Database.AdminURL = "postgres://owner:hunter2@127.0.0.1:port/chat"
	if err := edge.reloadWith(next); err == nil || h.base != before || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a URL that is none: %v", err)
	}
	without := load()
	without.Apps["chat"].Database = config.Database{}
	if err := edge.reloadWith(without); err != nil || h.app.Status().Database != nil {
		t.Errorf("the database stays (%v)", err)
	}
	if _, err := edge.backups(t.Context(), "chat"); switcher.CodeOf(err) != switcher.CodeUsage {
		t.Errorf("backups of no database: %v", err)
	}
}

// What an app's releases serve is worth more than a complaint about its database.
func TestADatabaseThatCannotBeMadeTakesNothingFromItsApp(t *testing.T) {
	edge, load := edgeWithDatabase(t, "postgres://owner:hunter2@127.0.0.1:port/chat")
	h := edge.apps["chat"]
	if status := h.app.Status(); status.Error != "" || status.Database == nil || status.Database.OK || strings.Contains(status.Database.Error, "hunter2") {
		t.Errorf("status = %+v", status)
	}
	if _, err := edge.backups(t.Context(), "chat"); err == nil || !strings.Contains(err.Error(), "nothing can be done with the database") {
		t.Errorf("backups: %v", err)
	}
	next := load()
	next.Apps["chat"].Database.AdminURL = nobody
	if err := edge.reloadWith(next); err != nil || h.base.real == nil {
		t.Errorf("a reload has not mended it: %v", err)
	}
}

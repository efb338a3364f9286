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

package pgtest

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { Main(m) }

func TestADatabaseHasAnOwnerAndAnAppWhoMayUseWhatTheOwnerMakes(t *testing.T) {
	d := Start(t).Database(t)
	Exec(t, d.OwnerURL, "CREATE TABLE a (id serial); INSERT INTO a DEFAULT VALUES")
	for _, url := range []string{d.AppURL, ThroughSocket(t, d.AppURL, d.Cluster.SocketDir)} {
		Exec(t, url, "INSERT INTO a DEFAULT VALUES")
		if TryExec(url, "CREATE TABLE b ()") == nil || TryExec(url, "DROP TABLE a") == nil {
			t.Error("the app's role may change the schema")
		}
	}
	Exec(t, d.OwnerURL, "CREATE DATABASE "+d.Name+"_scratch")
	if TryExec(d.OwnerURL, "CREATE ROLE other") == nil {
		t.Error("the owner's role is a superuser")
	}
	wrong := strings.Replace(d.AppURL, "app-secret", "wrong", 1)
	if err := TryExec(wrong, "SELECT 1"); err == nil || !strings.Contains(err.Error(), "28P01") {
		t.Errorf("a wrong password: got %v", err)
	}
}

func TestNothingIsLeftOfADatabaseAfterItsTest(t *testing.T) {
	c := Start(t)
	var name string
	t.Run("it", func(t *testing.T) {
		d := c.Database(t)
		name = d.Name
		Exec(t, d.OwnerURL, "CREATE DATABASE "+name+"_scratch")
		Connect(t, d.AppURL)
	})
	var left int
	err := Connect(t, c.Superuser).QueryRow(t.Context(), `SELECT (SELECT count(*) FROM pg_database WHERE datname ~ $1)
		+ (SELECT count(*) FROM pg_roles WHERE rolname ~ $1)`, "^"+name).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d databases and roles are left, %v", left, err)
	}
}

func TestAClusterOfItsOwnCanBeStoppedPausedAndStartedAgain(t *testing.T) {
	c := StartOwn(t, "max_connections=20")
	d := c.Database(t)
	Exec(t, d.OwnerURL, "CREATE TABLE a ()")
	c.Stop(t)
	if TryExec(d.OwnerURL, "TABLE a") == nil {
		t.Error("a stopped server answers")
	}
	c.Restart(t)
	Exec(t, d.OwnerURL, "TABLE a")
	c.Crash(t)
	c.Restart(t)

	resume := c.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if conn, err := pgx.Connect(ctx, d.OwnerURL); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a paused server answers")
	}
	resume()
	Exec(t, d.OwnerURL, "SELECT 1")
}

// A test binary may be killed, and must leave neither a server nor its files.
func TestAClusterEndsWithoutBeingStopped(t *testing.T) {
	c := StartOwn(t)
	_ = c.lifeline.Close()
	_ = c.running.Wait()
	c.running = nil
	if pid := c.server(); pid != 0 && syscall.Kill(pid, 0) == nil {
		t.Errorf("server %d goes on", pid)
	}
	if _, err := os.Stat(c.dir); err == nil {
		t.Errorf("%s is left", c.dir)
	}
}

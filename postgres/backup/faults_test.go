package backup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/internal/pgtest"
	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// until polls for at most a minute.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// empty fails unless nothing of a backup is in the store's folder.
func (l *lab) empty(t *testing.T) {
	t.Helper()
	entries, err := os.ReadDir(l.store.folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != "lock" {
			t.Errorf("%s was left behind", entry.Name())
		}
	}
}

// lockTable keeps pg_dump waiting for a table until the test ends.
func (l *lab) lockTable(t *testing.T) {
	t.Helper()
	if _, err := pgtest.Connect(t, l.SuperuserURL).Exec(t.Context(), "BEGIN; LOCK TABLE users"); err != nil {
		t.Fatal(err)
	}
}

// sessions counts those of backups in the database.
func (l *lab) sessions(t *testing.T, where string) (n int) {
	t.Helper()
	err := l.super.QueryRow(t.Context(),
		"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bluegreen backup' AND "+where).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

const waiting = "wait_event_type = 'Lock'"

func TestACancelledBackupLeavesNothing(t *testing.T) {
	l := newLab(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	changedHerMind := errors.New("she has changed her mind")
	from := l.source()
	from.Schema = func(context.Context, pgx.Tx) (*catalog.Schema, error) {
		l.lockTable(t)
		return &catalog.Schema{}, nil
	}
	ended := make(chan error)
	go func() {
		_, err := l.store.Create(ctx, from, nil)
		ended <- err
	}()
	until(t, "pg_dump waits", func() bool { return l.sessions(t, waiting) > 0 })
	arguments(t)
	cancel(changedHerMind)
	if err := <-ended; !errors.Is(err, changedHerMind) {
		t.Errorf("the backup ended with %v", err)
	}
	l.empty(t)
	until(t, "its sessions have ended", func() bool { return l.sessions(t, "true") == 0 })
}

func TestACancelledVerificationLeavesNoDatabase(t *testing.T) {
	l := newLab(t)
	m := l.backup(t)
	for _, when := range []string{"checking", "restoring", "comparing"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		changedHerMind := errors.New("she has changed her mind")
		_, err := l.verify(ctx, m.ID, func(p switcher.Progress) {
			if strings.HasPrefix(p.Text, when) {
				cancel(changedHerMind)
			}
		})
		if !errors.Is(err, changedHerMind) {
			t.Errorf("cancelled while %s: %v", when, err)
		}
		if left := l.databases(t); len(left) != 1 {
			t.Errorf("cancelled while %s: databases afterwards: %v", when, left)
		}
	}
	if list, err := l.store.List(); err != nil || list[0].Verified() || list[0].Manifest.Refuted != "" {
		t.Errorf("the list is %+v, %v", list[0], err)
	}
}

// arguments fails if a password is in the arguments of any process.
func arguments(t *testing.T) {
	t.Helper()
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	dumps := 0
	for _, path := range found {
		data, _ := os.ReadFile(path)
		line := string(data)
		if strings.Contains(line, "pg_dump\x00") {
			dumps++
			if strings.Contains(line, "owner-secret") {
				t.Errorf("arguments with a password: %q", line)
			}
		}
	}
	if dumps == 0 {
		t.Error("no pg_dump was found")
	}
}

// childFolder is set for the process that is killed.
const childFolder = "BACKUP_TEST_FOLDER"

// child makes a backup in that process, and waits for its parent before pg_dump.
func child(folder string) {
	store, err := Open(Options{Folder: folder, App: "shop"})
	if err != nil {
		log.Fatal(err)
	}
	server, err := ParseServer(os.Getenv("BACKUP_TEST_URL"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = store.Create(context.Background(), Source{Server: server, Reason: "deploy",
		Schema: func(context.Context, pgx.Tx) (*catalog.Schema, error) {
			fmt.Println("ready")
			_, err := bufio.NewReader(os.Stdin).ReadString('\n')
			return &catalog.Schema{}, err
		}}, nil)
	log.Fatal("the backup has ended: ", err)
}

func TestAKilledBackupLeavesNothing(t *testing.T) {
	l := newLab(t)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFolder+"="+l.store.folder, "BACKUP_TEST_URL="+l.OwnerURL)
	input, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for said := bufio.NewScanner(output); said.Scan() && said.Text() != "ready"; {
	}
	l.lockTable(t)
	if _, err := input.Write([]byte("go\n")); err != nil {
		t.Fatal(err)
	}
	until(t, "pg_dump waits", func() bool { return l.sessions(t, waiting) > 0 })

	_, err = l.store.Create(t.Context(), l.source(), nil)
	if switcher.CodeOf(err) != switcher.CodeBusy {
		t.Errorf("a second backup meanwhile: %v", err)
	}
	open(t, l.store.Options)
	if partials, _ := filepath.Glob(l.store.folder + "/*" + partial); len(partials) != 1 {
		t.Fatalf("partial backups while it is made: %v", partials)
	}
	if err := child.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	until(t, "pg_dump has ended too", func() bool { return l.sessions(t, "true") == 0 })
	if list, err := l.store.List(); err != nil || len(list) != 0 {
		t.Errorf("the list has %v, %v", list, err)
	}
	open(t, l.store.Options)
	l.empty(t)
}

// small puts the store on a disk of a few megabytes.
func (l *lab) small(t *testing.T, size string) {
	t.Helper()
	if err := unix.Mount("tmpfs", l.store.folder, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("mounting a small file system: %v", err)
		}
		t.Skipf("mounting a small file system needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(l.store.folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

const incompressible = "CREATE TABLE noise AS SELECT i, sha512(i::text::bytea) || sha512((-i)::text::bytea) AS bytes FROM generate_series(1, 10000) i"

func TestADiskThatIsTooSmallIsToldBefore(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.OwnerURL, incompressible)
	l.small(t, "1m")
	_, err := l.store.Create(t.Context(), l.source(), nil)
	wants(t, err, "a backup may need", "has 1.0 MiB left", "backup.dir")
	l.empty(t)
}

func TestADiskThatFillsUpMeanwhileLeavesNothing(t *testing.T) {
	l := newLab(t)
	pgtest.Exec(t, l.OwnerURL, incompressible)
	l.small(t, "8m")
	filler := l.store.folder + "/lock" // which is there anyway
	_, err := l.store.Create(t.Context(), l.source(), func(switcher.Progress) {
		_ = os.WriteFile(filler, make([]byte, 8<<20), 0o600)
	})
	wants(t, err, "No space left on device", "the disk is full")
	l.empty(t)
}

func TestAWrongPasswordIsToldWithoutIt(t *testing.T) {
	l := newLab(t)
	wrong := server(t, strings.Replace(l.OwnerURL, "owner-secret", "not-the-owner-secret", 1))
	_, err := wrong.Connect(t.Context())
	wants(t, err, "password authentication failed", "28P01", l.Name, l.Owner)
	if strings.Contains(told(err), "not-the") {
		t.Errorf("the error tells the password: %s", told(err))
	}

	from := l.source()
	from.Schema = func(context.Context, pgx.Tx) (*catalog.Schema, error) {
		pgtest.Exec(t, l.SuperuserURL, "ALTER ROLE "+l.Owner+" PASSWORD 'another'")
		return &catalog.Schema{}, nil
	}
	_, err = l.store.Create(t.Context(), from, nil)
	wants(t, err, "pg_dump ended with exit code 1", "password authentication failed")
	l.empty(t)

	_, err = ParseServer("postgres://u:owner-secret@h:notaport/d")
	wants(t, err, "cannot be understood")
}

func TestAnUnreachableServerIsToldByItsAddress(t *testing.T) {
	s := server(t, "postgres://ann:owner-secret@127.0.0.1:1/shop")
	_, err := s.Connect(t.Context())
	wants(t, err, "database shop on 127.0.0.1:1 as ann", "connection refused")
}

// A pg_dump that is too old cannot be had here; what it says of its version can.
func TestAnOldOrMissingPgDumpIsToldWithWhatToInstall(t *testing.T) {
	l := newLab(t)
	old := stand(t, "14.2")
	for _, test := range []struct {
		folders []string
		said    []string
	}{
		{[]string{old}, []string{old + "/pg_dump", "14.2", "version 15", "postgresql-client-15"}},
		{[]string{t.TempDir()}, []string{"no pg_dump", "postgresql-client"}},
	} {
		l.store.Tools = func(ctx context.Context) (Tools, error) { return FindTools(ctx, math.MaxInt, test.folders...) }
		_, err := l.store.Create(t.Context(), l.source(), nil)
		wants(t, err, test.said...)
		_, err = l.store.DumpSchema(t.Context(), l.server)
		wants(t, err, test.said...)
		_, err = l.store.Preflight(t.Context(), l.server)
		wants(t, err, test.said...)
		l.empty(t)
	}
}

func stand(t *testing.T, version string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"pg_dump", "pg_restore"} {
		script := "#!/bin/sh\necho '" + name + " (PostgreSQL) " + version + " (Debian)'\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheToolsOfTheServersVersionAreTaken(t *testing.T) {
	folders := []string{stand(t, "9.6.24"), stand(t, "15.9"), stand(t, "19beta1"), stand(t, "15.18"), stand(t, "14.22"), stand(t, "17.2"), "/nowhere"}
	for server, want := range map[int]string{150004: "15.18", 130001: "14.22", 160002: "17.2", 180000: "19beta1"} {
		found, err := FindTools(t.Context(), server, folders...)
		if err != nil || found.Version != want {
			t.Errorf("for %d: %+v, %v, want %s", server, found, err, want)
		}
	}
	found, err := FindTools(t.Context(), math.MaxInt, folders...)
	if err != nil || found.Version != "19beta1" || found.Suit(200000) == nil {
		t.Errorf("the newest are %+v, %v", found, err)
	}
}

// What another program wrote down of rows stays out of what is told.
func TestOutputIsBoundedAndHasNoRows(t *testing.T) {
	var kept lines
	fmt.Fprintln(&kept, "pg_restore: creating TABLE")
	fmt.Fprintln(&kept, "pg_restore: error: COPY failed for table \"t\": ERROR:  duplicate key")
	fmt.Fprintln(&kept, "DETAIL:  Key (email)=(ann@example.com) already exists.")
	fmt.Fprintln(&kept, "CONTEXT:  COPY t, line 2: \"ann@example.com\"")
	for range 1000 {
		fmt.Fprintln(&kept, strings.Repeat("x", 1000))
	}
	err := command{program: "pg_restore"}.failure(errors.New("exit"), kept.explanation())
	text := told(err)
	if strings.Contains(text, "ann@") || len(text) > 20_000 || !strings.Contains(text, "duplicate key") || slices.Contains(kept.kept, "pg_restore: creating TABLE") {
		t.Errorf("told %d bytes: %s", len(text), cut(text, 500))
	}
}

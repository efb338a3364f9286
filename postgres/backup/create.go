package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/switcher"
)

// Source is what a backup is made of.
type Source struct {
	Server  *Server // connects to the database, as a role that may read all of it
	Reason  string  // one word of the id, such as deploy or nightly
	Release string  // id of the release it is made for; empty: none
	Commit  string

	// Schema reads the catalog, in the snapshot of the backup; nil: it is not
	// kept, and a verification cannot compare it.
	Schema func(context.Context, pgx.Tx) (*catalog.Schema, error)
}

// Create makes a backup and returns its manifest. A failure leaves nothing, and
// neither does the end of ctx. report is told how far it is; it may be nil.
func (s *Store) Create(ctx context.Context, from Source, report func(switcher.Progress)) (*Manifest, error) {
	release, err := s.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	if err := s.tidy(); err != nil {
		return nil, err
	}
	d := &dump{store: s, from: from, report: report, started: time.Now()}
	if err := d.make(ctx); err != nil {
		if d.folder != "" {
			err = errors.Join(err, os.RemoveAll(d.folder))
		}
		return nil, err
	}
	return d.m, nil
}

// dump is a backup that is being made.
type dump struct {
	store   *Store
	from    Source
	report  func(switcher.Progress)
	started time.Time
	tools   Tools
	conn    *pgx.Conn
	at      *moment
	m       *Manifest
	folder  string // partial
}

func (d *dump) make(ctx context.Context) error {
	var err error
	hook := len(d.store.Command) > 0
	if d.conn, err = d.from.Server.Connect(ctx); err != nil {
		return err
	}
	defer d.conn.Close(context.WithoutCancel(ctx))
	d.m = &Manifest{Format: format, App: d.store.App, Reason: d.from.Reason, Release: d.from.Release, Commit: d.from.Commit,
		Hook: d.store.Command}
	if d.at, err = survey(ctx, d.conn, d.m); err != nil {
		return err
	}
	defer d.at.end(ctx)
	if !hook {
		if d.tools, err = d.store.tools(ctx, d.m.Server, ""); err != nil {
			return err
		}
		d.m.Tool = d.tools.Version
		if err := d.store.makeRoom(d.m.DataSize); err != nil {
			return err
		}
	}
	d.m.ID = d.store.newID(d.m.At, d.from.Reason, d.from.Release)
	if err := d.begin(ctx); err != nil {
		return err
	}
	run := d.dump
	if hook {
		run = d.hook
	}
	if err := run(ctx); err != nil {
		return err
	}
	return d.complete(ctx)
}

// begin makes the folder and keeps the catalog in it.
func (d *dump) begin(ctx context.Context) error {
	folder := d.store.Folder(d.m.ID + partial)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return fmt.Errorf("creating the folder of a backup: %w", err)
	}
	d.folder = folder
	if d.from.Schema == nil {
		return nil
	}
	schema, err := d.from.Schema(ctx, d.at.tx)
	if err != nil {
		return sqlError(ctx, "reading the catalog", err)
	}
	return writeSchema(filepath.Join(folder, schemaFile), schema)
}

// dump runs pg_dump and counts rows beside it.
func (d *dump) dump(ctx context.Context) error {
	began := time.Now()
	counting := count(ctx, d.at.tx, d.m.Tables)
	jobs := d.store.jobs()
	progress := newTracker("dumping", d.m.Tables, d.report)
	progress.serial = jobs == 1
	progress.mu.Lock()
	progress.tell("")
	progress.mu.Unlock()
	stop := progress.watch(ctx, d.from.Server)
	err := d.pgDump(ctx, progress.line, "--format=directory", "--jobs="+strconv.Itoa(jobs), "--compress=1",
		"--snapshot="+d.at.snapshot, "--file="+filepath.Join(d.folder, dataFolder))
	stop()
	counts, err := counting.after(ctx, began, err)
	if err != nil {
		return err
	}
	for name, n := range counts {
		t := d.m.Tables[name]
		t.Rows = &n
		d.m.Tables[name] = t
	}
	if d.report != nil {
		d.report(switcher.Progress{Text: "dumping", Done: progress.total, Total: progress.total})
	}
	return d.readSequencesAgain(ctx)
}

func (d *dump) readSequencesAgain(ctx context.Context) error {
	later, err := readSequences(ctx, d.at.tx)
	if err != nil {
		return sqlError(ctx, "reading sequences", err)
	}
	for name, s := range d.m.Sequences {
		s.Later = later[name].Last
		d.m.Sequences[name] = s
	}
	return nil
}

// pgDump runs pg_dump on the source.
func (d *dump) pgDump(ctx context.Context, line func(string), args ...string) error {
	return command{program: d.tools.Dump, env: d.from.Server.environment(), mask: d.from.Server.mask, line: line,
		args: append([]string{"--no-password", "--verbose", "--lock-wait-timeout=" + strconv.FormatInt(lockWait.Milliseconds(), 10)}, args...)}.run(ctx)
}

// complete writes the manifest and gives the backup its name. Only from then on
// is it one.
func (d *dump) complete(ctx context.Context) error {
	var err error
	if d.m.Files, err = protect(ctx, d.folder); err != nil {
		return err
	}
	for _, file := range d.m.Files {
		d.m.Bytes += file.Bytes
	}
	d.m.Took = since(d.started)
	if err := d.m.write(d.folder); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := os.Rename(d.folder, d.store.Folder(d.m.ID)); err != nil {
		return fmt.Errorf("naming the backup: %w", err)
	}
	d.folder = ""
	return syncFolder(d.store.folder)
}

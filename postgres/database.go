package postgres

import (
	"cmp"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// Database implements switcher.Database.
type Database struct {
	options Options
	admin   *pgx.ConnConfig // of the owner, in the live database
	server  *backup.Server  // the same, for the programs of PostgreSQL
	backups *backup.Store
	files   files
	log     *slog.Logger

	restores plans // that may be confirmed

	began time.Time
	looks chan struct{} // asks Run to look at the schema again

	background sync.WaitGroup // removes what work that was ended has left

	known atomic.Pointer[known] // nil: the schema was not read yet

	mu     sync.Mutex
	status switcher.DatabaseStatus

	backupError string // of the last one, or of its verification
}

var _ switcher.Database = (*Database)(nil)

// New makes a Database. Nothing is connected to yet; what is wrong with the URLs
// is an error that quotes none.
func New(o Options) (*Database, error) {
	admin, err := adminConfig(o)
	if err != nil {
		return nil, err
	}
	files, err := openFiles(o.Dir)
	if err != nil {
		return nil, err
	}
	server, err := backup.ParseServer(o.AdminURL)
	if err != nil {
		return nil, err
	}
	backups, err := backup.Open(backup.Options{
		Folder: cmp.Or(o.Backup.Dir, filepath.Join(o.Dir, "backups")), App: o.App, Command: o.Backup.Command, RestoreCommand: o.Restore.Command,
	})
	if err != nil {
		return nil, err
	}
	d := &Database{
		options: o, admin: admin, server: server, backups: backups, files: files, log: o.Logger,
		looks: make(chan struct{}, 1), began: time.Now(),
		status: switcher.DatabaseStatus{Name: admin.Database, Fits: []switcher.Fit{}},
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	return d, nil
}

// Close waits for what is still being cleared away; Run has returned.
func (d *Database) Close() { d.background.Wait() }

// Status implements switcher.Database.
func (d *Database) Status() switcher.DatabaseStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.status
}

// note changes the status. What it has handed out is never changed.
func (d *Database) note(change func(*switcher.DatabaseStatus)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.status)
}

// lookAgain has Run look at the schema soon.
func (d *Database) lookAgain() {
	select {
	case d.looks <- struct{}{}:
	default:
	}
}

// fail is Options.Failpoint.
func (d *Database) fail(name string) {
	if d.options.Failpoint != nil {
		d.options.Failpoint(name)
	}
}

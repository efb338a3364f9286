package postgres

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

const (
	planHolds = 10 * time.Minute // for which a plan can be confirmed
	plansKept = 20
	readWhole = 4 << 30 // bytes of a backup up to which a plan reads all of it

	// What was written after the plan may be so much more than what it told, and
	// so much more again, before the restore asks for a new one.
	grownFactor = 2
	grownFree   = 10_000
)

// plans are what was told and may be confirmed. They live in memory only: after a
// restart of the edge somebody has to look again.
type plans struct {
	mu   sync.Mutex
	told []switcher.RestorePlan // the newest last
}

func (p *plans) keep(plan switcher.RestorePlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, plan)
	p.told = p.told[max(0, len(p.told)-plansKept):]
}

// take returns a plan that still holds, for the one time that it can be used.
func (p *plans) take(id string) (switcher.RestorePlan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, plan := range p.told {
		if plan.ID == id && time.Now().Before(plan.Until) {
			p.told = append(p.told[:i:i], p.told[i+1:]...)
			return plan, true
		}
	}
	return switcher.RestorePlan{}, false
}

// PlanRestore implements switcher.Database.
func (d *Database) PlanRestore(ctx context.Context, r switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	m, warnings, err := d.chooseBackup(ctx, r.Backup)
	if err != nil {
		return switcher.RestorePlan{}, err
	}
	now := time.Now()
	plan := switcher.RestorePlan{
		ID: planID(), Until: now.Add(planHolds), Database: d.admin.Database,
		Backup: m.ID, At: m.At, Verified: m.Verified != nil, BackupBytes: m.Bytes, Bytes: m.FullSize, Free: -1,
		Swap: holdPatience + endPatience, Freezes: r.FreezeWrites, Warnings: warnings,
	}
	if m.Hook != nil {
		plan.Command = d.options.Restore.Command
	}
	if m.Verified != nil {
		plan.Expected = m.Verified.Took.Duration()
	}
	conn, err := d.asOwner(ctx, "")
	if isMissing(err) {
		return d.planWithoutLive(ctx, plan)
	}
	if err != nil {
		return plan, err
	}
	defer hangUp(conn)
	plan.KeptAs = failedName(plan.Database, now)
	if err := d.planLoss(ctx, conn, m, &plan); err != nil {
		return plan, err
	}
	obstacles, more, err := d.obstacles(ctx, conn)
	if err != nil {
		return plan, err
	}
	plan.Obstacles, plan.Warnings = obstacles, append(plan.Warnings, more...)
	d.planSpace(ctx, conn, &plan)
	if plan.Dropped, err = d.surplus(ctx, conn, 1); err != nil {
		return plan, err
	}
	d.restores.keep(plan)
	return plan, nil
}

// planWithoutLive is the plan where the whole database is gone.
func (d *Database) planWithoutLive(ctx context.Context, plan switcher.RestorePlan) (switcher.RestorePlan, error) {
	control, err := d.control(ctx)
	if err != nil {
		return plan, err
	}
	hangUp(control)
	plan.Lost, plan.Unknown = switcher.LostUnknown, "the database is gone, and its counters with it"
	plan.Warnings = append(plan.Warnings, "the database does not exist: settings and grants are those of the backup, and ids may be given out twice")
	d.restores.keep(plan)
	return plan, nil
}

func (d *Database) planLoss(ctx context.Context, conn *pgx.Conn, m *backup.Manifest, plan *switcher.RestorePlan) error {
	l, err := lost(ctx, conn, m)
	if err != nil {
		return err
	}
	plan.Lost, plan.CountedBy, plan.Unknown, plan.Tables = l.total(), l.by, l.unknown, l.tables
	return nil
}

// planSpace looks whether there is room for another database, which can be seen
// only where the server is on this machine and lets its directory be known.
func (d *Database) planSpace(ctx context.Context, conn *pgx.Conn, plan *switcher.RestorePlan) {
	var dir string
	var disk unix.Statfs_t
	if !local(conn.Config().Host) || conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&dir) != nil || unix.Statfs(dir, &disk) != nil {
		plan.Warnings = append(plan.Warnings, fmt.Sprintf("the server's disk cannot be seen from here: it needs %s beside what is there", backup.Size(plan.Bytes)))
		return
	}
	plan.Free = int64(disk.Bavail) * disk.Bsize
	if plan.Free < plan.Bytes {
		plan.Obstacles = append(plan.Obstacles, switcher.Obstacle{
			What:   fmt.Sprintf("the server's disk has %s free, and the restored database needs %s beside the live one", backup.Size(plan.Free), backup.Size(plan.Bytes)),
			Remedy: "make room there; databases kept from earlier restores are named <database>_failed_<time>",
		})
	}
}

func local(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// chooseBackup returns the backup of that id, or the newest that was verified, or
// else the newest at all. Damaged ones are refused.
func (d *Database) chooseBackup(ctx context.Context, id string) (m *backup.Manifest, warnings []string, err error) {
	list, err := d.backups.List()
	if err != nil {
		return nil, nil, err
	}
	var newest, chosen *backup.Backup
	for i := range list {
		switch b := &list[i]; {
		case id != "" && b.ID == id:
			chosen = b
		case id != "" || b.Damage != "" || b.Manifest.Refuted != "":
		case newest == nil:
			newest = b
			fallthrough
		default:
			if chosen == nil && b.Verified() {
				chosen = b
			}
		}
	}
	switch {
	case id != "" && chosen == nil:
		return nil, nil, &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("there is no backup %q", id), Hint: "`bluegreen db backups` lists them"}
	case chosen == nil && newest == nil:
		return nil, nil, refused("`bluegreen db backup` makes one; keep copies of backups on another machine", "there is no backup that could be restored")
	case chosen == nil:
		chosen = newest
	case newest != nil && newest.ID != chosen.ID:
		warnings = append(warnings, fmt.Sprintf("backup %s is newer by %s and was never restored to see whether it can be: `bluegreen db verify` does, or name it",
			newest.ID, roughly(newest.Manifest.At.Sub(chosen.Manifest.At))))
	}
	if chosen.Damage != "" {
		return nil, nil, refused("use another one: `bluegreen db backups` lists them", "backup %s is damaged: %s", chosen.ID, chosen.Damage)
	}
	if m = chosen.Manifest; m.Refuted != "" {
		return nil, nil, refused("use another one: `bluegreen db backups` lists them", "backup %s is no copy of the database, its restore differed: %s", m.ID, m.Refuted)
	}
	if m.Verified == nil {
		warnings = append(warnings, "the backup was never restored to see whether it can be; it is compared before the swap, and nothing changes if it differs")
	}
	if m.Bytes > readWhole {
		warnings = append(warnings, "the backup is large: whether its files are whole is seen when they are read, before anything changes")
		return m, warnings, nil
	}
	if _, err := d.backups.Check(ctx, m.ID); err != nil {
		return nil, nil, refused("use another one: `bluegreen db backups` lists them", "%v", err)
	}
	return m, warnings, nil
}

// confirmed returns the plan that a request has confirmed. Without it nothing is
// ever restored.
func (d *Database) confirmed(r switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	const hint = "`bluegreen db restore` shows what would be lost and asks for it; without a terminal, pass on what it shows: --plan ID --confirm-lost N"
	if r.Plan == "" || r.Lost == nil {
		return switcher.RestorePlan{}, refused(hint, "a restore loses what was written since the backup, so its plan and the number of lost rows have to be confirmed; nothing was done")
	}
	plan, known := d.restores.take(r.Plan)
	switch {
	case !known:
		return plan, refused(hint, "plan %q is not known, is used up, or is older than %v; nothing was done", r.Plan, planHolds)
	case r.Backup != "" && r.Backup != plan.Backup:
		return plan, refused(hint, "plan %s is about backup %s; nothing was done", plan.ID, plan.Backup)
	case *r.Lost != plan.Lost:
		return plan, refused(hint, "the number of lost rows that was confirmed is not the plan's; nothing was done")
	case len(plan.Obstacles) > 0:
		return plan, refuseObstacles(plan.Obstacles)
	}
	return plan, nil
}

// hasGrown refuses a restore of which much more would be lost than was told.
func hasGrown(told, now int64) error {
	if told < 0 || now <= told*grownFactor+grownFree {
		return nil
	}
	return refused("look at the plan once more: `bluegreen db restore`", "%d written rows would be lost now, and the plan said %d; nothing was done", now, told)
}

func planID() string {
	var b [4]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// failedName is what a database is called when another has taken its place.
func failedName(live string, at time.Time) string {
	return failedPrefix(live) + at.UTC().Format(failedTime)
}

func failedPrefix(live string) string {
	const longest, infix = 63, "_failed_"
	return live[:min(len(live), longest-len(infix)-len(failedTime))] + infix
}

const failedTime = "20060102T150405"

// roughly is a length of time as people say it.
func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

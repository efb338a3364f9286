package main

import (
	"context"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// backups is admin.Options.Backups.
func (e *edge) backups(ctx context.Context, app string) ([]admin.Backup, error) {
	e.mu.Lock()
	var b *base
	if h := e.apps[app]; h != nil {
		b = h.base
	}
	e.mu.Unlock()
	switch {
	case b == nil:
		return nil, switcher.NoDatabase()
	case b.real == nil:
		return nil, b.Answers(ctx) // which says why nothing can be done with it
	}
	list, err := b.real.Backups()
	if err != nil {
		return nil, err
	}
	all := []admin.Backup{}
	for _, b := range list {
		all = append(all, describeBackup(b))
	}
	return all, nil
}

func describeBackup(b backup.Backup) admin.Backup {
	told := admin.Backup{ID: b.ID, Verified: b.Verified(), Damage: b.Damage}
	m := b.Manifest
	if m == nil {
		return told
	}
	told.At, told.Reason, told.Release, told.Commit, told.Server = m.At, m.Reason, m.Release, m.Commit, m.ServerVersion
	told.Bytes, told.TookMS, told.External = m.Bytes, float64(m.Took)*1000, len(m.Hook) > 0
	if !told.Verified {
		told.Why = "never restored"
		if m.Refuted != "" {
			told.Why = "a restored copy differed: " + m.Refuted
		}
	}
	return told
}

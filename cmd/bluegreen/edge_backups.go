package main

import (
	"context"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/postgres/backup"
	"sofiacall.com/bluegreen/switcher"
)

// backups is admin.Options.Backups.
func (e *edge) backups(_ context.Context, app string) ([]admin.Backup, error) {
	section := e.current().Apps[app]
	if section == nil || !section.Database.Configured() {
		return nil, &switcher.Error{Code: switcher.CodeUsage, What: "the app has no database in the configuration",
			Hint: "`database:` in the app's part of the configuration names it"}
	}
	store, err := backup.Open(backup.Options{Folder: section.Database.Backup.Dir, App: app})
	if err != nil {
		return nil, err
	}
	list, err := store.List()
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

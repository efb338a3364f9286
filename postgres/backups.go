package postgres

import "sofiacall.com/bluegreen/postgres/backup"

// Backups lists the backups there are, the newest first, damaged ones too.
func (d *Database) Backups() ([]backup.Backup, error) { return d.backups.List() }

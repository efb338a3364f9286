package config

import (
	"path/filepath"
	"time"
)

// validateDatabase checks what is said of the app's database, and reads the URL of its
// owner. No text contains a URL.
func validateDatabase(a *App, key string, u *unique, env func(string) (string, bool)) {
	if !u.at.given(key) {
		return
	}
	d, r := &a.Database, u.report
	validateURLs(a, key, r, env)
	validateMigrations(d, key, r)
	oneOf(r, key+".rehearsal.mode", d.Rehearsal.Mode, RehearsalAuto, RehearsalFull, RehearsalSchema, RehearsalOff)
	for i, table := range d.Rehearsal.Tables {
		if at := index(key+".rehearsal.tables", i); !tableName.MatchString(table) {
			r.key(at, "must be the name of a table with its schema, such as public.settings, is %s", r.shown(at, table))
		}
	}
	oneOf(r, key+".gate.mode", d.Gate.Mode, GateEnforce, GateWarn, GateOff)
	validateBackup(d, key, r)
	if d.Backup.Dir != "" {
		u.claim(u.dirs, filepath.Clean(d.Backup.Dir), key+".backup.dir", "the folder")
	}
}

// validateURLs looks for the variables of both URLs. What env_file holds is read when
// it is needed.
func validateURLs(a *App, key string, r *report, env func(string) (string, bool)) {
	d := &a.Database
	required(r, key+".url_env", d.URLEnv, "name the variable that holds the app's database URL, such as DATABASE_URL")
	required(r, key+".admin_url_env", d.AdminURLEnv, "name the variable of the edge's own environment that holds the URL of the owner of the database")
	validateVariableName(d.URLEnv, key+".url_env", r)
	validateVariableName(d.AdminURLEnv, key+".admin_url_env", r)
	if d.URLEnv != "" {
		environment, where := a.Container.Environment, "container.environment, and there is no env_file"
		if a.Runtime == RuntimeProcess {
			environment, where = a.Process.Environment, "process.environment, and a process gets nothing else of the edge's"
		}
		value, given := environment[d.URLEnv]
		switch {
		case given && value == "":
			r.key(key+".url_env", "names %s, which is empty in the app's environment: give it the app's database URL", d.URLEnv)
		case !given && len(a.Container.EnvFile) == 0:
			r.key(key+".url_env", "names %s, which is not in %s: give the app its database URL there", d.URLEnv, where)
		}
	}
	if d.AdminURLEnv != "" {
		value, set := env(d.AdminURLEnv)
		if !set || value == "" {
			r.key(key+".admin_url_env", "names %s, which is not set in the environment of the edge: set it there to the URL of the owner of the database", d.AdminURLEnv)
		}
		d.AdminURL = Secret(value)
	}
}

// validateVariableName does not cite what is no name, for it may be the URL itself.
func validateVariableName(name, key string, r *report) {
	if name != "" && !variableName.MatchString(name) {
		r.key(key, "must be the name of a variable, such as DATABASE_URL, and not a URL; it is not cited, for it may be a secret")
	}
}

func validateMigrations(d *Database, key string, r *report) {
	if d.MigrationsDir != "" {
		for _, name := range []string{"expand", "contract", "down"} {
			if r.at.given(key + "." + name) {
				r.key(key+"."+name, "cannot stand beside migrations_dir, whose files say how to migrate, to contract and to go back: remove one of them")
			}
		}
	}
	if d.LockRetries < 0 {
		r.key(key+".lock_retries", "must not be negative, is %s: 0 tries once", r.number(key+".lock_retries", d.LockRetries))
	}
	if d.StatementTimeout > 0 && d.LockTimeout >= d.StatementTimeout {
		r.key(key+".lock_timeout", "is not shorter than statement_timeout, which would end the waiting first: make it shorter")
	}
}

func validateBackup(d *Database, key string, r *report) {
	b := d.Backup
	if b.Keep < 1 {
		r.key(key+".backup.keep", "must be at least 1, is %s", r.number(key+".backup.keep", b.Keep))
	}
	if b.At != Never && !timeOfDay.MatchString(b.At) {
		r.key(key+".backup.at", "must be a time of day such as \"03:00\", or never, is %s", r.shown(key+".backup.at", b.At))
	} else if b.At != Never && b.MaxAge <= 24*time.Hour {
		r.key(key+".backup.max_age", "must be longer than 24h, for backups are made once a day: a shorter one would be told every day")
	}
	if len(d.Restore.Command) > 0 && len(b.Command) == 0 {
		r.key(key+".restore.command", "cannot restore what pg_dump has made: give backup.command as well, or remove it")
	}
	if d.Restore.KeepFailed < 1 {
		r.key(key+".restore.keep_failed", "must be at least 1, is %s: the database that was replaced last always stays", r.number(key+".restore.keep_failed", d.Restore.KeepFailed))
	}
	if len(b.Command) > 0 {
		for _, name := range []string{"dir", "keep", "verify"} {
			if at := key + ".backup." + name; r.at.given(at) {
				r.key(at, "says nothing with backup.command, whose backups are kept by its own tool: remove one of them")
			}
		}
	}
}

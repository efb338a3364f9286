package backup

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// secretName is of variables whose values are hidden in what a hook says.
var secretName = regexp.MustCompile(`(?i)secret|token|passw|key|url|dsn|credential`)

// databaseURL is the value of a variable that no hook gets.
var databaseURL = regexp.MustCompile(`(?i)^postgres(ql)?://`)

// runHook runs a command of the operator's with the edge's own environment, less
// the URLs of databases; what it needs to connect is in libpq's variables, and
// PGDATABASE is the live database. Further it gets
//
//	BLUEGREEN_APP              name of the app
//	BLUEGREEN_BACKUP_ID        id under which the backup is listed
//	BLUEGREEN_TARGET_DATABASE  restore: the empty database to load it into
//
// Exit code 0 says that the backup is made, or loaded.
func (s *Store) runHook(ctx context.Context, hook []string, server *Server, id string, more ...string) error {
	if len(hook) == 0 {
		return &switcher.Error{Code: switcher.CodeFailed, What: "backup " + id + " was made by a command and there is none to restore it",
			Hint: "set `restore.command`, or restore it by the tool that made it"}
	}
	var env, secrets []string
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		if databaseURL.MatchString(value) || strings.HasPrefix(name, "PG") {
			continue
		}
		env = append(env, variable)
		if secretName.MatchString(name) {
			secrets = append(secrets, variable)
		}
	}
	env = append(env, server.variables()...)
	env = append(env, "BLUEGREEN_APP="+s.App, "BLUEGREEN_BACKUP_ID="+id)
	mask := switcher.NewMask(secrets)
	c := command{program: hook[0], args: hook[1:], env: append(env, more...), dir: s.folder, mask: server.mask}
	err := c.run(ctx)
	var known *switcher.Error
	if errors.As(err, &known) {
		known.What = mask.Line(known.What)
		for i, line := range known.Output {
			known.Output[i] = mask.Line(line)
		}
		known.Hint = "the command is " + filepath.Base(hook[0]) + ", run for backup " + id
	}
	return err
}

// hook has the command make the backup. Its moment is somewhere between start
// and end, so what was written meanwhile may be in it or not.
func (d *dump) hook(ctx context.Context) error {
	if d.report != nil {
		d.report(switcher.Progress{Text: "running " + filepath.Base(d.store.Command[0])})
	}
	counting := count(ctx, d.at.tx, d.m.Tables)
	began := time.Now()
	err := d.store.runHook(ctx, d.store.Command, d.from.Server, d.m.ID)
	counts, err := counting.after(ctx, began, err)
	if err != nil {
		return err
	}
	if err := d.readSequencesAgain(ctx); err != nil {
		return err
	}
	d.at.end(ctx)
	var later Manifest
	after, err := survey(ctx, d.conn, &later)
	if err != nil {
		return err
	}
	after.end(ctx)
	before, then := writes(d.m.Counters), writes(later.Counters)
	for name, n := range counts {
		t, from, to := d.m.Tables[name], before[name], then[name]
		t.Rows = &n
		t.More, t.Fewer = max(to.Inserted-from.Inserted, 0), max(to.Deleted-from.Deleted, 0)
		d.m.Tables[name] = t
	}
	return nil
}

func writes(c Counters) map[string]Writes {
	byName := make(map[string]Writes, len(c.Tables))
	for _, t := range c.Tables {
		byName[t.Name] = t.Writes
	}
	return byName
}

func (s *Store) restoreByHook(ctx context.Context, m *Manifest, to *Server) (restored, error) {
	began := time.Now()
	err := s.runHook(ctx, s.RestoreCommand, to.In(m.Database), m.ID, "BLUEGREEN_TARGET_DATABASE="+to.Database())
	return restored{took: since(began)}, err
}

package postgres

import (
	"path/filepath"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

func TestAFolderOfSQLFilesIsMigratedContractedAndUndone(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, func(o *Options) { o.MigrationsDir, o.Expand, o.Contract = dir, nil, nil })
	write := func(name, up, down string) {
		writeFile(t, filepath.Join(dir, name), "-- +goose Up\n"+up+";\n-- +goose Down\n"+down+";\n")
	}
	write("00001_users.sql", "CREATE TABLE users (id bigserial PRIMARY KEY, email text)", "DROP TABLE users")
	first := l.release()
	l.deploy(first, nil)

	write("00002_name.sql", "ALTER TABLE users ADD COLUMN name text", "ALTER TABLE users DROP COLUMN name")
	second := l.release()
	l.deploy(second, first)
	if !l.teller.has("say: 00002_name.sql up") || l.teller.has("down_incomplete") || !strings.Contains(l.schema(), "name text") {
		t.Errorf("%s", l.teller)
	}
	third := l.release()
	l.deploy(third, second)
	if !l.teller.has("no new migrations") {
		t.Errorf("%s", l.teller)
	}
	l.clean()

	write("contract/00001_email.sql", "ALTER TABLE users DROP COLUMN email", "SELECT 1")
	_, err := l.d.Do(t.Context(), switcher.KindContract, l.work(third, third))
	says(t, err, switcher.CodeRefused, "public.users.email")
	w := l.work(third, third)
	w.Request.Reason = "nobody reads it"
	refusal := err.(*switcher.Error)
	for _, f := range refusal.Findings {
		if f.Stops() {
			w.Request.Allow = append(w.Request.Allow, f.ID(refusal.Plan))
		}
	}
	if _, err := l.d.Do(t.Context(), switcher.KindContract, w); err != nil {
		t.Fatalf("%v\n%s", err, l.teller)
	}
	if strings.Contains(l.schema(), "email") {
		t.Error("the contract was not applied")
	}
	for release, want := range map[string]switcher.SchemaVerdict{third.ID: switcher.SchemaPass, first.ID: switcher.SchemaBlock} {
		if fit, err := l.d.Fit(t.Context(), release); err != nil || fit.Verdict() != want {
			t.Errorf("%s: %s %+v %v", release, fit.Verdict(), fit, err)
		}
	}
	l.clean()
}

func TestDownUndoesWhatAReleaseHasApplied(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, func(o *Options) { o.MigrationsDir, o.Expand, o.Contract = dir, nil, nil })
	writeFile(t, filepath.Join(dir, "1_users.sql"), "-- +goose Up\n"+users+";\n-- +goose Down\nDROP TABLE users;\n")
	first := l.release()
	l.deploy(first, nil)
	writeFile(t, filepath.Join(dir, "2_name.sql"), "-- +goose Up\nALTER TABLE users ADD COLUMN name text;\n-- +goose Down\nALTER TABLE users DROP COLUMN name;\n")
	writeFile(t, filepath.Join(dir, "3_age.sql"), "-- +goose Up\nALTER TABLE users ADD COLUMN age int;\n-- +goose Down\nALTER TABLE users DROP COLUMN age;\n")
	second := l.release()
	l.deploy(second, first)
	w := l.work(second, first)
	_, err := l.d.Do(t.Context(), switcher.KindDown, w)
	for range 2 { // what was added since the active release is of no use to it, and its loss is to be accepted
		refusal, refused := err.(*switcher.Error)
		if !refused || refusal.Code != switcher.CodeRefused {
			break
		}
		w = l.work(second, first)
		w.Request.Reason = "it was a mistake"
		for _, f := range refusal.Findings {
			if f.Stops() {
				w.Request.Allow = append(w.Request.Allow, f.ID(refusal.Plan))
			}
		}
		_, err = l.d.Do(t.Context(), switcher.KindDown, w)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, l.teller)
	}
	if text := l.schema(); strings.Contains(text, "name text") || strings.Contains(text, "age int") || !strings.Contains(text, "public.users") {
		t.Error(text)
	}
	says(t, func() error { _, err := l.d.Do(t.Context(), switcher.KindDown, l.work(l.release(), first)); return err }(), switcher.CodeRefused, "on record")
	l.clean()
}

func TestAFileThatAsksForTheEdgesEnvironmentIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, func(o *Options) { o.MigrationsDir, o.Expand = dir, nil })
	writeFile(t, filepath.Join(dir, "1_a.sql"), "-- +goose ENVSUB ON\n-- +goose Up\nSELECT '${ADMIN_URL}';\n")
	says(t, l.d.Migrate(t.Context(), l.work(l.release(), nil)), switcher.CodeUsage, "1_a.sql", "ENVSUB")
	l.clean()
}

func TestAFileThatFailsIsNamed(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, func(o *Options) { o.MigrationsDir, o.Expand = dir, nil })
	writeFile(t, filepath.Join(dir, "1_a.sql"), "-- +goose Up\n"+users+";\n")
	writeFile(t, filepath.Join(dir, "2_b.sql"), "-- +goose Up\nALTER TABLE nowhere ADD a int;\n")
	says(t, l.d.Migrate(t.Context(), l.work(l.release(), nil)), switcher.CodeFailed, "2_b.sql", "applied 1_a.sql", `relation "nowhere" does not exist`)
	l.clean()
}

func TestAFolderThatIsNotThereIsAWrongConfiguration(t *testing.T) {
	l := newLab(t, func(o *Options) { o.MigrationsDir, o.Expand = "/nowhere/at/all", nil })
	says(t, l.d.Migrate(t.Context(), l.work(l.release(), nil)), switcher.CodeUsage, "/nowhere/at/all", "migrations_dir")
	l.clean()
}

func TestMigrationsOutOfOrderAreRefused(t *testing.T) {
	dir := t.TempDir()
	l := newLab(t, func(o *Options) { o.MigrationsDir, o.Expand = dir, nil })
	writeFile(t, filepath.Join(dir, "2_b.sql"), "-- +goose Up\n"+users+";\n")
	first := l.release()
	l.deploy(first, nil)
	writeFile(t, filepath.Join(dir, "1_a.sql"), "-- +goose Up\nSELECT 1;\n")
	says(t, l.d.Migrate(t.Context(), l.work(l.release(), first)), switcher.CodeFailed, "missing")
	l.clean()
}

package catalog

import (
	"bufio"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// changed collects the fields, as Type.Field, in which two values differ.
func changed(a, b reflect.Value, of string, into map[string]bool) {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if field := a.Type().Field(i); field.Tag.Get("digest") != "-" {
				changed(a.Field(i), b.Field(i), a.Type().Name()+"."+field.Name, into)
			}
		}
	case reflect.Map:
		for _, key := range a.MapKeys() {
			if other := b.MapIndex(key); other.IsValid() {
				changed(a.MapIndex(key), other, of, into)
			} else {
				into[of] = true
			}
		}
		into[of] = into[of] || a.Len() != b.Len()
	case reflect.Slice:
		into[of] = into[of] || a.Len() != b.Len()
		for i := range min(a.Len(), b.Len()) {
			changed(a.Index(i), b.Index(i), of, into)
		}
	default:
		into[of] = into[of] || !a.Equal(b)
	}
}

// fields are all that belong to a digest, as Type.Field.
func fields(of reflect.Type, into map[string]bool) {
	switch of.Kind() {
	case reflect.Map, reflect.Slice:
		fields(of.Elem(), into)
	case reflect.Struct:
		for i := range of.NumField() {
			field := of.Field(i)
			if field.Tag.Get("digest") == "-" {
				continue
			}
			if field.Type.Kind() != reflect.Struct {
				into[of.Name()+"."+field.Name] = true
			}
			fields(field.Type, into)
		}
	}
}

// changes reads testdata/changes.sql: one change a line, and blank lines and
// comments. A line that begins with a > belongs to what no dump carries, one that
// begins with an = means nothing to an app.
func changes(t *testing.T, d *pgtest.Database) []string {
	t.Helper()
	file, err := os.Open("testdata/changes.sql")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var found []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "--") {
			found = append(found, as(d, line))
		}
	}
	return found
}

func TestEveryChangeOfASchemaChangesItsDigest(t *testing.T) {
	d := rich(t)
	conn := pgtest.Connect(t, d.SuperuserURL)
	before := read(t, d.SuperuserURL)
	seen := map[string]bool{}
	for _, line := range changes(t, d) {
		sql := strings.TrimLeft(line, ">= ")
		after := readAfter(t, conn, sql)
		if after.Format == 0 {
			continue
		}
		changed(reflect.ValueOf(*before), reflect.ValueOf(*after), "", seen)
		dumped, all := before.Digest() != after.Digest(), before.DigestAll() != after.DigestAll()
		switch {
		case line[0] == '=' && all:
			t.Errorf("it changes the digest: %s\n%v", sql, different(before, after))
		case line[0] != '=' && !all, line[0] != '=' && line[0] != '>' && !dumped:
			t.Errorf("it is not seen: %s", sql)
		case line[0] == '>' && dumped:
			t.Errorf("no dump carries it, and it changes the digest of what one does: %s\n%v", sql, different(before, after))
		}
	}
	all := map[string]bool{}
	fields(reflect.TypeFor[Schema](), all)
	for field := range all {
		if !seen[field] && field != "Function.Name" { // another name is another function
			t.Errorf("no change changes %s", field)
		}
	}
}

// readAfter reads the schema as it is after a change that is then undone.
func readAfter(t *testing.T, conn *pgx.Conn, sql string) *Schema {
	t.Helper()
	tx, err := conn.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Errorf("%s: %v", sql, err)
		return &Schema{}
	}
	s, err := ReadIn(t.Context(), tx)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

// different says where two schemas are not the same.
func different(a, b *Schema) []string {
	var found []string
	var walk func(path string, a, b reflect.Value)
	walk = func(path string, a, b reflect.Value) {
		switch a.Kind() {
		case reflect.Struct:
			for i := range a.NumField() {
				if a.Type().Field(i).Tag.Get("digest") == "" {
					walk(path+"."+a.Type().Field(i).Name, a.Field(i), b.Field(i))
				}
			}
		case reflect.Map:
			for _, key := range slices.Concat(a.MapKeys(), b.MapKeys()) {
				switch inA, inB := a.MapIndex(key), b.MapIndex(key); {
				case !inA.IsValid():
					found = append(found, path+"["+key.String()+"]: only there")
				case !inB.IsValid():
					found = append(found, path+"["+key.String()+"]: only here")
				default:
					walk(path+"["+key.String()+"]", inA, inB)
				}
			}
		default:
			var inA, inB bytes.Buffer
			sum(&inA, a, false)
			sum(&inB, b, false)
			if !bytes.Equal(inA.Bytes(), inB.Bytes()) {
				found = append(found, path+": "+fmt.Sprintf("%v and %v", a, b))
			}
		}
	}
	walk("", reflect.ValueOf(*a), reflect.ValueOf(*b))
	slices.Sort(found)
	return slices.Compact(found)
}

func TestARestoredCopyHasTheDigestOfItsOriginal(t *testing.T) {
	d := rich(t)
	for _, kind := range []string{"--format=custom", "--schema-only"} {
		t.Run(kind, func(t *testing.T) {
			archive := filepath.Join(t.TempDir(), "dump")
			d.Cluster.Run(t, "pg_dump", "--format=custom", kind, "--file", archive, "--dbname", d.SuperuserURL)
			copied := d.Cluster.Database(t)
			pgtest.Exec(t, copied.SuperuserURL, "DROP SCHEMA public CASCADE; ALTER DEFAULT PRIVILEGES FOR ROLE "+copied.Owner+
				" REVOKE ALL ON TABLES FROM "+copied.App, "DROP OWNED BY "+copied.App)
			// A dump does not carry schema public where it is as usual.
			pgtest.Exec(t, copied.SuperuserURL, "CREATE SCHEMA public AUTHORIZATION pg_database_owner; GRANT USAGE ON SCHEMA public TO PUBLIC")
			d.Cluster.Run(t, "pg_restore", "--exit-on-error", "--dbname", copied.SuperuserURL, archive)

			original, restored := read(t, d.SuperuserURL), read(t, copied.SuperuserURL)
			for _, difference := range different(original, restored) {
				t.Error(difference)
			}
			if original.Digest() != restored.Digest() {
				t.Error("the digests differ")
			}
			if original.Identity == restored.Identity {
				t.Error("the two databases have the same identity")
			}
		})
	}
}

func TestTheOwnerReadsWhatASuperuserReads(t *testing.T) {
	d := rich(t)
	owner, superuser := read(t, d.OwnerURL), read(t, d.SuperuserURL)
	for _, difference := range different(owner, superuser) {
		t.Error(difference)
	}
	if owner.DigestAll() != superuser.DigestAll() {
		t.Error("the digests of everything differ")
	}
	if app := read(t, d.AppURL); app.Digest() != owner.Digest() {
		t.Error("the app reads something else")
	}
}

func TestSessionsReadTheSameWhateverTheirSettings(t *testing.T) {
	d := rich(t)
	pgtest.Exec(t, d.SuperuserURL, "CREATE TABLE moments (at timestamptz DEFAULT '2026-01-02 03:04+05', span interval DEFAULT '1 day', blob bytea DEFAULT '\\x01', half float8 DEFAULT 0.1)")
	plain := read(t, d.OwnerURL)
	conn := pgtest.Connect(t, d.OwnerURL)
	if _, err := conn.PgConn().Exec(t.Context(), `SET search_path = public, "My Schema"; SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'; SET IntervalStyle = iso_8601;
		SET quote_all_identifiers = on; SET extra_float_digits = 0; SET bytea_output = escape`).ReadAll(); err != nil {
		t.Fatal(err)
	}
	other, err := Read(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	for _, difference := range different(plain, other) {
		t.Error(difference)
	}
	var path string
	if err := conn.QueryRow(t.Context(), "SHOW search_path").Scan(&path); err != nil || !strings.HasPrefix(path, "public") {
		t.Errorf("the session was left with search_path %q, %v", path, err)
	}
}

func TestAWrittenSchemaIsReadBackWhole(t *testing.T) {
	d := rich(t)
	s := read(t, d.SuperuserURL)
	var file bytes.Buffer
	if err := s.Encode(&file); err != nil {
		t.Fatal(err)
	}
	back, err := Decode(bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if back.DigestAll() != s.DigestAll() || back.Identity != s.Identity || back.Tables["public.users"].File != s.Tables["public.users"].File {
		t.Error("it is not the same")
	}
	for _, cut := range []int{0, 5, file.Len() / 2, file.Len() - 1} {
		if _, err := Decode(bytes.NewReader(file.Bytes()[:cut])); err == nil {
			t.Errorf("a file cut at %d of %d was read", cut, file.Len())
		}
	}
	s.Format++
	var newer bytes.Buffer
	if err := s.Encode(&newer); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(&newer); !errors.Is(err, ErrFormat) {
		t.Errorf("a newer format: got %v", err)
	}
}

func TestCanonicalFormIsThatOfARestoredExpression(t *testing.T) {
	for printed, want := range map[string]string{
		`x = ANY ((ARRAY['a'::character varying, 'b,]'::character varying])::text[])`: `x = ANY (ARRAY[('a'::character varying)::text, ('b,]'::character varying)::text])`,
		`(ARRAY['it''s', f(1, ARRAY[2])])::text[]`:                                    `ARRAY[('it''s')::text, (f(1, ARRAY[2]))::text]`,
		`(ARRAY[a, (ARRAY[b])::text[]])::text[]`:                                      `ARRAY[(a)::text, (ARRAY[(b)::text])::text]`,
		`(ARRAY[1, 2])`:                                                               `(ARRAY[1, 2])`,
		`(ARRAY['open)::text[]`:                                                       `(ARRAY['open)::text[]`,
		`SELECT 1`:                                                                    `SELECT 1`,
	} {
		if got := canonical(printed); got != want {
			t.Errorf("%s: got %s, want %s", printed, got, want)
		}
	}
}

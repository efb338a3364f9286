package compat_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/postgres/catalog"
	"sofiacall.com/bluegreen/postgres/compat"
)

// untold are fields of the catalog that a change of is no change of the schema,
// or that is told by another field.
var untold = []string{
	"Format", "Server", "Identity.System", "Identity.Database", ".OID", ".Comment", ".Rows", ".Bytes", ".Missing", ".Volatile", ".Number",
	"Tables.File", "Indexes.File", // told as a rewrite, with the same object id only
	"Constraints.Columns", "Constraints.References", "Constraints.OnUpdate", "Constraints.OnDelete", "Constraints.Index", // parts of Definition
	"Constraints.Valid", "Constraints.Deferrable", "Constraints.Deferred",
	"Indexes.Method", "Indexes.Columns", "Indexes.Include", "Indexes.Predicate", "Indexes.Unique", "Indexes.NullsNotDistinct", "Indexes.Primary", "Indexes.Exclusion",
	"Indexes.Constraint", "Triggers.Function", ".Grantable", "Functions.Stars", "Functions.Name", "Functions.Shadows", "Arguments.Name", "Arguments.Mode", "Sequences.Last", "Views.Populated",
	"Tables.Inherits", // of a partition: PartitionOf
}

// A field that is added to the catalog later, and that no rule knows, must not
// go unnoticed.
func TestNoFieldOfTheCatalogIsOverlooked(t *testing.T) {
	full := reflect.New(reflect.TypeFor[catalog.Schema]()).Elem()
	fill(full, 1)
	base := full.Interface().(catalog.Schema)
	if findings := compat.Compare(&base, &base, compat.Options{}); len(findings) > 0 {
		t.Fatalf("nothing has changed: %v", findings)
	}
	for _, path := range paths(full.Type(), "") {
		changed := reflect.New(full.Type()).Elem()
		fill(changed, 1)
		mutate(changed, strings.Split(path, "."))
		now := changed.Interface().(catalog.Schema)
		told := len(compat.Compare(&base, &now, compat.Options{Role: "x"})) > 0
		if excepted := exempt(path); told == excepted && !excepted {
			t.Errorf("nobody tells that %s has changed", path)
		}
	}
}

func exempt(path string) bool {
	for _, suffix := range untold {
		if path == suffix || strings.HasSuffix(path, "."+strings.TrimPrefix(suffix, ".")) || strings.HasSuffix(path, suffix) {
			return true
		}
	}
	return false
}

// paths are those of all fields that hold a value.
func paths(of reflect.Type, prefix string) []string {
	switch of.Kind() {
	case reflect.Struct:
		var all []string
		for i := range of.NumField() {
			all = append(all, paths(of.Field(i).Type, prefix+"."+of.Field(i).Name)...)
		}
		return all
	case reflect.Map, reflect.Slice:
		return paths(of.Elem(), prefix)
	}
	return []string{strings.TrimPrefix(prefix, ".")}
}

// fill gives every field a value: maps and lists have one member.
func fill(v reflect.Value, n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		fill(element, n)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("s.o"), element)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), n)
	case reflect.String:
		v.SetString(fmt.Sprintf("v%d", n))
	case reflect.Bool:
		v.SetBool(n%2 == 1)
	case reflect.Float64:
		v.SetFloat(float64(n))
	case reflect.Int, reflect.Int16, reflect.Int64:
		v.SetInt(int64(n))
	case reflect.Uint32:
		v.SetUint(uint64(n))
	}
}

// mutate gives the field at a path another value.
func mutate(v reflect.Value, path []string) {
	switch v.Kind() {
	case reflect.Struct:
		mutate(v.FieldByName(path[0]), path[1:])
	case reflect.Map:
		element := reflect.New(v.Type().Elem()).Elem()
		element.Set(v.MapIndex(reflect.ValueOf("s.o")))
		mutate(element, path)
		v.SetMapIndex(reflect.ValueOf("s.o"), element)
	case reflect.Slice:
		mutate(v.Index(0), path)
	default:
		fill(v, 2)
	}
}

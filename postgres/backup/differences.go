package backup

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"sofiacall.com/bluegreen/postgres/catalog"
)

// Differences tells in what the schema of a restored database differs from that
// of the original, one object a sentence that begins with its kind and name;
// none: it is the same. It looks at what catalog.Schema.Digest looks at, but not
// at casts and parentheses in expressions: PostgreSQL writes some in another place
// once it has read them back.
func Differences(want, got *catalog.Schema) []string {
	if want.Digest() == got.Digest() {
		return nil
	}
	var found []string
	a, b := reflect.ValueOf(*want), reflect.ValueOf(*got)
	for i := range a.NumField() {
		field := a.Type().Field(i)
		if field.Tag.Get("digest") != "" {
			continue
		}
		if field.Type.Kind() != reflect.Map {
			if what := differs(a.Field(i), b.Field(i)); what != "" {
				found = append(found, nameOf(field)+" "+what)
			}
			continue
		}
		found = append(found, differing(kindOf(nameOf(field)), a.Field(i), b.Field(i))...)
	}
	return found
}

// differing compares the objects of one kind.
func differing(kind string, want, got reflect.Value) []string {
	var found []string
	for _, name := range keysOf(want, got) {
		a, b := want.MapIndex(name), got.MapIndex(name)
		switch {
		case !b.IsValid():
			found = append(found, kind+" "+name.String()+" is missing")
		case !a.IsValid():
			found = append(found, kind+" "+name.String()+" was not in it")
		default:
			if what := differs(a, b); what != "" {
				found = append(found, kind+" "+name.String()+" differs in"+what)
			}
		}
	}
	return found
}

func keysOf(sets ...reflect.Value) []reflect.Value {
	seen := make(map[string]reflect.Value)
	for _, m := range sets {
		for _, key := range m.MapKeys() {
			seen[key.String()] = key
		}
	}
	keys := make([]reflect.Value, 0, len(seen))
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		keys = append(keys, seen[name])
	}
	return keys
}

// kindOf is what one object of a member of the schema is called.
func kindOf(member string) string {
	kind := strings.ReplaceAll(member, "_", " ")
	switch {
	case strings.HasSuffix(kind, "indexes"), strings.HasSuffix(kind, "aliases"):
		return strings.TrimSuffix(kind, "es")
	case strings.HasSuffix(kind, "ies"):
		return strings.TrimSuffix(kind, "ies") + "y"
	}
	return strings.TrimSuffix(kind, "s")
}

func nameOf(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

// differs tells the first member in which two values differ, with the path to
// it and a space before; empty: they do not.
func differs(a, b reflect.Value) string {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if field := a.Type().Field(i); field.Tag.Get("digest") == "" {
				if what := differs(a.Field(i), b.Field(i)); what != "" {
					return " " + nameOf(field) + what
				}
			}
		}
	case reflect.Map:
		for _, key := range keysOf(a, b) {
			inA, inB := a.MapIndex(key), b.MapIndex(key)
			if !inA.IsValid() || !inB.IsValid() {
				return " " + key.String()
			}
			if what := differs(inA, inB); what != "" {
				return " " + key.String() + what
			}
		}
	case reflect.Slice:
		if a.Len() != b.Len() {
			return fmt.Sprintf(": %d, not %d", b.Len(), a.Len())
		}
		for i := range a.Len() {
			if what := differs(a.Index(i), b.Index(i)); what != "" {
				return what
			}
		}
	case reflect.String:
		if a.String() != b.String() && loosely(a.String()) != loosely(b.String()) {
			return fmt.Sprintf(": %s, not %s", cut(b.String(), 200), cut(a.String(), 200))
		}
	default:
		if !a.Equal(b) {
			return fmt.Sprintf(": %v, not %v", b, a)
		}
	}
	return ""
}

var cast = regexp.MustCompile(`::(?:"[^"]+"|[\w.]+(?: varying| precision)?)(?:\(\d+(?:,\s*\d+)?\))?(?: with(?:out)? time zone)?(?:\[\])*`)

// loosely is an expression without casts, parentheses and space.
func loosely(expression string) string {
	expression = strings.Map(func(r rune) rune {
		if r == '(' || r == ')' {
			return -1
		}
		return r
	}, cast.ReplaceAllString(expression, ""))
	return strings.Join(strings.Fields(cast.ReplaceAllString(expression, "")), "")
}

func writeSchema(path string, schema *catalog.Schema) error {
	var packed bytes.Buffer
	if err := schema.Encode(&packed); err != nil {
		return err
	}
	if err := writeSynced(path, packed.Bytes()); err != nil {
		return fmt.Errorf("writing the catalog: %w", err)
	}
	return nil
}

func readSchema(path string) (*catalog.Schema, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return catalog.Decode(f)
}

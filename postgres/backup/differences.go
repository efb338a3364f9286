package backup

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
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
// none: it is the same. What a restore cannot keep is no difference: object ids,
// gaps in column numbers, the place of files, statistics, versions of extensions,
// and what belongs to the database itself rather than to what is in it. Neither
// are casts and parentheses in expressions, for PostgreSQL writes some in another
// place once it has read them back, such as of CHECK (v IN ('a', 'b')) on a varchar.
func Differences(want, got *catalog.Schema) []string {
	a, b := sections(want), sections(got)
	var found []string
	for _, section := range slices.Sorted(maps.Keys(a)) {
		kind := kindOf(section)
		for _, name := range slices.Sorted(maps.Keys(a[section])) {
			other, ok := b[section][name]
			if !ok {
				found = append(found, kind+" "+name+" is missing")
				continue
			}
			if what := differs(a[section][name], other); what != "" {
				found = append(found, kind+" "+name+" differs in "+what)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(b[section])) {
			if _, ok := a[section][name]; !ok {
				found = append(found, kind+" "+name+" was not in it")
			}
		}
	}
	return found
}

// kindOf is what one object of a section is called.
func kindOf(section string) string {
	kind := strings.ReplaceAll(section, "_", " ")
	if singular, ok := strings.CutSuffix(kind, "ies"); ok {
		return singular + "y"
	}
	return strings.TrimSuffix(kind, "s")
}

// notKept are members of objects that a restore does not keep.
var notKept = map[string]bool{
	"oid": true, "file": true, "rows": true, "bytes": true, "number": true, "missing": true, "last": true,
}

// sections returns the maps of a schema as plain values, by the names they have
// in its files.
func sections(s *catalog.Schema) map[string]map[string]any {
	var plain map[string]any
	data, err := json.Marshal(s)
	if err == nil {
		err = json.Unmarshal(data, &plain)
	}
	if err != nil {
		return nil // a Schema consists of strings, numbers and maps
	}
	found := make(map[string]map[string]any)
	for section, value := range plain {
		objects, ok := value.(map[string]any)
		if !ok || section == "identity" || section == "settings" {
			continue
		}
		for _, object := range objects {
			strip(object)
			if members, ok := object.(map[string]any); ok && section == "extensions" {
				delete(members, "version")
			}
		}
		found[section] = objects
	}
	return found
}

func strip(value any) {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if notKept[name] {
				delete(value, name)
			} else {
				strip(member)
			}
		}
	case []any:
		for _, member := range value {
			strip(member)
		}
	}
}

// differs names the first member, with the path to it, in which two objects
// differ; empty: they do not.
func differs(a, b any) string {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return "its kind"
		}
		names := maps.Clone(a)
		maps.Copy(names, b)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			if what := differs(a[name], b[name]); what != "" {
				if what == "itself" || strings.HasPrefix(what, "itself: ") {
					return strings.TrimSpace(name + strings.TrimPrefix(what, "itself"))
				}
				return name + " " + what
			}
		}
		return ""
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return "itself"
		}
		for i := range a {
			if what := differs(a[i], b[i]); what != "" {
				return what
			}
		}
		return ""
	case string:
		if other, ok := b.(string); ok && (a == other || loosely(a) == loosely(other)) {
			return ""
		} else if ok {
			return fmt.Sprintf("itself: %s, not %s", cut(other, 200), cut(a, 200))
		}
	}
	if reflect.DeepEqual(a, b) {
		return ""
	}
	return "itself"
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
	pack := gzip.NewWriter(&packed)
	if err := json.NewEncoder(pack).Encode(schema); err != nil {
		return fmt.Errorf("encoding the catalog: %w", err)
	}
	if err := pack.Close(); err != nil {
		return fmt.Errorf("encoding the catalog: %w", err)
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
	unpack, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("reading the catalog of the backup: %w", err)
	}
	schema := new(catalog.Schema)
	if err := json.NewDecoder(unpack).Decode(schema); err != nil {
		return nil, fmt.Errorf("reading the catalog of the backup: %w", err)
	}
	return schema, nil
}

// Schema returns the catalog that a backup holds; nil: it holds none.
func (s *Store) Schema(id string) (*catalog.Schema, error) {
	release, err := s.hold(id)
	if err != nil {
		return nil, err
	}
	defer release()
	m, err := readManifest(s.Folder(id))
	if err != nil {
		return nil, err
	}
	if _, ok := m.Files[schemaFile]; !ok {
		return nil, nil
	}
	return readSchema(s.Folder(id) + "/" + schemaFile)
}

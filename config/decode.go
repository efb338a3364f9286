package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// decoder fills a Config from YAML nodes, strictly, and notes where each key stands.
// It goes on after a problem, so that all of them are found.
type decoder struct {
	*report
	env func(string) (string, bool)
}

// nodeDecoder is a type that has more than one form in the file.
type nodeDecoder interface {
	decodeNode(d *decoder, n *yaml.Node, key string)
}

// value decodes n, the value of the key, by the type of what it goes into.
func (d *decoder) value(n *yaml.Node, key string, into reflect.Value) {
	n = resolve(n)
	switch v := into.Addr().Interface().(type) {
	case nodeDecoder:
		v.decodeNode(d, n, key)
		return
	case *netip.Prefix:
		d.prefix(n, key, v)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.structure(n, key, into)
	case reflect.Map:
		d.mapping(n, key, into)
	case reflect.Slice:
		d.list(n, key, into)
	case reflect.String:
		text, _ := d.text(n, key)
		into.SetString(text)
	case reflect.Int:
		into.SetInt(int64(d.integer(n, key)))
	case reflect.Bool:
		into.SetBool(d.boolean(n, key))
	default:
		panic(fmt.Sprintf("config: %s has a type that the decoder does not know: %s", key, into.Type()))
	}
}

// structure decodes a map whose keys are the fields of a struct; others are problems.
func (d *decoder) structure(n *yaml.Node, key string, into reflect.Value) {
	if !d.wants(n, key, yaml.MappingNode) {
		return
	}
	fields, names := fieldsOf(into)
	for _, e := range d.entries(n, key) {
		path := join(key, e.key.Value)
		field, ok := fields[e.key.Value]
		if !ok {
			d.node(e.key, path, "unknown key; %s", hint(e.key.Value, names))
			continue
		}
		d.note(path, e.key, e.value)
		if into, ok := field.value.Addr().Interface().(*time.Duration); ok {
			d.duration(resolve(e.value), path, into, field.zeroIsOff)
			continue
		}
		d.value(e.value, path, field.value)
	}
}

// field is where a key of a struct goes. Tag zero:"off" allows a duration of
// zero, which turns something off.
type field struct {
	value     reflect.Value
	zeroIsOff bool
}

// fieldsOf are the fields of a struct by their key in the file, and the keys in order.
func fieldsOf(v reflect.Value) (map[string]field, []string) {
	fields := map[string]field{}
	var names []string
	for i := range v.NumField() {
		tag := v.Type().Field(i).Tag
		if name := tag.Get("yaml"); name != "" && name != "-" {
			fields[name] = field{v.Field(i), tag.Get("zero") == "off"}
			names = append(names, name)
		}
	}
	return fields, names
}

// mapping decodes a map from names to pointers.
func (d *decoder) mapping(n *yaml.Node, key string, into reflect.Value) {
	into.Set(reflect.MakeMap(into.Type()))
	if !d.wants(n, key, yaml.MappingNode) {
		return
	}
	for _, e := range d.entries(n, key) {
		path := join(key, e.key.Value)
		d.note(path, e.key, e.value)
		element := reflect.New(into.Type().Elem().Elem())
		d.value(e.value, path, element.Elem())
		into.SetMapIndex(reflect.ValueOf(e.key.Value), element)
	}
}

func (d *decoder) list(n *yaml.Node, key string, into reflect.Value) {
	if !d.wants(n, key, yaml.SequenceNode) {
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		path := index(key, i)
		d.note(path, item, item)
		d.value(item, path, into.Index(i))
	}
}

// note remembers where a key stands and what is written there.
func (d *decoder) note(key string, at, value *yaml.Node) {
	d.at[key] = position{line: max(1, at.Line), column: at.Column, raw: resolve(value).Value}
}

// wants reports a problem unless n is of the kind and not null.
func (d *decoder) wants(n *yaml.Node, key string, kind yaml.Kind) bool {
	switch {
	case isNull(n):
		d.node(n, key, "has no value: give it one or remove the key")
	case n.Kind == kind:
		return true
	case kind == yaml.MappingNode:
		d.node(n, key, "must be a map of keys")
	case kind == yaml.SequenceNode:
		d.node(n, key, "must be a list, such as [a, b]")
	default:
		d.node(n, key, "must be a single value")
	}
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// join is the dotted path of a name in the map at key. A path is fit for one line.
func join(key, name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		name = quote(name)
	}
	return strings.TrimPrefix(key+"."+name, ".")
}

// index is the dotted path of an item in the list at key.
func index(key string, i int) string { return fmt.Sprintf("%s[%d]", key, i) }

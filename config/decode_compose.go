package config

import (
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decodeNode reads a list of words, or one string that is split into words. It is
// split before variables are expanded, so that a value stays one word.
func (c *Command) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.SequenceNode {
		d.list(n, key, reflect.ValueOf((*[]string)(c)).Elem())
		if len(*c) == 0 {
			d.key(key, "is empty: name a program or remove the key")
		}
		return
	}
	if _, ok := d.text(n, key); !ok {
		return
	}
	words, err := splitWords(n.Value)
	if err != nil {
		d.node(n, key, "cannot be split into words: %v", err)
		return
	}
	for _, word := range words {
		expanded, _, _ := d.expand(n, key, word)
		*c = append(*c, expanded)
	}
}

// decodeNode reads one path or a list of paths.
func (f *EnvFiles) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.SequenceNode {
		d.list(n, key, reflect.ValueOf((*[]string)(f)).Elem())
		return
	}
	if text, ok := d.text(n, key); ok {
		d.note(index(key, 0), n, n)
		*f = EnvFiles{text}
	}
}

// decodeNode reads a map from names to values, or a list of NAME=value.
func (e *Environment) decodeNode(d *decoder, n *yaml.Node, key string) {
	*e = Environment{}
	switch {
	case n.Kind == yaml.SequenceNode:
		for i, item := range n.Content {
			e.decodeItem(d, resolve(item), index(key, i))
		}
	case n.Kind == yaml.MappingNode:
		for _, entry := range d.entries(n, key) {
			e.set(d, entry.key, join(key, entry.key.Value), entry.key.Value, resolve(entry.value))
		}
	default:
		d.node(n, key, "must be a map of names and values, or a list of NAME=value")
	}
}

// decodeItem reads NAME=value, or NAME alone.
func (e *Environment) decodeItem(d *decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		d.node(n, key, "must be NAME=value")
		return
	}
	name, value, ok := strings.Cut(n.Value, "=")
	if _, twice := (*e)[name]; twice {
		d.node(n, key, "sets %s a second time: keep one of them", quote(name))
		return
	}
	item := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Line: n.Line, Column: n.Column}
	if !ok {
		item.Tag = "!!null"
	}
	e.set(d, n, key, name, item)
}

// set takes one variable. No text it reports contains a value.
func (e *Environment) set(d *decoder, at *yaml.Node, key, name string, value *yaml.Node) {
	if name == "" || strings.ContainsAny(name, "=$ \t\r\n\x00") {
		d.node(at, key, "the name of a variable must not be empty and must not contain =, $ or spaces")
		return
	}
	switch {
	case value.Kind != yaml.ScalarNode:
		d.node(value, key, "must be a single value")
	case value.Tag == "!!null":
		inherited, ok := d.env(name)
		if !ok {
			d.node(at, key, "has no value, and the environment has no %s to take it from: set it there or give a value", name)
		}
		(*e)[name] = inherited
	case value.Tag == "!!str" || value.Tag == "!!int" || value.Tag == "!!float":
		(*e)[name], _, _ = d.expand(value, key, value.Value)
	default:
		d.node(value, key, "must be text or a number: put quotes around it")
	}
}

// decodeNode reads a list of names, or a map of which only the keys matter.
func (s *Networks) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.MappingNode {
		d.list(n, key, reflect.ValueOf((*[]string)(s)).Elem())
		return
	}
	for _, e := range d.entries(n, key) {
		path := join(key, e.key.Value)
		d.note(index(key, len(*s)), e.key, e.value)
		if v := resolve(e.value); !isNull(v) && (v.Kind != yaml.MappingNode || len(v.Content) > 0) {
			d.node(v, path, "must have no value: options of a network are not supported")
			continue
		}
		*s = append(*s, e.key.Value)
	}
}

// byteSize is a size in the units of the Compose specification, which are powers of 1024.
var byteSize = regexp.MustCompile(`^([0-9]+)([bB]|[kKmMgG][bB]?)?$`)

// decodeNode reads a number of bytes, or a string with a unit.
func (b *Bytes) decodeNode(d *decoder, n *yaml.Node, key string) {
	s, ok := d.scalar(n, key)
	if !ok {
		return
	}
	parts := byteSize.FindStringSubmatch(s.text)
	if parts == nil || !s.is("!!str", "!!int") {
		d.node(n, key, "must be a size such as 512m or 2g, is %s", quote(n.Value))
		return
	}
	shift := map[byte]uint{'k': 10, 'm': 20, 'g': 30}[strings.ToLower(parts[2] + "b")[0]]
	number, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || number < 1 || number > math.MaxInt64>>shift {
		d.node(n, key, "must be a size above zero that fits into 63 bits, is %s", quote(n.Value))
		return
	}
	*b = Bytes(number << shift)
}

// decodeNode reads a number.
func (r *Rate) decodeNode(d *decoder, n *yaml.Node, key string) {
	s, ok := d.scalar(n, key)
	if !ok {
		return
	}
	number, err := strconv.ParseFloat(s.text, 64)
	if err != nil || !(number > 0) || math.IsInf(number, 0) || !s.is("!!int", "!!float") {
		d.node(n, key, "must be a number of requests a second above zero, such as 50, is %s", quote(n.Value))
		return
	}
	*r = Rate(number)
}

// decodeNode reads a number, in quotes or not.
func (c *CPUs) decodeNode(d *decoder, n *yaml.Node, key string) {
	s, ok := d.scalar(n, key)
	if !ok {
		return
	}
	number, err := strconv.ParseFloat(s.text, 64)
	if err != nil || !(number > 0) || math.IsInf(number, 0) || !s.is("!!str", "!!int", "!!float") {
		d.node(n, key, "must be a number of processors above zero, such as 0.5, is %s", quote(n.Value))
		return
	}
	*c = CPUs(number)
}

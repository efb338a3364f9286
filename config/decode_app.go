package config

import (
	"reflect"

	"go.yaml.in/yaml/v4"
)

// decodeNode reads the scalar public, or a map with the key allow.
func (a *Access) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.MappingNode {
		d.structure(n, key, reflect.ValueOf(a).Elem())
		if a.Allow == nil {
			d.key(key, "says nothing: write allow with a list of ranges, or access: public for everybody")
		}
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.node(n, key, "must be public or a map with allow, such as { allow: [10.0.0.0/8] }")
		return
	}
	text, ok := d.text(n, key)
	if ok && text != "public" {
		d.node(n, key, "must be public or a map with allow, such as { allow: [10.0.0.0/8] }, is %s", quote(n.Value))
	}
	a.Public = ok && text == "public"
}

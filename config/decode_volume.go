package config

import (
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decodeNode reads the short or the long form of a mount.
func (v *Volume) decodeNode(d *decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.MappingNode {
		d.structure(n, key, reflect.ValueOf(v).Elem())
		return
	}
	if _, ok := d.text(n, key); ok {
		v.decodeShort(d, n, key)
	}
}

// decodeShort reads source:target[:ro]. It is cut before variables are expanded, so
// that a value cannot add a part.
func (v *Volume) decodeShort(d *decoder, n *yaml.Node, key string) {
	parts := strings.Split(n.Value, ":")
	if len(parts) < 2 || len(parts) > 3 {
		d.node(n, key, "must be source:target or source:target:ro, is %s", quote(n.Value))
		return
	}
	if len(parts) == 3 && parts[2] != "ro" && parts[2] != "rw" {
		d.node(n, key, "has the mode %s, of which only ro and rw are supported", quote(parts[2]))
		return
	}
	source, _, ok := d.expand(n, key, parts[0])
	target, _, ok2 := d.expand(n, key, parts[1])
	if !ok || !ok2 {
		return
	}
	*v = Volume{Type: "volume", Source: source, Target: target, ReadOnly: len(parts) == 3 && parts[2] == "ro"}
	if strings.HasPrefix(source, "/") || strings.HasPrefix(source, ".") || strings.HasPrefix(source, "~") {
		v.Type = "bind"
	}
}

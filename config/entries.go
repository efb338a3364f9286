package config

import (
	"go.yaml.in/yaml/v4"
)

// entry is a key of a YAML map and its value.
type entry struct{ key, value *yaml.Node }

// entries are the keys of the map n, those of its merge keys (<<) after its own. A
// key that is given twice is a problem; a key that is merged in a second time is not.
func (d *decoder) entries(n *yaml.Node, path string) []entry {
	c := collector{decoder: d, path: path, taken: map[string]*yaml.Node{}, visited: map[*yaml.Node]bool{}}
	c.collect(n, false)
	return c.entries
}

// collector flattens a map and what it merges. Each map is visited once, which ends
// cycles and costs nothing: a second visit could only bring keys that are taken.
type collector struct {
	*decoder
	path    string
	entries []entry
	taken   map[string]*yaml.Node
	visited map[*yaml.Node]bool
}

func (c *collector) collect(n *yaml.Node, merged bool) {
	if c.visited[n] {
		return
	}
	c.visited[n] = true
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := resolve(n.Content[i]), n.Content[i+1]
		switch {
		case key.Tag == "!!merge":
			merges = append(merges, value)
		case key.Kind != yaml.ScalarNode || key.Tag == "!!null":
			c.node(n.Content[i], c.path, "a key must be a name")
		default:
			c.take(key, value, merged)
		}
	}
	for _, m := range merges {
		c.merge(m)
	}
}

func (c *collector) take(key, value *yaml.Node, merged bool) {
	first, taken := c.taken[key.Value]
	if taken && !merged {
		c.node(key, join(c.path, key.Value), "is given twice, first in line %d: keep one of them", first.Line)
	}
	if taken {
		return
	}
	c.taken[key.Value] = key
	c.entries = append(c.entries, entry{key, value})
}

// merge takes the value of a merge key: a map, or a list of maps of which the earlier win.
func (c *collector) merge(n *yaml.Node) {
	maps := []*yaml.Node{n}
	if r := resolve(n); r.Kind == yaml.SequenceNode {
		maps = r.Content
	}
	for _, m := range maps {
		if m = resolve(m); m.Kind != yaml.MappingNode {
			c.node(n, join(c.path, "<<"), "must be a map or a list of maps, such as *name")
			continue
		}
		c.collect(m, true)
	}
}

// resolve is the node that n stands for: the anchor's, if n is an alias.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// scalar is a single value after expansion. What came out of a variable has no type
// of its own: it may be a number where one is wanted.
type scalar struct {
	text     string
	tag      string
	expanded bool
}

func (s scalar) is(tags ...string) bool {
	for _, tag := range tags {
		if s.expanded || s.tag == tag {
			return true
		}
	}
	return false
}

// scalar reads a single value that is not empty.
func (d *decoder) scalar(n *yaml.Node, key string) (scalar, bool) {
	if !d.wants(n, key, yaml.ScalarNode) {
		return scalar{}, false
	}
	text, expanded, ok := d.expand(n, key, n.Value)
	if ok && text == "" && expanded {
		d.node(n, key, "is empty once %s is expanded: give the variable a value or remove the key", quote(n.Value))
		return scalar{}, false
	}
	if ok && text == "" {
		d.node(n, key, "is empty: give it a value or remove the key")
		return scalar{}, false
	}
	return scalar{text, n.Tag, expanded}, ok
}

// expand is the text, part of the node n, with its variables expanded.
func (d *decoder) expand(n *yaml.Node, key, text string) (expanded string, used, ok bool) {
	expanded, used, err := expand(text, d.env)
	if err != nil {
		d.node(n, key, "%s", strings.ReplaceAll(err.Error(), "\n", "; "))
		return "", used, false
	}
	if strings.ContainsRune(expanded, 0) {
		d.node(n, key, "contains a NUL character: remove it")
		return "", used, false
	}
	return expanded, used, true
}

// text reads a string; a number or a boolean must be quoted to be one.
func (d *decoder) text(n *yaml.Node, key string) (string, bool) {
	s, ok := d.scalar(n, key)
	if !ok {
		return "", false
	}
	if !s.is("!!str") {
		d.node(n, key, "must be text: put quotes around it")
		return "", false
	}
	return s.text, true
}

func (d *decoder) integer(n *yaml.Node, key string) int {
	s, ok := d.scalar(n, key)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(s.text)
	switch {
	case err != nil:
		d.node(n, key, "must be a whole number, is %s", quote(n.Value))
	case !s.is("!!int"):
		d.node(n, key, "must be a number, not text: remove the quotes around %s", quote(n.Value))
	}
	return i
}

func (d *decoder) boolean(n *yaml.Node, key string) bool {
	s, ok := d.scalar(n, key)
	if ok && (!s.is("!!bool") || s.text != "true" && s.text != "false") {
		d.node(n, key, "must be true or false, is %s", quote(n.Value))
	}
	return s.text == "true"
}

var bareNumber = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]*)?$`)

// duration reads a length of time in Go's syntax, longer than zero unless that
// turns something off.
func (d *decoder) duration(n *yaml.Node, key string, into *time.Duration, zeroIsOff bool) {
	s, ok := d.scalar(n, key)
	if !ok {
		return
	}
	v, err := time.ParseDuration(s.text)
	switch {
	case bareNumber.MatchString(s.text):
		d.node(n, key, "has no unit: write a duration such as 30s or 5m, not the bare number %s", quote(n.Value))
	case err != nil:
		d.node(n, key, "must be a duration such as 30s or 5m, is %s", quote(n.Value))
	case v < 0 && zeroIsOff:
		d.node(n, key, "must not be negative, is %s", quote(n.Value))
	case v <= 0 && !zeroIsOff:
		d.node(n, key, "must be longer than zero, is %s", quote(n.Value))
	default:
		*into = v
	}
}

// prefix reads a range in CIDR notation or a single address.
func (d *decoder) prefix(n *yaml.Node, key string, into *netip.Prefix) {
	text, ok := d.text(n, key)
	if !ok {
		return
	}
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		*into = netip.PrefixFrom(addr, addr.BitLen())
		return
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil || p.Addr().Is4In6():
		d.node(n, key, "must be an address such as 10.0.0.1 or a range such as 10.0.0.0/8, is %s", quote(n.Value))
	case p != p.Masked():
		d.node(n, key, "is neither a range nor an address: %s has bits set beyond its length; write the first address of the range, or the address alone", quote(n.Value))
	default:
		*into = p
	}
}

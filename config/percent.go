package config

import (
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Percent is a share of 100. In the file it is a number such as 5 or 0.5.
type Percent float64

// decodeNode reads a number from 0 to 100.
func (p *Percent) decodeNode(d *decoder, n *yaml.Node, key string) {
	s, ok := d.scalar(n, key)
	if !ok {
		return
	}
	number, err := strconv.ParseFloat(s.text, 64)
	if err != nil || !(number >= 0 && number <= 100) || !s.is("!!int", "!!float") {
		d.node(n, key, "must be a number of per cent from 0 to 100, such as 5 or 0.5, is %s", quote(n.Value))
		return
	}
	*p = Percent(number)
}

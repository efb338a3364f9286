package config

import (
	_ "embed" // the schema is part of the program
	"slices"
)

// schema is generated from the types of this package, with their comments as
// descriptions, by: go test ./config -run TestSchemaIsCurrent -update
//
//go:embed bluegreen.schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of the configuration file. It knows the
// shape of the file: what one key demands of another is validated by Load only.
func Schema() []byte { return slices.Clone(schema) }

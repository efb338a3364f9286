// Package config owns the configuration file, /etc/bluegreen/bluegreen.yaml: the
// keys and their types, strict decoding with line numbers, ${VAR} expansion,
// defaults, validation, and the JSON Schema published for editors.
//
// A file is accepted whole or refused whole, with every problem listed.
//
// It must not know how any value is used: it imports no other package of this
// module, opens no socket, and asks neither Docker nor the network anything.
package config

package catalog

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// ErrFormat means that a schema was written by a newer version of the program.
var ErrFormat = errors.New("unknown format of a recorded schema")

// Encode writes the schema as compressed JSON.
func (s *Schema) Encode(to io.Writer) error {
	packed := gzip.NewWriter(to)
	if err := json.NewEncoder(packed).Encode(s); err != nil {
		return fmt.Errorf("writing a schema: %w", err)
	}
	if err := packed.Close(); err != nil {
		return fmt.Errorf("writing a schema: %w", err)
	}
	return nil
}

// Decode reads what Encode has written, whole or not at all.
func Decode(from io.Reader) (*Schema, error) {
	packed, err := gzip.NewReader(from)
	if err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	text, err := io.ReadAll(packed) // to its end, where the checksum is
	if err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	var s Schema
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("reading a schema: %w", err)
	}
	if s.Format != Format {
		return nil, fmt.Errorf("%w: %d, and %d is the newest that this version reads", ErrFormat, s.Format, Format)
	}
	return &s, nil
}

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// write writes the report to a folder: as text, as JSON with every sample, and
// as a plot.
func (r *report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var text bytes.Buffer
	r.print(&text)
	values, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("writing the results as JSON: %w", err)
	}
	for name, content := range map[string][]byte{
		"results.txt": text.Bytes(), "results.json": append(values, '\n'), "results.svg": r.plot(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

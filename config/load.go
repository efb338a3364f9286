package config

import "os"

// Options are what a configuration depends on besides its file.
type Options struct {
	// Env looks up a variable for ${VAR}; nil means the environment of this process.
	Env func(string) (string, bool)
	// InternalDomain, when not empty, replaces the internal hosts of the only app.
	InternalDomain string
}

// Load reads, expands, decodes, completes and validates the file at path. The error
// is an *Error when the file could be read but is not acceptable.
func Load(path string, options Options) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, data, options)
}

// Parse is Load for a file already in memory. Relative paths in it are relative to the directory of name.
func Parse(name string, data []byte, options Options) (*Config, error) {
	panic("not built yet")
}

// CheckFiles reports, as an *Error, every file that the configuration names and that is not there.
func (c *Config) CheckFiles() error { return nil }

// Schema is the JSON Schema (draft 2020-12) of the configuration file.
func Schema() []byte { return nil }

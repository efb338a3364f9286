package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
)

// Options are what a configuration depends on besides its file.
type Options struct {
	// Env looks up a variable for ${VAR}; nil means the environment of this process.
	Env func(string) (string, bool)
	// InternalDomain, when not empty, replaces the internal hosts of the only app.
	InternalDomain string
	// Service says what is wrong with the URL of a service of notify, without any part of
	// it; nil checks no more than its form.
	Service func(url string) error
}

// Load reads, expands, decodes, completes and validates the file at path. Relative
// paths in it become absolute. The error is an *Error when the file could be read
// but is not acceptable.
func Load(path string, options Options) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("finding the directory of the configuration: %w", err)
	}
	return parse(path, dir, data, options)
}

// Parse is Load for a file already in memory. Relative paths in it are joined to the directory of name.
func Parse(name string, data []byte, options Options) (*Config, error) {
	return parse(name, filepath.Dir(name), data, options)
}

func parse(name, dir string, data []byte, options Options) (*Config, error) {
	root, problem := readDocument(data)
	if problem != nil {
		return nil, newError(name, []Problem{*problem})
	}
	env := options.Env
	if env == nil {
		env = os.LookupEnv
	}
	r := newReport(positions{"": {line: max(1, root.Line), column: root.Column}})
	c := &Config{name: name, lines: r.at}
	d := &decoder{report: r, env: env}
	d.structure(root, "", reflect.ValueOf(c).Elem())
	for name, app := range c.Apps {
		app.Name = name
	}
	replaceInternal(c, r, options.InternalDomain)
	setDefaults(c, r.at.given)
	resolvePaths(c, r, dir)
	validate(c, r, env, options.Service)
	if err := newError(name, r.problems); err != nil {
		return nil, err
	}
	return c, nil
}

// replaceInternal makes the domain the only internal host of the only app. The server
// of the first user names that host in INTERNAL_DOMAIN.
func replaceInternal(c *Config, r *report, domain string) {
	if domain == "" || len(c.Apps) == 0 {
		return
	}
	if len(c.Apps) > 1 {
		r.key("apps", "INTERNAL_DOMAIN replaces the internal hosts of the only app, but there are %d apps: unset it and write the hosts in the file", len(c.Apps))
		return
	}
	for name, app := range c.Apps {
		key := join("apps."+name, "internal")
		at := r.at.nearest(key)
		at.raw = "${INTERNAL_DOMAIN}"
		r.at[index(key, 0)] = at
		app.Internal = []string{domain}
	}
}

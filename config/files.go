package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// file is a path that the configuration names, and the key that names it.
type file struct {
	key  string
	path *string
}

// inputs are the files that must be there before anything is started.
func (c *Config) inputs() []file {
	files := []file{{"tls.root", &c.TLS.Root}, {"admin.tls.cert", &c.Admin.TLS.Cert}, {"admin.tls.key", &c.Admin.TLS.Key}}
	for i := range c.TLS.Certificates {
		cert, key := &c.TLS.Certificates[i], index("tls.certificates", i)
		files = append(files, file{key + ".cert", &cert.Cert}, file{key + ".key", &cert.Key})
	}
	for name, a := range c.Apps {
		files = append(files, file{"apps." + name + ".access.client_ca", &a.Access.ClientCA})
		for i := range a.Container.EnvFile {
			files = append(files, file{index("apps."+name+".container.env_file", i), &a.Container.EnvFile[i]})
		}
	}
	return files
}

// places are the other paths of the configuration.
func (c *Config) places() []file {
	files := []file{{"admin.socket", &c.Admin.Socket}, {"state.dir", &c.State.Dir}, {"logs.dir", &c.Logs.Dir}}
	for name, a := range c.Apps {
		files = append(files, file{"apps." + name + ".process.directory", &a.Process.Directory}, file{"apps." + name + ".pages", &a.Pages},
			file{"apps." + name + ".database.migrations_dir", &a.Database.MigrationsDir}, file{"apps." + name + ".database.backup.dir", &a.Database.Backup.Dir})
		for i := range a.Paths {
			files = append(files, file{index("apps."+name+".paths", i) + ".static", &a.Paths[i].Static})
		}
		for i := range a.Container.Volumes {
			if v := &a.Container.Volumes[i]; v.Type == "bind" {
				files = append(files, file{index("apps."+name+".container.volumes", i), &v.Source})
			}
		}
	}
	return files
}

// resolvePaths joins the relative paths to the directory of the file.
func resolvePaths(c *Config, r *report, dir string) {
	for _, f := range append(c.inputs(), c.places()...) {
		switch {
		case *f.path == "" || filepath.IsAbs(*f.path):
		case strings.HasPrefix(*f.path, "~"):
			r.key(f.key, "begins with ~, which is not expanded here: write the whole path")
		default:
			*f.path = filepath.Join(dir, *f.path)
		}
	}
}

// CheckFiles reports, as an *Error, every file that the configuration names and that
// is not there or cannot be read: certificates, keys, roots, env_file, the directories
// of processes and the folders of error pages, paths and migrations. Load does not look at them,
// so that a file can be checked on another machine.
func (c *Config) CheckFiles() error {
	r := newReport(c.lines)
	for _, f := range c.inputs() {
		if *f.path != "" {
			checkFile(r, f.key, *f.path)
		}
	}
	for name, a := range c.Apps {
		key := "apps." + name + ".access.client_ca"
		if !r.blamed[key] { // a pipe is not read from
			if _, err := a.Access.Authorities(); err != nil {
				r.key(key, "the file %s %v", r.shown(key, a.Access.ClientCA), err)
			}
		}
		key = "apps." + name + ".process.directory"
		if info, err := os.Stat(a.Process.Directory); a.Runtime == RuntimeProcess && (err != nil || !info.IsDir()) {
			r.key(key, "there is no directory %s: create it or correct the path", r.shown(key, a.Process.Directory))
		}
	}
	for name, a := range c.Apps {
		key := "apps." + name + ".database.migrations_dir"
		if info, err := os.Stat(a.Database.MigrationsDir); a.Database.MigrationsDir != "" && (err != nil || !info.IsDir()) {
			r.key(key, "there is no folder %s: create it or correct the path", r.shown(key, a.Database.MigrationsDir))
		}
		if a.Pages != "" {
			checkPages(r, "apps."+name+".pages", a.Pages)
		}
		for i, p := range a.Paths {
			key := index("apps."+name+".paths", i) + ".static"
			if info, err := os.Stat(p.Static); p.Static != "" && (err != nil || !info.IsDir()) {
				r.key(key, "there is no folder %s: create it or correct the path", r.shown(key, p.Static))
			}
		}
	}
	return newError(c.name, r.problems)
}

// checkFile opens the file, for only that tells whether it can be read. It opens
// regular files only: opening a pipe could wait for ever.
func checkFile(r *report, key, path string) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		r.key(key, "%s is not a regular file: name a file", r.shown(key, path))
		return
	}
	var f *os.File
	if err == nil {
		f, err = os.Open(path)
	}
	switch {
	case err == nil:
		_ = f.Close() // it was only read from
	case errors.Is(err, fs.ErrNotExist):
		r.key(key, "there is no file %s: create it or correct the path", r.shown(key, path))
	case errors.Is(err, fs.ErrPermission):
		r.key(key, "the file %s may not be read by this user: change its owner or mode", r.shown(key, path))
	default:
		r.key(key, "the file %s cannot be opened: check the path", r.shown(key, path))
	}
}

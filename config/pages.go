package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// maxPageBytes is the most bytes that an own error page may have.
const maxPageBytes = 256 << 10

var pageName = regexp.MustCompile(`^([45][0-9]{2}|[45]xx|maintenance)(\.[a-z]{2,3}(-[a-z0-9]{2,8})*)?\.html$`)

// checkPages looks at a folder of error pages as the edge will read it.
func checkPages(r *report, key, dir string) {
	entries, err := os.ReadDir(dir)
	switch {
	case err == nil:
	case errors.Is(err, fs.ErrNotExist):
		r.key(key, "there is no folder %s: create it or correct the path", r.shown(key, dir))
	case errors.Is(err, fs.ErrPermission):
		r.key(key, "the folder %s may not be read by this user: change its owner or mode", r.shown(key, dir))
	default:
		r.key(key, "the folder %s cannot be read: name a folder", r.shown(key, dir))
	}
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".html" {
			continue
		}
		if problem := pageProblem(dir, entry.Name()); problem != "" {
			r.key(key, "the file %s in it %s", quote(entry.Name()), problem)
			return
		}
	}
}

// pageProblem says what is wrong with a page; empty if nothing is.
func pageProblem(dir, name string) string {
	if !pageName.MatchString(name) {
		return "would never be shown: call it 503.html, 5xx.html, 503.es.html, maintenance.html or the like, or move it elsewhere"
	}
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "is not there: its link leads nowhere"
	case !info.Mode().IsRegular():
		return "is not a regular file"
	case info.Size() > maxPageBytes:
		return "is larger than 256 KiB, and pages are held in memory: make it smaller"
	}
	f, err := os.Open(path)
	if err != nil {
		return "may not be read by this user: change its owner or mode"
	}
	_ = f.Close() // it was only read from
	return ""
}

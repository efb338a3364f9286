package main

import (
	"io/fs"
	"os"
)

// folder is a directory whose files are served. Nothing outside it can be
// reached, by .. or by a symbolic link. It is looked up anew each time, so that
// one that is replaced as a whole is served at once.
type folder string

// Open opens a file for reading.
func (f folder) Open(name string) (fs.File, error) {
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Open(name)
}

// Stat tells about a file.
func (f folder) Stat(name string) (fs.FileInfo, error) {
	root, err := os.OpenRoot(string(f))
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return root.Stat(name)
}

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"sofiacall.com/bluegreen/switcher"
)

// ownerID is a line with what an engine takes as the value of a label without
// any quoting; operators write one too, to take over another edge's containers.
var ownerID = regexp.MustCompile(`^\s*([A-Za-z0-9._-]{1,128})\s*$`)

// owner is the id of this installation, kept as a file in the state directory.
// The first call writes it.
func owner(stateDir string) (string, error) {
	path := filepath.Join(stateDir, "id")
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		id := rand.Text()
		if err := createFile(path, id+"\n"); err != nil {
			return "", fmt.Errorf("recording the id of this installation: %w", err)
		}
		return id, nil
	case err != nil:
		return "", fmt.Errorf("reading the id of this installation: %w", err)
	}
	if id := ownerID.FindSubmatch(text); id != nil {
		return string(id[1]), nil
	}
	return "", &switcher.Error{
		Code: switcher.CodeFailed,
		What: path + " does not hold the id of an installation",
		Hint: "write the id into it that the app's containers carry: label com.sofiacall.bluegreen.owner, shown by docker inspect; delete it only if they carry none",
	}
}

// createFile writes a file whole or not at all, for this user alone.
func createFile(path, text string) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := os.CreateTemp(dir, filepath.Base(path)+".*.new") // with mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

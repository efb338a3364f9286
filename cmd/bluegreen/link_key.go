package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

// newLinkKey is the key of this installation's signed links, kept as a file in
// the state directory. It is made when the first link is asked for. One that
// cannot be read makes links invalid and nothing else.
func newLinkKey(stateDir string, log *slog.Logger) *proxy.LinkKey {
	path := filepath.Join(stateDir, "links.key")
	kept, err := readLinkKey(path)
	if err != nil {
		log.Error("signed links are not accepted", "error", err)
	}
	key, _ := proxy.NewLinkKey(kept, func() ([]byte, error) { return createLinkKey(path) }) // of the right size
	return key
}

// readLinkKey returns nil when there is no key yet.
func readLinkKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the key of signed links: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != proxy.LinkKeySize {
		return nil, &switcher.Error{
			Code: switcher.CodeFailed, What: path + " does not hold a key",
			Hint: "remove it and restart the edge to have a new one made; links given out before are then invalid",
		}
	}
	return key, nil
}

func createLinkKey(path string) ([]byte, error) {
	// A file that could not be used is the operator's to remove.
	if kept, err := readLinkKey(path); kept != nil || err != nil {
		return kept, err
	}
	key := make([]byte, proxy.LinkKeySize)
	_, _ = rand.Read(key) // never fails
	return key, createFile(path, hex.EncodeToString(key)+"\n")
}

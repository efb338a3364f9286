package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLinksOutliveARestartUntilTheirKeyIsLost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "links.key")
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))

	first := newLinkKey(dir, logger)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Fatalf("a key was made before there was a link: %v", err)
	}
	if _, err := first.Links("chat").Sign("internal.chat.test", time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file has mode %v: %v", info.Mode(), err)
	}
	if _, err := newLinkKey(dir, logger).Links("chat").Sign("internal.chat.test", time.Now()); err != nil {
		t.Error(err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, text) {
		t.Errorf("after a restart the key is another one: %v", err)
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", &log)
	}

	if err := os.WriteFile(path, text[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = newLinkKey(dir, logger).Links("chat").Sign("internal.chat.test", time.Now())
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(log.String(), path) {
		t.Errorf("with a damaged key: %v; logged: %s", err, &log)
	}
	if strings.Contains(err.Error()+log.String(), string(text[:20])) {
		t.Errorf("the key is shown: %v; %s", err, &log)
	}
}

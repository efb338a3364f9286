package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestMissingFilesAreListedWithTheirLines(t *testing.T) {
	dir := t.TempDir()
	source := oneApp + "    container:\n      env_file: [here.env, gone.env, pipe, \"${SECRET}.env\"]\ntls:\n  root: gone.pem\n"
	write(t, dir, "here.env", "A=1\n")
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, write(t, dir, "bluegreen.yaml", source), Options{})
	c.name = "bluegreen.yaml"
	want := `bluegreen.yaml:7: apps.a.container.env_file[1]: there is no file "gone.env": create it or correct the path
bluegreen.yaml:7: apps.a.container.env_file[2]: "pipe" is not a regular file: name a file
bluegreen.yaml:7: apps.a.container.env_file[3]: there is no file "${SECRET}.env": create it or correct the path
bluegreen.yaml:9: tls.root: there is no file "gone.pem": create it or correct the path
4 problems in bluegreen.yaml`
	if err := c.CheckFiles(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestFilesThatAreThereAreAccepted(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.pem", "a.key", "a.env"} {
		write(t, dir, name, "")
	}
	path := write(t, dir, "bluegreen.yaml", `tls: { issuer: files, certificates: [{ cert: a.pem, key: a.key }] }
`+strings.Replace(oneApp, "image: example/a", "image: example/a\n    container: { env_file: a.env }", 1))
	if err := load(t, path, Options{}).CheckFiles(); err != nil {
		t.Error(err)
	}
}

func TestAFileThatMayNotBeReadAndALostDirectory(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Log("root reads everything: only the directory is checked")
	}
	dir := t.TempDir()
	if err := os.Chmod(write(t, dir, "a.env", ""), 0); err != nil {
		t.Fatal(err)
	}
	path := write(t, dir, "bluegreen.yaml", strings.Replace(oneApp, "image: example/a",
		"image: example/a\n    container: { env_file: a.env }", 1)+`  b:
    production: [local.example.com]
    internal: [next.local.example.com]
    runtime: process
    process: { command: run, directory: gone }
    slots: { blue: { port: 4003 }, green: { port: 4004 } }
`)
	err := load(t, path, Options{}).CheckFiles()
	if !strings.Contains(fmt.Sprint(err), `there is no directory "gone"`) {
		t.Errorf("got %v", err)
	}
	if refused := strings.Contains(fmt.Sprint(err), `the file "a.env" may not be read`); refused == (os.Geteuid() == 0) {
		t.Errorf("got %v", err)
	}
}

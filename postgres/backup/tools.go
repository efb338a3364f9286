package backup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Tools are the programs that read and write a database as files, of one
// directory and one version.
type Tools struct {
	Dump    string // path of pg_dump
	Restore string // path of pg_restore
	Major   int    // of their version
	Version string // such as 15.18
}

// toolFolders is where packages put the programs of each version.
const toolFolders = "/usr/lib/postgresql/*/bin"

// FindTools returns pg_dump and pg_restore of the given directories, or without
// any, of those in PATH and of /usr/lib/postgresql/*/bin, for a server, given its
// server_version_num: those of its own version, or else of the next newer one, or
// else the newest. An older pg_dump refuses the server, and a pg_restore of 17 or
// newer sends older servers a setting that they do not know.
func FindTools(ctx context.Context, server int, folders ...string) (Tools, error) {
	if len(folders) == 0 {
		folders = filepath.SplitList(os.Getenv("PATH"))
		installed, _ := filepath.Glob(toolFolders)
		folders = append(folders, installed...)
	}
	var best Tools
	var trouble error
	for _, folder := range folders {
		t := Tools{Dump: filepath.Join(folder, "pg_dump"), Restore: filepath.Join(folder, "pg_restore")}
		if !executable(t.Dump) || !executable(t.Restore) {
			continue
		}
		var err error
		if t.Major, t.Version, err = versionOf(ctx, t.Dump); err != nil {
			trouble = err
			continue
		}
		if best.Dump == "" || t.better(best, server/10000) {
			best = t
		}
	}
	switch {
	case best.Dump != "":
		return best, nil
	case trouble != nil:
		return Tools{}, trouble
	}
	return Tools{}, &switcher.Error{Code: switcher.CodeFailed,
		What: "there is no pg_dump with its pg_restore in PATH or " + toolFolders,
		Hint: "install the PostgreSQL client of the server's version, such as Debian's `postgresql-client`, or set `backup.command`"}
}

// better reports whether the tools suit a server of a version better than others.
func (t Tools) better(than Tools, major int) bool {
	switch {
	case t.Major == than.Major:
		return newer(t.Version, than.Version)
	case t.Major >= major && than.Major >= major:
		return t.Major < than.Major
	}
	return t.Major > than.Major
}

// executable reports whether a path is a program of PostgreSQL's. Debian's are in
// folders by version; what it has in PATH is a script that chooses one of them,
// by rules of its own.
func executable(path string) bool {
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(real) == "pg_wrapper" {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

var digits = regexp.MustCompile(`\d+`)

var toolVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)(\.\d+|\w+)?`)

func versionOf(ctx context.Context, program string) (major int, version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--version")
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	said, err := cmd.Output()
	if err != nil {
		return 0, "", fmt.Errorf("asking %s for its version: %w", program, err)
	}
	found := toolVersion.FindStringSubmatch(string(said))
	if found == nil {
		return 0, "", fmt.Errorf("%s does not tell its version: %q", program, cut(strings.TrimSpace(string(said)), 100))
	}
	major, err = strconv.Atoi(found[1])
	return major, found[1] + found[2], err
}

// newer compares two versions; one that is being tested comes before all of its
// minor ones.
func newer(a, b string) bool {
	number := func(text string) (parts [2]int) {
		for i, found := range digits.FindAllString(text, 2) {
			if i == 0 || strings.Contains(text, ".") {
				parts[i], _ = strconv.Atoi(found)
			}
		}
		return parts
	}
	left, right := number(a), number(b)
	return slices.Compare(left[:], right[:]) > 0
}

// Suit returns an error if the tools are older than a server, given its
// server_version_num: pg_dump refuses newer servers.
func (t Tools) Suit(server int) error {
	if major := server / 10000; t.Major < major {
		return &switcher.Error{Code: switcher.CodeFailed,
			What: fmt.Sprintf("%s is of version %s and the server of version %d: an older pg_dump cannot read it", t.Dump, t.Version, major),
			Hint: fmt.Sprintf("install the client of version %d, such as Debian's `postgresql-client-%d`; it is found beside the old one", major, major)}
	}
	return nil
}

package backup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// FindTools returns the newest pg_dump and pg_restore of the given directories;
// without any, of those in PATH and of /usr/lib/postgresql/*/bin.
func FindTools(ctx context.Context, folders ...string) (Tools, error) {
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
		if newer(t.Version, best.Version) {
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

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

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

func newer(a, b string) bool {
	number := func(text string) (major, minor int) {
		left, right, _ := strings.Cut(text, ".")
		major, _ = strconv.Atoi(strings.TrimRight(left, "abcdefghijklmnopqrstuvwxyz"))
		minor, _ = strconv.Atoi(right)
		return major, minor
	}
	am, an := number(a)
	bm, bn := number(b)
	return am > bm || am == bm && an > bn
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

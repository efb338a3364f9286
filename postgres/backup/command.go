package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

const (
	grace     = 5 * time.Second // for a program to end once it was asked to
	tailLines = 12              // of its output in an error
	tailWidth = 400             // bytes of each
)

// command is a program that is run to its end.
type command struct {
	program string
	args    []string
	env     []string
	dir     string
	mask    switcher.Mask
	line    func(string) // is told each line of its errors; nil: nobody is
	output  io.Writer    // takes its output; nil: that goes with the errors
	files   []*os.File   // it has as descriptors 3 and up, see inherited
}

// run runs the program. It ends with ctx, and with this process, however that
// ends: a dump that nobody waits for would go on writing.
func (c command) run(ctx context.Context) error {
	// The signal at the parent's death is at the death of the thread that started
	// the program, so that must live until the program has ended.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	told := &lines{tell: c.line}
	cmd := exec.CommandContext(ctx, c.program, c.args...)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = c.env, c.dir, c.files
	cmd.Stderr = told
	if cmd.Stdout = told; c.output != nil {
		cmd.Stdout = c.output
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	err := cmd.Run()
	if err != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it started and left behind
	}
	told.flush()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return c.failure(err, told.explanation())
}

// inMemory returns a file that has no name, so that nothing is left of it
// whatever happens.
func inMemory(name string) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("creating a file in memory: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// inherited is the path under which a program finds a file of command.files.
func inherited(descriptor int) string { return fmt.Sprintf("/proc/self/fd/%d", descriptor) }

func (c command) failure(err error, output []string) error {
	name := filepath.Base(c.program)
	e := &switcher.Error{Code: switcher.CodeFailed, What: name + " failed", Err: err}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		e.What, e.Err = fmt.Sprintf("%s ended with exit code %d", name, exit.ExitCode()), nil
	}
	for _, line := range output {
		e.Output = append(e.Output, cut(c.mask.Line(line), tailWidth))
	}
	if len(e.Output) > 0 {
		e.What += ": " + strings.TrimPrefix(e.Output[0], name+": error: ")
	}
	e.Hint = hintFor(strings.Join(output, "\n"))
	return e
}

var hints = []struct {
	said *regexp.Regexp
	hint string
}{
	{regexp.MustCompile(`No space left on device|Disk quota exceeded`), "the disk is full: make room on it, or move `backup.dir`"},
	{regexp.MustCompile(`must be (member of|able to SET) role|must be owner of`), "objects belong to a role that the admin's role is no member of: `GRANT that_role TO admin_role`"},
	{regexp.MustCompile(`row-level security`), "rows are hidden from the admin's role by a policy: it must own the table without FORCE ROW LEVEL SECURITY, or have BYPASSRLS"},
	{regexp.MustCompile(`permission denied for`), "the admin's role may not read or make everything: it should own all objects, or be a member of the roles that do"},
	{regexp.MustCompile(`lock timeout|LOCK TABLE`), "another session holds a lock on a table for long: see pg_stat_activity"},
	{regexp.MustCompile(`password authentication failed`), "the password of the admin's URL is not that role's"},
	{regexp.MustCompile(`parameter "transaction_timeout"`), "this pg_restore is too new for the server: install the client of the server's version beside it"},
	{regexp.MustCompile(`too many clients|remaining connection slots`), "the server has no connection left: raise max_connections, or have the app use fewer"},
}

func hintFor(output string) string {
	for _, h := range hints {
		if h.said.MatchString(output) {
			return h.hint
		}
	}
	return ""
}

// lines takes what a program writes apart into lines, and keeps what explains
// its end: from the first error on, or else the last ones.
type lines struct {
	tell   func(string)
	part   []byte
	kept   []string
	failed bool
}

func (l *lines) Write(p []byte) (int, error) {
	l.part = append(l.part, p...)
	for {
		end := bytes.IndexByte(l.part, '\n')
		if end < 0 {
			if len(l.part) > 64<<10 {
				l.flush()
			}
			return len(p), nil
		}
		l.take(string(l.part[:end]))
		l.part = l.part[end+1:]
	}
}

func (l *lines) flush() {
	if len(l.part) > 0 {
		l.take(string(l.part))
		l.part = nil
	}
}

// rowData begins a line that may quote rows, which belong in no log.
var rowData = regexp.MustCompile(`^(DETAIL|CONTEXT):`)

func (l *lines) take(line string) {
	if l.tell != nil {
		l.tell(line)
	}
	line = strings.TrimSpace(line)
	if line == "" || rowData.MatchString(line) {
		return
	}
	isError := strings.Contains(line, "error:") || strings.Contains(line, "ERROR:") || strings.Contains(line, "FATAL:")
	switch {
	case isError && !l.failed:
		l.failed, l.kept = true, []string{line}
	case l.failed && len(l.kept) < tailLines:
		l.kept = append(l.kept, line)
	case !l.failed:
		if l.kept = append(l.kept, line); len(l.kept) > tailLines {
			l.kept = l.kept[1:]
		}
	}
}

func (l *lines) explanation() []string { return l.kept }

// cut shortens a text to a number of bytes, within no rune.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most] + "…"
}

package process

import (
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// What a keeper writes, a line each: first that it begins, which it must not do
// without having said so, and last how that ended.
const (
	wordBegan  = "began"
	wordExit   = "exit"
	wordFailed = "failed"
)

// endFD is the descriptor of the file that a keeper writes to.
const endFD = 3

// Keep runs the command of a job, given as the path of its program and its
// arguments, name first, and records on descriptor 3 how it ends, which is what
// it returns. The process that calls it is the job's first: it gets each signal
// that the command gets, and outlives it.
func Keep(arguments []string) (exitCode int) {
	if len(arguments) < 2 {
		fmt.Fprintln(os.Stderr, "a job needs a program and its name")
		return 2
	}
	signal.Notify(make(chan os.Signal, 1)) // ignored ones would be ignored by the command too
	syscall.CloseOnExec(endFD)
	end := os.NewFile(endFD, "end")
	if err := note(end, wordBegan, ""); err != nil {
		fmt.Fprintln(os.Stderr, "the job was not started, for that could not be recorded:", err)
		return 1
	}
	command, err := os.StartProcess(arguments[0], arguments[1:], &os.ProcAttr{
		Env: os.Environ(), Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
	})
	if err != nil {
		_ = note(end, wordFailed, strings.ReplaceAll(err.Error(), "\n", " "))
		return 127
	}
	code := 1
	if state, err := command.Wait(); err == nil {
		code = exitCodeOf(state.Sys().(syscall.WaitStatus))
	}
	if err := note(end, wordExit, fmt.Sprint(code)); err != nil {
		fmt.Fprintln(os.Stderr, "the exit code", code, "of the job could not be recorded:", err)
	}
	return code
}

// note has a line on the disk when it returns.
func note(file *os.File, word, text string) error {
	if _, err := file.WriteString(strings.TrimSpace(word+" "+text) + "\n"); err != nil {
		return err
	}
	return file.Sync()
}

// exitCodeOf counts a death by signal like a shell does.
func exitCodeOf(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

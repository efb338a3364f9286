package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"sofiacall.com/bluegreen/switcher"
)

// cli runs the program in this process and returns what it said.
func cli(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &errs, environ)
	return code, out.String(), errs.String()
}

func TestEveryCodeHasItsExitCode(t *testing.T) {
	for code, want := range map[switcher.Code]int{
		switcher.CodeFailed: 1, switcher.CodeUsage: 2, switcher.CodeRefused: 3, switcher.CodeBusy: 4,
		switcher.CodeUnhealthy: 5, switcher.CodeTimeout: 6, switcher.CodeForbidden: 7, switcher.CodeUnreachable: 8,
	} {
		if got := exitCode(fmt.Errorf("deploying: %w", &switcher.Error{Code: code})); got != want {
			t.Errorf("exit code of %s = %d, want %d", code, got, want)
		}
	}
	if got := exitCode(nil); got != 0 {
		t.Errorf("exit code without an error = %d", got)
	}
	if got := exitCode(errors.New("anything")); got != 1 {
		t.Errorf("exit code of an error without a code = %d", got)
	}
	if got := exitCode(context.DeadlineExceeded); got != 6 {
		t.Errorf("exit code of an expired deadline = %d", got)
	}
	if n := len(exitCodes()); n != 9 || len(slices.Compact(slices.Sorted(slices.Values(exitCodes())))) != n {
		t.Errorf("the exit codes are not one-to-one: %q", exitCodes())
	}
}

func TestErrorsSayWhatFailedWhyAndWhatToDo(t *testing.T) {
	var out bytes.Buffer
	p := &program{stderr: &terminal{Writer: &out}}
	p.report(&switcher.Error{
		Code: switcher.CodeUnhealthy, What: "green was not healthy within 2m0s", Err: errors.New("answered 503"),
		Hint: "it must answer /health with 2xx", Output: []string{"listening", "\x1b[2Jno \x07database"},
	})
	want := `bluegreen: green was not healthy within 2m0s: answered 503
  it must answer /health with 2xx
  | listening
  | [2Jno database
`
	if out.String() != want {
		t.Errorf("reported\n%s\nwant\n%s", &out, want)
	}
}

func TestLastOfEqualVariablesWins(t *testing.T) {
	p := &program{environ: []string{"A=1", "AB=3", "A=2"}}
	if got := p.env("A"); got != "2" {
		t.Errorf("A = %q, want 2", got)
	}
	if _, set := p.lookupEnv("B"); set {
		t.Error("B is not set")
	}
}

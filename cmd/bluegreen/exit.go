package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

// exitCodes lists the codes of errors in the order of their exit codes; 0 is
// for no error.
func exitCodes() []switcher.Code {
	return []switcher.Code{
		0: "",
		1: switcher.CodeFailed,
		2: switcher.CodeUsage,
		3: switcher.CodeRefused,
		4: switcher.CodeBusy,
		5: switcher.CodeUnhealthy,
		6: switcher.CodeTimeout,
		7: switcher.CodeForbidden,
		8: switcher.CodeUnreachable,
	}
}

// exitCode returns the exit code for err.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	return max(1, slices.Index(exitCodes(), switcher.CodeOf(err)))
}

// usageError returns an error with exit code 2.
func usageError(hint, format string, args ...any) error {
	return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf(format, args...), Hint: hint}
}

// badUsage is what the flag parser found wrong, in our words.
func badUsage(cmd *cobra.Command, err error) error {
	what, suggestion, _ := strings.Cut(err.Error(), "\n")
	hint := fmt.Sprintf("run '%s --help' to see what it takes", cmd.CommandPath())
	if _, names, found := strings.Cut(suggestion, "Did you mean this?\n"); found {
		hint = "did you mean " + strings.Join(strings.Fields(names), " or ") + "?"
	}
	return usageError(hint, "%s", what)
}

// configError gives a refused configuration exit code 2 and its problems, one
// a line, as output. Other errors are returned as they are.
func configError(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return usageError("name the file with --config or BLUEGREEN_CONFIG; examples/ has two to begin with", "%v", err)
	}
	var refused *config.Error
	if !errors.As(err, &refused) {
		return err
	}
	told := &switcher.Error{
		Code: switcher.CodeUsage,
		What: fmt.Sprintf("%d problems in %s", len(refused.Problems), refused.Name),
		Hint: "nothing was changed; correct the file and try again",
	}
	if len(refused.Problems) == 1 {
		told.What = "1 problem in " + refused.Name
	}
	for _, problem := range refused.Problems {
		told.Output = append(told.Output, refused.Name+":"+problem.String())
	}
	return told
}

// report tells an error on standard error: what failed and why, the next
// step, and the output that explains it.
func (p *program) report(err error) {
	if p.json {
		_ = json.NewEncoder(p.stderr).Encode(admin.ProblemOf(err))
		return
	}
	t := p.stderr
	t.paragraph(t.red("bluegreen:")+" ", err.Error())
	var told *switcher.Error
	if !errors.As(err, &told) {
		return
	}
	if told.Hint != "" {
		t.paragraph("  ", told.Hint)
	}
	if len(told.Findings) > 0 {
		t.printf("\n")
		drawFindings(t, "  ", told.Findings, told.Plan)
		return // which say what the output does
	}
	for _, line := range told.Output {
		t.printf("  %s %s\n", t.dim("|"), printable(line))
	}
}

// printable keeps a backend's output from steering the terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0) {
			return -1
		}
		return r
	}, line)
}

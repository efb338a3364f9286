package switcher

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Code classifies an error for whoever asked. Each code is one exit code of
// the command line and one problem code of the API.
type Code string

const (
	CodeFailed      Code = "failed"      // exit 1
	CodeUsage       Code = "usage"       // exit 2: wrong request or configuration
	CodeRefused     Code = "refused"     // exit 3: a gate, an expectation or the phase
	CodeBusy        Code = "busy"        // exit 4: another operation holds the app
	CodeUnhealthy   Code = "unhealthy"   // exit 5: also never healthy by the deadline
	CodeTimeout     Code = "timeout"     // exit 6
	CodeForbidden   Code = "forbidden"   // exit 7
	CodeUnreachable Code = "unreachable" // exit 8: the edge does not answer
)

// Error is a failure told to an operator: what failed and why, what to do
// about it, and lines of output that explain it.
type Error struct {
	Code   Code
	What   string   // lower case, no full stop
	Hint   string   // the next step; may be empty
	Output []string // last log lines of an instance; may be empty

	// Findings are what was found of a schema that speaks against it, accepted or
	// not, and Plan is what accepting one is bound to: see SchemaFinding.ID.
	Findings []SchemaFinding
	Plan     string

	Err error // cause, if it is not in What already
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.What)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of err: that of the *Error in its chain, a timeout
// for an expired deadline, and CodeFailed for everything else.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return CodeTimeout
	}
	return CodeFailed
}

func refuse(hint, format string, args ...any) *Error {
	return &Error{Code: CodeRefused, What: fmt.Sprintf(format, args...), Hint: hint}
}

package admin

import (
	"encoding/json"
	"errors"
	"net/http"

	"sofiacall.com/bluegreen/switcher"
)

// Problem is an error on the wire, a problem document (RFC 9457 section 3.1)
// with five members of ours.
type Problem struct {
	Type   string        `json:"type"`   // a tag URI (RFC 4151) that ends in the code
	Title  string        `json:"title"`  // the same for every problem of a type
	Status int           `json:"status"` // HTTP status
	Detail string        `json:"detail"` // what failed, and why
	Code   switcher.Code `json:"code"`   // one-to-one with the exit codes of the command line
	Hint   string        `json:"hint,omitempty"`
	Output []string      `json:"output,omitempty"` // last log lines that explain it

	Findings []switcher.SchemaFinding `json:"findings,omitempty"` // of a schema, that speak against it
	Plan     string                   `json:"plan,omitempty"`     // see switcher.SchemaFinding.ID
}

const problemType = "tag:sofiacall.com,2026:bluegreen:"

// meaning gives each code its HTTP status and title.
func meaning(code switcher.Code) (status int, title string) {
	switch code {
	case switcher.CodeUsage:
		return http.StatusBadRequest, "The request is wrong"
	case switcher.CodeRefused:
		return http.StatusConflict, "Refused by a gate, an expectation or the phase"
	case switcher.CodeBusy:
		return http.StatusLocked, "Another operation is running"
	case switcher.CodeUnhealthy:
		return http.StatusBadGateway, "The backend is not healthy"
	case switcher.CodeTimeout:
		return http.StatusGatewayTimeout, "Timed out"
	case switcher.CodeForbidden:
		return http.StatusForbidden, "Not allowed"
	case switcher.CodeUnreachable:
		return http.StatusServiceUnavailable, "The edge is not ready"
	}
	return http.StatusInternalServerError, "Failed"
}

// ProblemOf describes err as a problem document.
func ProblemOf(err error) Problem {
	p := Problem{Detail: err.Error(), Code: switcher.CodeOf(err)}
	p.Status, p.Title = meaning(p.Code)
	p.Type = problemType + string(p.Code)
	var told *switcher.Error
	if errors.As(err, &told) {
		p.Hint, p.Output, p.Findings, p.Plan = told.Hint, told.Output, told.Findings, told.Plan
	}
	var precise *statusError
	if errors.As(err, &precise) {
		p.Status = precise.status
	}
	return p
}

// Err is the error that the problem describes.
func (p Problem) Err() *switcher.Error {
	return &switcher.Error{Code: p.Code, What: p.Detail, Hint: p.Hint, Output: p.Output, Findings: p.Findings, Plan: p.Plan}
}

// statusError is an error whose HTTP status is more precise than its code's.
type statusError struct {
	status int
	err    *switcher.Error
}

func (e *statusError) Error() string { return e.err.Error() }
func (e *statusError) Unwrap() error { return e.err }

func wrong(status int, hint, what string) error {
	return &statusError{status, &switcher.Error{Code: switcher.CodeUsage, What: what, Hint: hint}}
}

func forbidden(hint, what string) error {
	return &switcher.Error{Code: switcher.CodeForbidden, What: what, Hint: hint}
}

func writeProblem(w http.ResponseWriter, err error) {
	p := ProblemOf(err)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p) // the client is gone
}

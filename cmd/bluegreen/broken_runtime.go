package main

import (
	"context"
	"errors"

	"sofiacall.com/bluegreen/switcher"
)

// brokenRuntime stands in for a runtime that could not be made. The app's
// routes lead where they are recorded to lead; whatever needs the runtime
// fails with the reason.
type brokenRuntime struct{ reason error }

var _ closingRuntime = brokenRuntime{}

func newBrokenRuntime(app string, err error) brokenRuntime {
	return brokenRuntime{&switcher.Error{
		Code: switcher.CodeOf(err), What: "app " + app + " has no runtime", Err: err, Hint: hintAfter(err),
	}}
}

// hintAfter says what to do about what a part of an app could not be made for.
func hintAfter(err error) string {
	var cause *switcher.Error
	if errors.As(err, &cause) && cause.Hint != "" {
		return cause.Hint + "; then `bluegreen reload`"
	}
	return "mend that, then `bluegreen reload`"
}

func (r brokenRuntime) Fetch(context.Context, string, func(switcher.Progress)) (switcher.Artifact, error) {
	return switcher.Artifact{}, r.reason
}
func (r brokenRuntime) Check(context.Context, switcher.Spec) error          { return r.reason }
func (r brokenRuntime) Start(context.Context, switcher.Spec) error          { return r.reason }
func (r brokenRuntime) Keep(context.Context, string) error                  { return r.reason }
func (r brokenRuntime) Stop(context.Context, string) error                  { return r.reason }
func (r brokenRuntime) Remove(context.Context, string) error                { return r.reason }
func (r brokenRuntime) List(context.Context) ([]switcher.Instance, error)   { return nil, r.reason }
func (r brokenRuntime) Wait(context.Context, string) (int, error)           { return 0, r.reason }
func (r brokenRuntime) Tail(context.Context, string, int) ([]string, error) { return nil, r.reason }
func (r brokenRuntime) Usage(context.Context, string) (switcher.Usage, error) {
	return switcher.Usage{}, r.reason
}
func (r brokenRuntime) Once(context.Context, switcher.Job, func(switcher.Line)) (int, error) {
	return 0, r.reason
}
func (r brokenRuntime) Jobs(context.Context) ([]string, error) { return nil, r.reason }
func (r brokenRuntime) Prune(context.Context, []string) error  { return r.reason }
func (r brokenRuntime) Follow(context.Context, string, switcher.Cursor, func([]switcher.Line) error) error {
	return r.reason
}
func (r brokenRuntime) Watch(ctx context.Context, _ func(switcher.Incident)) error {
	<-ctx.Done() // nothing to tell, and told once already why
	return nil
}
func (r brokenRuntime) Close() error { return nil }

package main

import (
	"context"

	"sofiacall.com/bluegreen/switcher"
)

// brokenDatabase stands in for a database that could not be made. What needs it
// is refused with the reason.
type brokenDatabase struct{ reason *switcher.Error }

var _ switcher.Database = brokenDatabase{}

func newBrokenDatabase(err error) brokenDatabase {
	return brokenDatabase{&switcher.Error{
		Code: switcher.CodeOf(err), What: "nothing can be done with the database", Err: err, Hint: hintAfter(err),
	}}
}

func (d brokenDatabase) Migrate(context.Context, switcher.DatabaseWork) error { return d.reason }
func (d brokenDatabase) Do(context.Context, switcher.Kind, switcher.DatabaseWork) (string, error) {
	return "", d.reason
}
func (d brokenDatabase) Fit(context.Context, string) (switcher.Fit, error) {
	return switcher.Fit{}, d.reason
}
func (d brokenDatabase) Answers(context.Context) error                            { return d.reason }
func (d brokenDatabase) Recover(context.Context, switcher.Teller) (string, error) { return "", nil }
func (d brokenDatabase) PlanRestore(context.Context, switcher.DatabaseRequest) (switcher.RestorePlan, error) {
	return switcher.RestorePlan{}, d.reason
}
func (d brokenDatabase) Status() switcher.DatabaseStatus {
	return switcher.DatabaseStatus{Error: d.reason.Error()}
}

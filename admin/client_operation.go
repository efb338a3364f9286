package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"sofiacall.com/bluegreen/switcher"
)

// LostError says that the client lost sight of an operation, which does not
// depend on being watched.
type LostError struct {
	App       string
	Operation string // its id; empty: the edge had not answered yet
	Err       error  // why the client stopped following
}

// Error says what becomes of the operation.
func (e *LostError) Error() string { return e.problem().Error() }

// Unwrap gives the loss its code, CodeUnreachable, and a hint.
func (e *LostError) Unwrap() error { return e.problem() }

func (e *LostError) problem() *switcher.Error {
	what := fmt.Sprintf("the connection was lost; operation %s goes on if the edge does", e.Operation)
	switch {
	case e.Operation == "":
		what = "stopped watching before the edge had answered; the operation may have begun, and then goes on"
	case errors.Is(e.Err, context.Canceled):
		what = fmt.Sprintf("stopped watching; operation %s goes on", e.Operation)
	}
	return &switcher.Error{
		Code: switcher.CodeUnreachable, What: what,
		Hint: fmt.Sprintf("bluegreen status --app %s shows it, bluegreen history --app %[1]s how it ended", e.App),
	}
}

// Deploy puts a release into the inactive slot. Like the other operations it
// passes each event to tell, which may be nil, and returns when the operation
// has ended: with its result, and with an error unless it went well.
func (c *Client) Deploy(ctx context.Context, app string, r switcher.DeployRequest, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindDeploy, r, tell)
}

// Switch points production at the release in test.
func (c *Client) Switch(ctx context.Context, app string, r switcher.SwitchRequest, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindSwitch, r, tell)
}

// Confirm ends the bake, as good.
func (c *Client) Confirm(ctx context.Context, app string, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindConfirm, nil, tell)
}

// Rollback points production back at the previous release.
func (c *Client) Rollback(ctx context.Context, app string, r switcher.RollbackRequest, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindRollback, r, tell)
}

// Discard stops the release in test.
func (c *Client) Discard(ctx context.Context, app string, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindDiscard, nil, tell)
}

// Drain waits until a slot has nothing in flight.
func (c *Client) Drain(ctx context.Context, app string, r switcher.DrainRequest, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindDrain, r, tell)
}

// Cleanup removes the inactive release and prunes old ones.
func (c *Client) Cleanup(ctx context.Context, app string, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindCleanup, nil, tell)
}

// Recover brings routes and instances back to the recorded state.
func (c *Client) Recover(ctx context.Context, app string, tell func(switcher.Event)) (switcher.Result, error) {
	return c.operate(ctx, app, switcher.KindRecover, nil, tell)
}

// Follow passes on the events of an operation, from its first on; with an
// empty id, of the one that runs.
func (c *Client) Follow(ctx context.Context, app, operation string, tell func(switcher.Event)) (switcher.Result, error) {
	target := path(app, "events")
	if operation != "" {
		target += "?operation=" + url.QueryEscape(operation)
	}
	answer, err := c.ask(ctx, http.MethodGet, target, nil)
	if err != nil {
		return switcher.Result{}, err
	}
	return follow(answer, app, tell)
}

func (c *Client) operate(ctx context.Context, app string, kind switcher.Kind, request any, tell func(switcher.Event)) (switcher.Result, error) {
	answer, err := c.send(ctx, path(app, place(kind)), request)
	if errors.Is(ctx.Err(), context.Canceled) && err != nil {
		err = &LostError{App: app, Err: err}
	}
	if err != nil {
		return switcher.Result{}, err
	}
	return follow(answer, app, tell)
}

// follow reads a stream of events to its result.
func follow(answer *http.Response, app string, tell func(switcher.Event)) (switcher.Result, error) {
	defer answer.Body.Close()
	events := json.NewDecoder(answer.Body)
	for {
		var e switcher.Event
		if err := events.Decode(&e); err != nil {
			return switcher.Result{}, &LostError{App: app, Operation: answer.Header.Get(headerOperation), Err: err}
		}
		if tell != nil {
			tell(e)
		}
		if e.Result != nil {
			return *e.Result, resultError(*e.Result)
		}
	}
}

func resultError(r switcher.Result) error {
	if r.OK {
		return nil
	}
	return &switcher.Error{Code: r.Code, What: r.Text, Hint: r.Hint, Output: r.Output, Findings: r.Findings, Plan: r.Plan}
}

package switcher

import "context"

// This file is being written; the exported methods below are final.

type App struct{}

func (a *App) Name() string                                                { return "" }
func (a *App) Status() Status                                              { return Status{} }
func (a *App) History() []Record                                           { return nil }           // oldest first
func (a *App) CheckHealth(ctx context.Context, c Colour) (Health, error)   { return Health{}, nil } // probes now
func (a *App) Operation(id string) (*Operation, bool)                      { return nil, false }    // running, or among the last 50 ended
func (a *App) Plan(ctx context.Context, r SwitchRequest) (Plan, error)     { return Plan{}, nil }   // switch --dry-run
func (a *App) Deploy(actor Actor, r DeployRequest) (*Operation, error)     { return nil, nil }      // refusals come at once as *Error, before an Operation exists
func (a *App) Switch(actor Actor, r SwitchRequest) (*Operation, error)     { return nil, nil }
func (a *App) Confirm(actor Actor) (*Operation, error)                     { return nil, nil }
func (a *App) Rollback(actor Actor, r RollbackRequest) (*Operation, error) { return nil, nil }
func (a *App) Discard(actor Actor) (*Operation, error)                     { return nil, nil }
func (a *App) Drain(actor Actor, r DrainRequest) (*Operation, error)       { return nil, nil }
func (a *App) Cleanup(actor Actor) (*Operation, error)                     { return nil, nil }
func (a *App) Recover(actor Actor) (*Operation, error)                     { return nil, nil }

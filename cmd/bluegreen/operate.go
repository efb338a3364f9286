package main

import (
	"context"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

// tell receives the events of an operation.
type tell = func(switcher.Event)

// operate runs an operation of the app and shows it as it happens.
func (p *program) operate(ctx context.Context, do func(*admin.Client, string, tell) (switcher.Result, error)) error {
	return p.withApp(ctx, func(client *admin.Client, app string) error {
		show, end := p.follow()
		defer end()
		_, err := do(client, app, show)
		return err
	})
}

// follow returns what shows events, and what to call after the last one.
func (p *program) follow() (show tell, end func()) {
	if p.json {
		return func(e switcher.Event) { _ = p.printJSON(e) }, func() {}
	}
	s := &steps{out: p.stdout}
	return s.show, s.clear
}

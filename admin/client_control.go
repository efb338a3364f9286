package admin

import (
	"context"

	"sofiacall.com/bluegreen/switcher"
)

// Pause holds the requests of production for r.Max at most.
func (c *Client) Pause(ctx context.Context, app string, r switcher.PauseRequest) (switcher.Answer, error) {
	return post[switcher.Answer](ctx, c, path(app, "pause"), r)
}

// Resume lets them go.
func (c *Client) Resume(ctx context.Context, app string) (switcher.Answer, error) {
	return post[switcher.Answer](ctx, c, path(app, "resume"), nil)
}

// Maintenance makes production show a maintenance page, or ends that.
func (c *Client) Maintenance(ctx context.Context, app string, r switcher.MaintenanceRequest) (switcher.Answer, error) {
	return post[switcher.Answer](ctx, c, path(app, "maintenance"), r)
}

package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"sofiacall.com/bluegreen/switcher"
)

// Pause holds the requests of production for r.Max at most.
func (c *Client) Pause(ctx context.Context, app string, r switcher.PauseRequest) (switcher.Answer, error) {
	return c.control(ctx, app, "pause", r)
}

// Resume lets them go.
func (c *Client) Resume(ctx context.Context, app string) (switcher.Answer, error) {
	return c.control(ctx, app, "resume", struct{}{})
}

// Maintenance makes production show a maintenance page, or ends that.
func (c *Client) Maintenance(ctx context.Context, app string, r switcher.MaintenanceRequest) (switcher.Answer, error) {
	return c.control(ctx, app, "maintenance", r)
}

func (c *Client) control(ctx context.Context, app, what string, request any) (switcher.Answer, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return switcher.Answer{}, fmt.Errorf("encoding the request: %w", err)
	}
	answer, err := c.ask(ctx, http.MethodPost, path(app, what), bytes.NewReader(body))
	if err != nil {
		return switcher.Answer{}, err
	}
	return read[switcher.Answer](c, answer)
}

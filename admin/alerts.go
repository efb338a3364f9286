package admin

import (
	"context"
	"net/http"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Delivery is how a test message to one service went.
type Delivery struct {
	Service string  `json:"service"` // such as slack #1; its URL is a secret
	OK      bool    `json:"ok"`
	TookMS  float64 `json:"took_ms"`
	Error   string  `json:"error,omitempty"`
}

// AlertTest is the answer to POST /v1/apps/{app}/notify/test.
type AlertTest struct {
	Deliveries []Delivery `json:"deliveries"` // in the order of the configuration
}

// Alerts is the answer to GET /v1/apps/{app}/notify.
type Alerts struct {
	Troubles []Trouble      `json:"troubles"`          // that the team was told of and that last, the oldest first
	Services []AlertService `json:"services"`          // in the order of the configuration
	Unsaved  string         `json:"unsaved,omitempty"` // why messages that wait are in memory only
}

// Trouble is one that lasts.
type Trouble struct {
	switcher.Notice
	Since time.Time `json:"since"`
}

// AlertService is how deliveries to one service go.
type AlertService struct {
	Service  string     `json:"service"`
	Waiting  int        `json:"waiting"`             // messages
	Lost     int        `json:"lost"`                // given up since the last one that was delivered
	Failing  bool       `json:"failing"`             // nothing was delivered since the last failure
	FailedAt *time.Time `json:"failed_at,omitempty"` // the last failure since the start of the edge
	Error    string     `json:"error,omitempty"`
}

// testAlerts sends a test message to every service of an app and waits for
// them.
func (s *Server) testAlerts(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	if _, err := readRequest[struct{}](w, r); err != nil {
		return err
	}
	s.log.Info("admin: test of alerts", "app", app.Name(), "actor", caller(r.Context()).actor)
	return writeJSON(w, s.options.TestAlerts(r.Context(), app.Name()))
}

func (s *Server) showAlerts(app *switcher.App, w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, s.options.Alerts(app.Name()))
}

// TestAlerts sends a test message to every service of an app.
func (c *Client) TestAlerts(ctx context.Context, app string) (AlertTest, error) {
	return post[AlertTest](ctx, c, path(app, "notify/test"), nil)
}

// Alerts returns what lasts and how deliveries go.
func (c *Client) Alerts(ctx context.Context, app string) (Alerts, error) {
	return get[Alerts](ctx, c, path(app, "notify"), nil)
}

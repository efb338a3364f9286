package admin

import (
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// Status is the status of an app as the API tells it.
type Status struct {
	switcher.Status
	Certificates []Certificate `json:"certificates"` // of the app's hosts
}

// Certificate is the state of the certificate of one host.
type Certificate struct {
	Host     string    `json:"host"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after,omitzero"`
	OK       bool      `json:"ok"`                 // a client connecting now is shown a valid one
	Expiring bool      `json:"expiring,omitempty"` // it should have been renewed by now
	Error    string    `json:"error,omitempty"`
}

// Apps is the answer to GET /v1/apps.
type Apps struct {
	Version string   `json:"version"` // of the edge
	Apps    []Status `json:"apps"`    // sorted by name
}

// History is the answer to GET /v1/apps/{app}/history.
type History struct {
	History []switcher.Record `json:"history"` // oldest first
}

// HealthReport is the answer to GET /v1/apps/{app}/health: what probes just
// found, for the slots that hold something that runs.
type HealthReport struct {
	Health map[switcher.Colour]switcher.Health `json:"health"`
}

// HealthHistory is the answer to GET /v1/apps/{app}/health/history: the last
// checks of both slots, oldest first.
type HealthHistory struct {
	Checks map[switcher.Colour][]switcher.HealthCheck `json:"checks"`
}

// LinkRequest asks for a link that opens an internal host for whoever has it.
type LinkRequest struct {
	Host    string `json:"host,omitempty"`    // default the app's first internal host
	Path    string `json:"path,omitempty"`    // with its query, if any; default /
	Expires string `json:"expires,omitempty"` // a Go duration such as 24h, which is the default
}

// Link is the answer to POST /v1/apps/{app}/link. The URL is a secret.
type Link struct {
	Host    string    `json:"host"`
	URL     string    `json:"url"`
	Expires time.Time `json:"expires"`
}

// DashboardRequest asks for a link to the dashboard, which the caller acts by.
type DashboardRequest struct {
	App string `json:"app,omitempty"` // whose page it leads to; empty: that of all
}

// DashboardLink is the answer to POST /v1/dashboard. The URL is a secret, and
// good once.
type DashboardLink struct {
	URL     string    `json:"url"`
	Address string    `json:"address"` // of the listener, on the edge's loopback
	Expires time.Time `json:"expires"`
}

const (
	headerOperation   = "Operation-Id"
	headerIdempotency = "Idempotency-Key"
	typeStream        = "application/x-ndjson"
)

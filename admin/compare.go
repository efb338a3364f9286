package admin

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// DefaultCompared is how much of each release's traffic is compared.
const DefaultCompared = 15 * time.Minute

// MaxCompared is the most that may be asked for.
const MaxCompared = 2 * time.Hour

// Comparison is the answer to GET /v1/apps/{app}/compare: both slots side by
// side. Each release is shown by its own last span on the production route, for
// they do not have it at the same time.
type Comparison struct {
	App         string                           `json:"app"`
	Span        float64                          `json:"span_seconds"`
	Active      switcher.Colour                  `json:"active"`
	Slots       map[switcher.Colour]ComparedSlot `json:"slots"`
	Differences []Difference                     `json:"differences"` // of the active slot's production from the other's
}

// ComparedSlot is one slot's half of a Comparison.
type ComparedSlot struct {
	State      switcher.SlotState    `json:"state"`
	Release    *switcher.Release     `json:"release"`
	Production *ComparedTraffic      `json:"production"` // nil: the release had none
	Internal   *ComparedTraffic      `json:"internal"`   // of testers
	Usage      *switcher.UsageStatus `json:"usage"`
}

// ComparedTraffic are the figures of one route.
type ComparedTraffic struct {
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Requests    int64     `json:"requests"`
	PerSecond   float64   `json:"per_second"`
	Errors      int64     `json:"errors"`
	ErrorRate   float64   `json:"error_rate"` // a share
	P50MS       float64   `json:"p50_ms"`
	P90MS       float64   `json:"p90_ms"`
	P99MS       float64   `json:"p99_ms"`
	FirstByteMS float64   `json:"first_byte_ms"` // median
}

// Difference says whether two releases differ by more than chance.
type Difference struct {
	Measure string  `json:"measure"` // error_rate or duration
	Enough  bool    `json:"enough"`  // there is enough data to tell
	Chance  float64 `json:"chance"`  // of such a difference between equal releases: the p-value, two-sided
	Text    string  `json:"text"`    // the same in a sentence
}

func (s *Server) compare(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	span, err := parseSpan(r.URL.Query())
	if err != nil {
		return err
	}
	comparison, err := s.options.Compare(app, span)
	if err != nil {
		return err
	}
	return writeJSON(w, comparison)
}

func parseSpan(query url.Values) (time.Duration, error) {
	for name := range query {
		if name != "since" {
			return 0, wrong(http.StatusBadRequest, "", fmt.Sprintf("unknown parameter %q", name))
		}
	}
	value := query.Get("since")
	if value == "" {
		return DefaultCompared, nil
	}
	span, err := time.ParseDuration(value)
	switch {
	case err != nil:
		return 0, wrong(http.StatusBadRequest, "write it like 15m", fmt.Sprintf("since %q is not a duration", value))
	case span < time.Second || span > MaxCompared:
		return 0, wrong(http.StatusBadRequest, "", fmt.Sprintf("since must be from 1s to %v, is %s", MaxCompared, value))
	}
	return span, nil
}

// Compare returns both slots side by side, by that much of their traffic.
func (c *Client) Compare(ctx context.Context, app string, span time.Duration) (Comparison, error) {
	return get[Comparison](ctx, c, path(app, "compare"), url.Values{"since": {span.String()}})
}

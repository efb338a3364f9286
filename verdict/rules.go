package verdict

import "time"

// The rules, by their keys in the configuration. Health is not configured here:
// the probes decide about it. The evidence of a finding about a share is the
// e-value: what a bet against "no worse than it may be" would have made of 1.
// That of RuleLatencyRelative is the chance that a request takes longer than one
// of the previous release.
const (
	RuleHealth            = "health"
	RuleRestarts          = "restarts"
	RuleErrorRate         = "error_rate"
	RuleErrorRateRelative = "error_rate_relative"
	RuleP99               = "p99"
	RuleLatencyRelative   = "latency_relative"
)

// Rules say what makes a release bad. A rule that is zero is off.
type Rules struct {
	// MinRequests is how many requests are looked at before any of them counts.
	MinRequests int64
	// ErrorRate is the share of failed requests that is too much.
	ErrorRate float64
	// P99 is the time that one request in a hundred may exceed.
	P99 time.Duration
	// Restarts is how many of them are too many.
	Restarts int
	// ErrorRateRelative is the least rise of the error rate over the previous
	// release's that matters, as a share of all requests.
	ErrorRateRelative float64
	// LatencyRelative is how much slower p50 or p90 may become, as a share of
	// the previous release's: 0.5 is half as long again.
	LatencyRelative float64
}

// The chances that a release no worse than it may be is called bad, over a
// whole bake, by each rule and, since they add up at worst, by all: 1 %.
const (
	chanceErrorRateRelative = 0.0065
	chanceErrorRate         = 0.0005
	chanceP99               = 0.0005
	chanceLatencyRelative   = 0.002
	chanceBound             = 0.0001 // that the previous release is worse than its figures say
)

// Traffic is what is known of the requests to a release.
type Traffic struct {
	Requests int64 `json:"requests"`
	Errors   int64 `json:"errors"`
	// Abandoned are further requests, whose clients left after waiting in vain.
	Abandoned int64     `json:"abandoned,omitempty"`
	Duration  Histogram `json:"duration"`
}

// failed and tried count what was abandoned as well. Clients that leave of their
// own accord do so whatever the release, so that only a comparison looks at them.
func (t Traffic) failed() int64 { return t.Errors + t.Abandoned }
func (t Traffic) tried() int64  { return t.Requests + t.Abandoned }

// Baseline is the recent traffic of the previous release, as it is kept.
type Baseline struct {
	Traffic
	// Dispersion says how much more its errors vary from minute to minute than
	// errors that come singly: see Dispersion. Less than 1 means 1.
	Dispersion float64 `json:"dispersion,omitempty"`
}

// Sample is one look at the new release.
type Sample struct {
	At       time.Duration // since the watch began
	Traffic                // since then, growing from look to look
	Healthy  bool          // by its probes
	Restarts int           // since then
}

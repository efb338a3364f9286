package config

import "time"

// Rules say what figures make a release bad while it is watched. Zero turns a
// rule off.
type Rules struct {
	// MinRequests is how many requests a release must have had before they say anything; default 20.
	MinRequests int `yaml:"min_requests" jsonschema:"minimum=1"`
	// ErrorRate is how many per cent of production's requests may fail; default 5.
	ErrorRate Percent `yaml:"error_rate"`
	// P99 is the time that one request in a hundred may exceed; default 0s, off.
	P99 time.Duration `yaml:"p99" zero:"off"`
	// Restarts is how many restarts are too many; default 1.
	Restarts int `yaml:"restarts" jsonschema:"minimum=0"`
	// ErrorRateRelative is by how many per cent of all requests more may fail than with the previous
	// release; default 0.5. A rise must also be more than chance.
	ErrorRateRelative Percent `yaml:"error_rate_relative"`
	// LatencyRelative is by how many per cent p50 or p90 may be longer than the previous release's;
	// default 50. That must also be more than chance. It may be above 100.
	LatencyRelative int `yaml:"latency_relative" jsonschema:"minimum=0"`
}

func validateRules(rules Rules, key string, r *report) {
	if rules.MinRequests < 1 {
		r.key(key+".min_requests", "must be at least 1, is %s", r.number(key+".min_requests", rules.MinRequests))
	}
	for name, value := range map[string]int{"restarts": rules.Restarts, "latency_relative": rules.LatencyRelative} {
		if value < 0 {
			r.key(key+"."+name, "must not be negative, is %s: 0 turns the rule off", r.number(key+"."+name, value))
		}
	}
	if rules.ErrorRate > 90 {
		r.key(key+".error_rate", "must be at most 90, is %s: nothing would be worse; 0 turns the rule off", r.number(key+".error_rate", rules.ErrorRate))
	}
	if rules.ErrorRateRelative > 45 {
		r.key(key+".error_rate_relative", "must be at most 45, is %s: nothing would be worse; 0 turns the rule off",
			r.number(key+".error_rate_relative", rules.ErrorRateRelative))
	}
}

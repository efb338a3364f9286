package config

import "testing"

func TestMistakesInTheRulesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "numbers out of their range",
			app:  "switch: { rules: { min_requests: 0, restarts: -1, latency_relative: -50 } }",
			want: []string{
				`6: apps.a.switch.rules.min_requests: must be at least 1, is 0`,
				`6: apps.a.switch.rules.restarts: must not be negative, is -1: 0 turns the rule off`,
				`6: apps.a.switch.rules.latency_relative: must not be negative, is -50: 0 turns the rule off`,
			},
		},
		{
			name: "shares that nothing exceeds",
			app:  "switch: { rules: { error_rate: 95, error_rate_relative: 50 } }",
			want: []string{
				`6: apps.a.switch.rules.error_rate: must be at most 90, is 95: nothing would be worse; 0 turns the rule off`,
				`6: apps.a.switch.rules.error_rate_relative: must be at most 45, is 50: nothing would be worse; 0 turns the rule off`,
			},
		},
		{
			name: "values of another kind",
			app:  "switch: { rules: { error_rate: 5%, p99: -1s, latency_relative: 1.5x, speed: 3 } }",
			want: []string{
				`6: apps.a.switch.rules.error_rate: must be a number of per cent from 0 to 100, such as 5 or 0.5, is "5%"`,
				`6: apps.a.switch.rules.p99: must not be negative, is "-1s"`,
				`6: apps.a.switch.rules.latency_relative: must be a whole number, is "1.5x"`,
				`6: apps.a.switch.rules.speed: unknown key; known here: error_rate, error_rate_relative, latency_relative, min_requests, p99, restarts`,
			},
		},
	})
}

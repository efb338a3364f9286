package config

import "testing"

func TestLimitsOfLogsThatCannotBeKeptAreRefused(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "too little of each",
			top:  "logs: { max_size: 63k, max_age: 59m, keep: 0 }",
			want: []string{
				`6: logs.max_size: must be at least 64k, is "63k"`,
				`6: logs.max_age: must be at least 1h, is "59m"`,
				`6: logs.keep: must be at least 1, is 0`,
			},
		},
		{
			name: "a total without room",
			top:  "logs: { max_size: 300MB }",
			want: []string{
				`6: logs.total_size: must be at least eight times logs.max_size: an app has four files, and the newest that was rotated out of each is kept`,
			},
		},
		{
			name: "a size in words",
			top:  "logs: { total_size: much }",
			want: []string{
				`6: logs.total_size: must be a size such as 512m or 2g, is "much"`,
			},
		},
	})
}

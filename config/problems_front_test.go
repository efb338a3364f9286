package config

import "testing"

func TestFrontMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "a canonical host that is nobody's",
			app:  "canonical: b.example.com",
			want: []string{
				`6: apps.a.canonical: "b.example.com" is not one of the app's production hosts, so nothing would be served there: list it under production, or name one of those`,
			},
		},
		{
			name: "a canonical host that is a URL",
			app:  "canonical: https://a.example.com",
			want: []string{
				`6: apps.a.canonical: "https://a.example.com" is not a host name: leave out the scheme`,
			},
		},
		{
			name: "hsts for parts of a second",
			app:  "hsts: { max_age: 1500ms }",
			want: []string{`6: apps.a.hsts.max_age: must be whole seconds, is "1500ms"`},
		},
		{
			name: "hsts for no time",
			app:  "hsts: { max_age: 0s }",
			want: []string{`6: apps.a.hsts.max_age: must be longer than zero, is "0s"`},
		},
		{
			name: "preload of less than what browsers list",
			app:  "hsts: { max_age: 720h, preload: true }",
			want: []string{
				"6: apps.a.hsts.max_age: is too short for preload, for browsers list nothing below a year: make it at least 8760h, or remove preload",
				"6: apps.a.hsts.preload: needs include_subdomains, for browsers list domains with everything below them only: set include_subdomains: true if every subdomain has HTTPS, or remove preload",
			},
		},
	})
}

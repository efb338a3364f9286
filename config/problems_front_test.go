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
			name: "a kind of compression",
			app:  "compression: gzip",
			want: []string{`6: apps.a.compression: must be true or false, is "gzip"`},
		},
		{
			name: "paths that are none",
			app: `paths:
  - { upstream: "127.0.0.1:4000" }
  - { path: "/a/../b", upstream: app }
  - { path: "/a%20b", upstream: app }
  - { path: "//a", upstream: app }
  - { path: /x, upstream: app }
  - { path: /x, upstream: app }`,
			want: []string{
				"7: apps.a.paths[0].path: is missing: write a path such as /app/",
				`8: apps.a.paths[1].path: must begin with a slash and be without //, . and .., is "/a/../b"`,
				`9: apps.a.paths[2].path: must be written plainly, without %, ?, #, ;, \ and spaces, is "/a%20b"`,
				`10: apps.a.paths[3].path: must begin with a slash and be without //, . and .., is "//a"`,
				`12: apps.a.paths[5].path: "/x" is taken by apps.a.paths[4].path (line 11): give each its own`,
			},
		},
		{
			name: "paths that lead nowhere",
			app: `paths:
  - { path: /a }
  - { path: /b, upstream: "127.0.0.1:4000", static: /srv }
  - { path: /c, upstream: "http://127.0.0.1:4000" }
  - { path: /d, upstream: ":4000" }
  - { path: /e, upstream: unix:run/x.sock }
  - { path: /f, upstream: "127.0.0.1:3001" }
  - { path: /g, static: /srv, strip: true }
  - { path: /h, upstream: app, cache: 1h }`,
			want: []string{
				"7: apps.a.paths[0]: leads nowhere: write upstream with an address, or static with a folder",
				"8: apps.a.paths[1].static: cannot stand beside upstream, for a path leads to one place: remove one of them",
				`9: apps.a.paths[2].upstream: must be host:port, unix:/path of a socket, or app, is "http://127.0.0.1:4000"`,
				`10: apps.a.paths[3].upstream: must be host:port, unix:/path of a socket, or app, is ":4000"`,
				`11: apps.a.paths[4].upstream: needs the absolute path of the socket, such as unix:/run/front.sock, is "unix:run/x.sock"`,
				"12: apps.a.paths[5].upstream: is the port of a slot, so that a switch would not move this path: write app, which is whatever slot is routed to",
				"13: apps.a.paths[6].strip: works only with an upstream of its own (host:port or unix:/path): remove it",
				"14: apps.a.paths[7].cache: works only with static: remove it",
			},
		},
		{
			name: "a path that takes everything",
			app:  "paths: [{ path: /, static: /srv }]",
			want: []string{"6: apps.a.paths[0].path: leaves nothing for the app: add a path with upstream: app, or make this one longer"},
		},
		{
			name: "a list of pages",
			app:  "pages: [503.html]",
			want: []string{`6: apps.a.pages: must be a single value`},
		},
		{
			name: "pages in a home directory",
			app:  "pages: ~/pages",
			want: []string{`6: apps.a.pages: begins with ~, which is not expanded here: write the whole path`},
		},
		{
			name: "limits that say nothing",
			app:  "limits: {}",
			want: []string{"6: apps.a.limits: says nothing: write rate, burst or body, or remove it"},
		},
		{
			name: "a burst of nothing",
			app:  "limits: { rate: 1, burst: 0 }",
			want: []string{"6: apps.a.limits.burst: must be at least 1, is 0"},
		},
		{
			name: "a burst without a rate",
			app:  "limits: { burst: 5, body: 1m }",
			want: []string{"6: apps.a.limits.burst: means nothing without a rate: give limits.rate as well, or remove it"},
		},
		{
			name: "a rate and a size that are none",
			app:  `limits: { rate: 10/s, body: 1TB }`,
			want: []string{
				`6: apps.a.limits.rate: must be a number of requests a second above zero, such as 50, is "10/s"`,
				`6: apps.a.limits.body: must be a size such as 512m or 2g, is "1TB"`,
			},
		},
		{
			name: "a rate and a size of nothing",
			app:  "limits: { rate: 0, body: 0 }",
			want: []string{
				`6: apps.a.limits.rate: must be a number of requests a second above zero, such as 50, is "0"`,
				`6: apps.a.limits.body: must be a size above zero that fits into 63 bits, is "0"`,
			},
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

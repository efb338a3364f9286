package config

import "testing"

func TestAppMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "a name",
			file: `apps:
  Chat_1:
    production: [a.example.com]
    internal: [b.example.com]
    image: example/a
`,
			want: []string{
				"2: apps.Chat_1: is not a name for an app: use at most 40 lower-case letters, digits and hyphens, beginning with a letter or digit",
			},
		},
		{
			name: "no hosts",
			file: `apps:
  a:
    production: []
    image: example/a
`,
			want: []string{
				"2: apps.a.internal: is missing: list at least one host on which new releases are tested",
				"3: apps.a.production: is missing: list at least one public host",
			},
		},
		{
			name: "hosts that are more than a name",
			file: `apps:
  a:
    production: ["https://a.example.com", "a.example.com:443", a.example.com/x, "*.example.com", 192.0.2.1, "[::1]", a_b.example.com, a..example.com, -a.example.com]
    internal: [b.example.com]
    image: example/a
`,
			want: []string{
				`3: apps.a.production[0]: "https://a.example.com" is not a host name: leave out the scheme`,
				`3: apps.a.production[1]: "a.example.com:443" is not a host name: leave out the port`,
				`3: apps.a.production[2]: "a.example.com/x" is not a host name: leave out the path`,
				`3: apps.a.production[3]: "*.example.com" is not a host name: wildcards are not supported, write every host`,
				`3: apps.a.production[4]: "192.0.2.1" is not a host name: certificates and routes need a name, not an address`,
				`3: apps.a.production[5]: "[::1]" is not a host name: certificates and routes need a name, not an address`,
				`3: apps.a.production[6]: "a_b.example.com" is not a host name: write letters, digits and hyphens with dots between them`,
				`3: apps.a.production[7]: "a..example.com" is not a host name: write letters, digits and hyphens with dots between them`,
				`3: apps.a.production[8]: "-a.example.com" is not a host name: write letters, digits and hyphens with dots between them`,
			},
		},
		{
			name: "a host of two routes and apps",
			file: `apps:
  a:
    production: [a.example.com, A.example.com.]
    internal: [a.example.com]
    image: example/a
  b:
    production: [a.example.com]
    internal: [b.example.com]
    image: example/b
    slots: { blue: { port: 4001 }, green: { port: 4002 } }
`,
			want: []string{
				`3: apps.a.production[1]: host "A.example.com." is taken by apps.a.production[0] (line 3): give each its own`,
				`4: apps.a.internal[0]: host "a.example.com" is taken by apps.a.production[0] (line 3): give each its own`,
				`7: apps.b.production[0]: host "a.example.com" is taken by apps.a.production[0] (line 3): give each its own`,
			},
		},
		{
			name: "a runtime",
			app:  "runtime: podman",
			want: []string{
				`6: apps.a.runtime: must be docker or process, is "podman"`,
			},
		},
		{
			name: "a docker app without an image",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
`,
			want: []string{
				"2: apps.a.image: is missing: name the repository, such as ghcr.io/example/app",
			},
		},
		{
			name: "an image with a tag",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    image: "example/a:v1"
`,
			want: []string{
				`5: apps.a.image: "example/a:v1" has a tag or a digest: leave it out, for every deploy adds its own`,
			},
		},
		{
			name: "an image with a digest",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    image: "example/a@sha256:0000000000000000000000000000000000000000000000000000000000000000"
`,
			want: []string{
				`5: apps.a.image: "example/a@sha256:000000000000000000000000000000000000000000000000000000000000000…" has a tag or a digest: leave it out, for every deploy adds its own`,
			},
		},
		{
			name: "no image reference",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    image: "Example/A B"
`,
			want: []string{
				`5: apps.a.image: "Example/A B" is not an image reference: write a repository such as ghcr.io/example/app`,
			},
		},
		{
			name: "a pull policy",
			app:  "pull: sometimes",
			want: []string{
				`6: apps.a.pull: must be always, missing or never, is "sometimes"`,
			},
		},
		{
			name: "one port for both slots",
			app:  "slots: { blue: { port: 3002 } }",
			want: []string{
				"6: apps.a.slots.green.port: port 3002 is taken by apps.a.slots.blue.port (line 6): give each its own",
			},
		},
		{
			name: "ports out of range",
			app:  "slots: { blue: { port: 0 }, green: { port: 65536 } }",
			want: []string{
				"6: apps.a.slots.blue.port: must be a port from 1 to 65535, is 0",
				"6: apps.a.slots.green.port: must be a port from 1 to 65535, is 65536",
			},
		},
		{
			name: "one port for two apps",
			top: `  b:
    production: [c.example.com]
    internal: [d.example.com]
    image: example/b
    slots: { blue: { port: 3003 }, green: { port: 3001 } }
`,
			want: []string{
				"10: apps.b.slots.green.port: port 3001 is taken by apps.a.slots.blue.port (line 2): give each its own",
			},
		},
		{
			name: "default ports for two apps",
			top: `  b:
    production: [c.example.com]
    internal: [d.example.com]
    image: example/b
`,
			want: []string{
				"6: apps.b.slots.blue.port: port 3001 is taken by apps.a.slots.blue.port (line 2): give each its own",
				"6: apps.b.slots.green.port: port 3002 is taken by apps.a.slots.green.port (line 2): give each its own",
			},
		},
		{
			name: "process with docker",
			app:  "process: { command: [a] }",
			want: []string{
				"6: apps.a.process: is used by runtime process only: remove it, or set runtime to process",
			},
		},
		{
			name: "docker with process",
			app: `runtime: process
pull: always
process: { command: [a] }
container: { port: 1 }`,
			want: []string{
				"5: apps.a.image: is used by runtime docker only: remove it, or set runtime to docker",
				"7: apps.a.pull: is used by runtime docker only: remove it, or set runtime to docker",
				"9: apps.a.container: is used by runtime docker only: remove it, or set runtime to docker",
			},
		},
		{
			name: "a process without a command",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    runtime: process
`,
			want: []string{
				"2: apps.a.process.command: is missing: name the program to start",
			},
		},
		{
			name: "a protocol of the backend",
			app:  "upstream: { protocol: h2 }",
			want: []string{
				`6: apps.a.upstream.protocol: must be http1 or h2c, is "h2"`,
			},
		},
		{
			name: "a dial timeout without a unit",
			app:  "upstream: { dial_timeout: 3 }",
			want: []string{
				`6: apps.a.upstream.dial_timeout: has no unit: write a duration such as 30s or 5m, not the bare number "3"`,
			},
		},
		{
			name: "gRPC's health check over HTTP/1.1",
			app:  "health: { path: /grpc.health.v1.Health/Check }",
			want: []string{
				"6: apps.a.health.path: is gRPC's, which needs HTTP/2: set upstream.protocol to h2c, or ask for another path",
			},
		},
		{
			name: "a health path",
			app:  "health: { path: health }",
			want: []string{
				`6: apps.a.health.path: must be a path that begins with a slash, such as /health, is "health"`,
			},
		},
		{
			name: "a health path with a fragment",
			app:  `health: { path: "/health#x" }`,
			want: []string{
				`6: apps.a.health.path: must be a path that begins with a slash, such as /health, is "/health#x"`,
			},
		},
		{
			name: "thresholds below one",
			app:  "health: { rise: 0, fall: -1 }",
			want: []string{
				"6: apps.a.health.rise: must be at least 1, is 0",
				"6: apps.a.health.fall: must be at least 1, is -1",
			},
		},
		{
			name: "a timeout longer than the deadline",
			app:  "health: { timeout: 3m }",
			want: []string{
				"6: apps.a.health.timeout: is longer than health.deadline, so no probe could fail in time: make it at most the deadline",
			},
		},
	})
}

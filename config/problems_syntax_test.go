package config

import "testing"

func TestSyntaxIsRefusedWithItsLine(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "an empty file",
			file: "# nothing\n",
			want: []string{
				"1: the file is empty: it needs at least apps",
			},
		},
		{
			name: "an unclosed list",
			file: `apps: [1
b: 2
`,
			want: []string{
				"2: is not YAML: did not find expected ',' or ']' while parsing a flow sequence",
			},
		},
		{
			name: "a tab",
			file: "apps:\n\ta: 1\n",
			want: []string{
				"2: is not YAML: found character that cannot start any token while scanning for the next token",
			},
		},
		{
			name: "a control character",
			file: "apps:\n  a: \x01\n",
			want: []string{
				"2: is not YAML: control characters are not allowed (value: 1)",
			},
		},
		{
			name: "a second document",
			top: `---
b: 2
`,
			want: []string{
				"6: a second YAML document begins here: the configuration is one document",
			},
		},
		{
			name: "a broken second document",
			top: `---
b: [
`,
			want: []string{
				"8: is not YAML: did not find expected node content while parsing a flow node",
			},
		},
		{
			name: "a list at the top",
			file: "- a\n",
			want: []string{
				"1: the file must be a map of keys, such as apps: …",
			},
		},
		{
			name: "an unknown anchor is not cited",
			app:  "container: { user: *hunter2 }",
			want: []string{
				"6: is not YAML: an alias names an anchor that is not there; put quotes around a value that begins with *",
			},
		},
		{
			name: "a bad tag is not cited",
			app:  "container: { user: !hunter2{ }",
			want: []string{
				"6: is not YAML: did not find expected whitespace or line break while scanning a tag",
			},
		},
		{
			name: "a value that does not fit its tag is not cited",
			app:  "health: { rise: !!int many }",
			want: []string{
				`6: apps.a.health.rise: must be a whole number, is "many"`,
			},
		},
		{
			name: "a key given twice",
			app:  "image: example/b",
			want: []string{
				"6: apps.a.image: is given twice, first in line 5: keep one of them",
			},
		},
		{
			name: "a key that is no name",
			app: `? [a]
: b`,
			want: []string{
				"6: apps.a: a key must be a name",
			},
		},
		{
			name: "a merge of no map",
			app:  "health: { <<: x }",
			want: []string{
				"6: apps.a.health.<<: must be a map or a list of maps, such as *name",
			},
		},
	})
}

func TestUnknownKeysAreRefusedAtEveryLevel(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "top",
			top:  "edges: {}\n",
			want: []string{
				"6: edges: unknown key; did you mean edge?",
			},
		},
		{
			name: "edge",
			top:  "edge: { http4: true }\n",
			want: []string{
				"6: edge.http4: unknown key; did you mean http?",
			},
		},
		{
			name: "tls",
			top:  "tls: { isuer: acme }\n",
			want: []string{
				"6: tls.isuer: unknown key; did you mean issuer?",
			},
		},
		{
			name: "certificate",
			top:  "tls: { issuer: files, certificates: [{ cert: a, key: b, host: c }] }\n",
			want: []string{
				"6: tls.certificates[0].host: unknown key; did you mean hosts?",
			},
		},
		{
			name: "admin",
			top:  "admin: { path: \":1\" }\n",
			want: []string{
				"6: admin.path: unknown key; known here: host, listen, socket, tls, users",
			},
		},
		{
			name: "state",
			top:  "state: { directory: /x }\n",
			want: []string{
				"6: state.directory: unknown key; known here: dir",
			},
		},
		{
			name: "logs",
			top:  "logs: { format: json }\n",
			want: []string{
				"6: logs.format: unknown key; known here: dir, keep, max_age, max_size, total_size",
			},
		},
		{
			name: "app",
			app:  "hooks: {}",
			want: []string{
				"6: apps.a.hooks: unknown key; known here: access, canonical, compression, container, database, drain, health, hsts, image, internal, limits, notify, pages, paths, process, production, pull, runtime, slots, switch, upstream",
			},
		},
		{
			name: "access",
			app:  "access: { allow: [10.0.0.1], password: x }",
			want: []string{
				"6: apps.a.access.password: unknown key; known here: allow, basic, client_ca, signed",
			},
		},
		{
			name: "slots",
			app:  "slots: { red: { port: 1 } }",
			want: []string{
				"6: apps.a.slots.red: unknown key; known here: blue, green",
			},
		},
		{
			name: "slot",
			app:  "slots: { blue: { prot: 1 } }",
			want: []string{
				"6: apps.a.slots.blue.prot: unknown key; did you mean port?",
			},
		},
		{
			name: "container",
			app:  "container: { enviroment: {} }",
			want: []string{
				"6: apps.a.container.enviroment: unknown key; did you mean environment?",
			},
		},
		{
			name: "a Compose key that is not supported",
			app:  "container: { privileged: true }",
			want: []string{
				"6: apps.a.container.privileged: unknown key; known here: command, cpus, env_file, environment, mem_limit, name, networks, port, restart, stop_grace_period, stop_signal, user, volumes",
			},
		},
		{
			name: "volume",
			app: `container:
  volumes:
    - { type: bind, source: /a, target: /b, readonly: true }`,
			want: []string{
				"8: apps.a.container.volumes[0].readonly: unknown key; did you mean read_only?",
			},
		},
		{
			name: "health",
			app:  "health: { intervall: 1s }",
			want: []string{
				"6: apps.a.health.intervall: unknown key; did you mean interval?",
			},
		},
		{
			name: "drain",
			app:  "drain: { websocket: 1s }",
			want: []string{
				"6: apps.a.drain.websocket: unknown key; did you mean websockets?",
			},
		},
		{
			name: "switch",
			app:  "switch: { backe: 1s }",
			want: []string{
				"6: apps.a.switch.backe: unknown key; did you mean bake?",
			},
		},
		{
			name: "upstream",
			app:  "upstream: { idle: 1s }",
			want: []string{
				"6: apps.a.upstream.idle: unknown key; known here: dial_timeout, header_timeout, idle_timeout, protocol",
			},
		},
		{
			name: "process",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    runtime: process
    process:
      command: [a]
      port: 1
`,
			want: []string{
				"8: apps.a.process.port: unknown key; known here: command, directory, environment, stop_grace_period, stop_signal",
			},
		},
		{
			name: "a key with a line break",
			top:  "\"a\\nb\": 1\n",
			want: []string{
				`6: "a\nb": unknown key; known here: admin, apps, disk, edge, language, logs, metrics, state, tls, tracing`,
			},
		},
	})
}

func TestWrongTypesAreRefused(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "a value for a map",
			app:  "health: 5",
			want: []string{
				"6: apps.a.health: must be a map of keys",
			},
		},
		{
			name: "a list for a map",
			app:  "health: [a]",
			want: []string{
				"6: apps.a.health: must be a map of keys",
			},
		},
		{
			name: "a value for a list",
			top:  "edge: { trusted_proxies: 10.0.0.1 }\n",
			want: []string{
				"6: edge.trusted_proxies: must be a list, such as [a, b]",
			},
		},
		{
			name: "a map for a value",
			top:  "language: { a: b }\n",
			want: []string{
				"6: language: must be a single value",
			},
		},
		{
			name: "a list for the apps",
			file: "apps: [a]\n",
			want: []string{
				"1: apps: must be a map of keys",
			},
		},
		{
			name: "no value for an app",
			file: `apps:
  a:
`,
			want: []string{
				"2: apps.a: has no value: give it one or remove the key",
			},
		},
		{
			name: "no value",
			top:  "language:\n",
			want: []string{
				"6: language: has no value: give it one or remove the key",
			},
		},
		{
			name: "an empty value",
			top:  "language: \"\"\n",
			want: []string{
				"6: language: is empty: give it a value or remove the key",
			},
		},
		{
			name: "a number for text",
			app:  "container: { user: 1000 }",
			want: []string{
				"6: apps.a.container.user: must be text: put quotes around it",
			},
		},
		{
			name: "text for a number",
			app:  "health: { rise: many }",
			want: []string{
				`6: apps.a.health.rise: must be a whole number, is "many"`,
			},
		},
		{
			name: "a quoted number",
			app:  `health: { rise: "2" }`,
			want: []string{
				`6: apps.a.health.rise: must be a number, not text: remove the quotes around "2"`,
			},
		},
		{
			name: "a fraction",
			app:  "health: { rise: 2.5 }",
			want: []string{
				`6: apps.a.health.rise: must be a whole number, is "2.5"`,
			},
		},
		{
			name: "text for a boolean",
			app: `container:
  volumes: [{ type: bind, source: /a, target: /b, read_only: "yes" }]`,
			want: []string{
				`7: apps.a.container.volumes[0].read_only: must be true or false, is "yes"`,
			},
		},
		{
			name: "a bare number for a duration",
			app:  "drain: { timeout: 30 }",
			want: []string{
				`6: apps.a.drain.timeout: has no unit: write a duration such as 30s or 5m, not the bare number "30"`,
			},
		},
		{
			name: "a word for a duration",
			app:  "drain: { timeout: soon }",
			want: []string{
				`6: apps.a.drain.timeout: must be a duration such as 30s or 5m, is "soon"`,
			},
		},
		{
			name: "a negative duration",
			app:  "drain: { timeout: -5s }",
			want: []string{
				`6: apps.a.drain.timeout: must be longer than zero, is "-5s"`,
			},
		},
		{
			name: "a negative duration where zero turns something off",
			app:  "drain: { spread: -1s }",
			want: []string{
				`6: apps.a.drain.spread: must not be negative, is "-1s"`,
			},
		},
		{
			name: "a spread without a unit",
			app:  "drain: { spread: 10 }",
			want: []string{
				`6: apps.a.drain.spread: has no unit: write a duration such as 30s or 5m, not the bare number "10"`,
			},
		},
		{
			name: "no duration",
			app:  "drain: { timeout: 0s }",
			want: []string{
				`6: apps.a.drain.timeout: must be longer than zero, is "0s"`,
			},
		},
		{
			name: "a NUL character",
			top:  "state: { dir: \"/a\\0b\" }\n",
			want: []string{
				"6: state.dir: contains a NUL character: remove it",
			},
		},
	})
}

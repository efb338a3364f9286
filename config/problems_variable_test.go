package config

import "testing"

func TestVariablesAreRefusedWithoutTheirValue(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "unset",
			app:  `container: { user: "${NOBODY}" }`,
			want: []string{
				"6: apps.a.container.user: the variable NOBODY is not set in the environment: set it, or write $$ for a literal dollar sign",
			},
		},
		{
			name: "unset twice, and a stray dollar",
			app:  `container: { user: "${NOBODY}$x${NOTHING}" }`,
			want: []string{
				"6: apps.a.container.user: the variable NOBODY is not set in the environment: set it, or write $$ for a literal dollar sign; has a $ that is neither ${NAME} nor $$: only ${NAME} is expanded, and $$ is a literal dollar sign; the variable NOTHING is not set in the environment: set it, or write $$ for a literal dollar sign",
			},
		},
		{
			name: "a default is not supported",
			app:  `container: { user: "${TITLE:-x}" }`,
			want: []string{
				"6: apps.a.container.user: has a $ that is neither ${NAME} nor $$: only ${NAME} is expanded, and $$ is a literal dollar sign",
			},
		},
		{
			name: "expands to nothing",
			app:  `container: { user: "${BLANK}" }`,
			want: []string{
				`6: apps.a.container.user: is empty once "${BLANK}" is expanded: give the variable a value or remove the key`,
			},
		},
		{
			name: "not a number",
			app:  `health: { rise: "${SECRET}" }`,
			want: []string{
				`6: apps.a.health.rise: must be a whole number, is "${SECRET}"`,
			},
		},
		{
			name: "not a duration",
			app:  `health: { interval: "${SECRET}" }`,
			want: []string{
				`6: apps.a.health.interval: must be a duration such as 30s or 5m, is "${SECRET}"`,
			},
		},
		{
			name: "not a bare number",
			app:  `health: { interval: "${GREEN_PORT}" }`,
			want: []string{
				`6: apps.a.health.interval: has no unit: write a duration such as 30s or 5m, not the bare number "${GREEN_PORT}"`,
			},
		},
		{
			name: "not a host",
			file: `apps:
  a:
    production: ["${SECRET}*"]
    internal: [b.example.com]
    image: example/a
`,
			want: []string{
				`3: apps.a.production[0]: "${SECRET}*" is not a host name: wildcards are not supported, write every host`,
			},
		},
		{
			name: "not an image",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    image: "${SECRET}:tag"
`,
			want: []string{
				`5: apps.a.image: "${SECRET}:tag" has a tag or a digest: leave it out, for every deploy adds its own`,
			},
		},
		{
			name: "not a range",
			top:  "edge: { trusted_proxies: [\"${SECRET}\"] }\n",
			want: []string{
				`6: edge.trusted_proxies[0]: must be an address such as 10.0.0.1 or a range such as 10.0.0.0/8, is "${SECRET}"`,
			},
		},
		{
			name: "not a size",
			app:  `container: { mem_limit: "${SECRET}", cpus: "${SECRET}" }`,
			want: []string{
				`6: apps.a.container.mem_limit: must be a size such as 512m or 2g, is "${SECRET}"`,
				`6: apps.a.container.cpus: must be a number of processors above zero, such as 0.5, is "${SECRET}"`,
			},
		},
		{
			name: "not a choice",
			top:  "language: ${SECRET}\n",
			want: []string{
				`6: language: must be en or es, is "${SECRET}"`,
			},
		},
		{
			name: "not a URL",
			top:  "tls: { directory: \"http://${SECRET}\", email: \"${SECRET}\" }\n",
			want: []string{
				"6: tls.directory: must be an https URL without a user, such as https://acme-v02.api.letsencrypt.org/directory",
				`6: tls.email: must be a plain address such as ops@example.com, is "${SECRET}"`,
			},
		},
		{
			name: "not an address",
			top:  "edge: { http: \"${SECRET}\" }\n",
			want: []string{
				`6: edge.http: must be a port with an optional IP address, such as ":443" or "127.0.0.1:8443", is "${SECRET}"`,
			},
		},
		{
			name: "cannot become a map",
			top:  "edge: ${TITLE}\n",
			want: []string{
				"6: edge: must be a map of keys",
			},
		},
		{
			name: "an environment value from a variable that is unset",
			app:  `container: { environment: { A: "${NOBODY}", B: } }`,
			want: []string{
				"6: apps.a.container.environment.A: the variable NOBODY is not set in the environment: set it, or write $$ for a literal dollar sign",
				"6: apps.a.container.environment.B: has no value, and the environment has no B to take it from: set it there or give a value",
			},
		},
		{
			name: "in a command",
			app:  `container: { command: "run ${NOBODY}" }`,
			want: []string{
				"6: apps.a.container.command: the variable NOBODY is not set in the environment: set it, or write $$ for a literal dollar sign",
			},
		},
		{
			name: "in a volume",
			app:  `container: { volumes: ["${NOBODY}:/data", "/a:${SECRET}"] }`,
			want: []string{
				"6: apps.a.container.volumes[0]: the variable NOBODY is not set in the environment: set it, or write $$ for a literal dollar sign",
				"6: apps.a.container.volumes[1]: needs a target that is an absolute path in the container, such as /data",
			},
		},
	})
}

func TestInternalDomainThatDoesNotFitIsRefused(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "several apps",
			top: `  b:
    production: [c.example.com]
    internal: [d.example.com]
    image: example/b
    slots: { blue: { port: 3003 }, green: { port: 3004 } }
`,
			opts: Options{InternalDomain: "x.example.com"},
			want: []string{
				"1: apps: INTERNAL_DOMAIN replaces the internal hosts of the only app, but there are 2 apps: unset it and write the hosts in the file",
			},
		},
		{
			name: "not a host",
			opts: Options{InternalDomain: "https://hunter2"},
			want: []string{
				`4: apps.a.internal[0]: "${INTERNAL_DOMAIN}" is not a host name: leave out the scheme`,
			},
		},
		{
			name: "a production host",
			opts: Options{InternalDomain: "a.example.com"},
			want: []string{
				`4: apps.a.internal[0]: host "${INTERNAL_DOMAIN}" is taken by apps.a.production[0] (line 3): give each its own`,
			},
		},
	})
}

package config

import "testing"

const noPorts = "is a mode without ports that could be published on 127.0.0.1 only, as are host, none and container:…: name a network of its own, or remove it"

func TestContainerMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "one name for two slots",
			app:  "container: { name: backend }",
			want: []string{
				"6: apps.a.container.name: must contain {colour}, for the containers of both slots cannot have one name: write for example backend_{colour}",
			},
		},
		{
			name: "a name of strange letters",
			app:  `container: { name: "back end {colour}" }`,
			want: []string{
				`6: apps.a.container.name: "back end {colour}" is not a name for a container: use letters, digits, _, . and -`,
			},
		},
		{
			name: "one name for two apps",
			app:  `container: { name: "x-{colour}" }`,
			top: `  b:
    production: [c.example.com]
    internal: [d.example.com]
    image: example/b
    slots: { blue: { port: 3003 }, green: { port: 3004 } }
    container: { name: "x-{colour}" }
`,
			want: []string{
				`12: apps.b.container.name: container name "x-{colour}" is taken by apps.a.container.name (line 6): give each its own`,
			},
		},
		{
			name: "a port",
			app:  "container: { port: 0 }",
			want: []string{
				"6: apps.a.container.port: must be a port from 1 to 65535, is 0",
			},
		},
		{
			name: "an empty command",
			app:  "container: { command: [] }",
			want: []string{
				"6: apps.a.container.command: is empty: name a program or remove the key",
			},
		},
		{
			name: "a command of blanks",
			app:  `container: { command: "  " }`,
			want: []string{
				"6: apps.a.container.command: cannot be split into words: there is no program in it",
			},
		},
		{
			name: "a command with an open quote",
			app:  `container: { command: "a 'b" }`,
			want: []string{
				"6: apps.a.container.command: cannot be split into words: a quote or an escape is not closed",
			},
		},
		{
			name: "a command for a shell",
			app:  `container: { command: "a && b" }`,
			want: []string{
				`6: apps.a.container.command: cannot be split into words: no shell runs it, so & has no meaning here: quote it, or write [sh, -c, "…"]`,
			},
		},
		{
			name: "a command with a number",
			app:  "container: { command: [sleep, 10] }",
			want: []string{
				"6: apps.a.container.command[1]: must be text: put quotes around it",
			},
		},
		{
			name: "an environment that is text",
			app:  "container: { environment: A=b }",
			want: []string{
				"6: apps.a.container.environment: must be a map of names and values, or a list of NAME=value",
			},
		},
		{
			name: "an environment value that is a boolean, a list",
			app:  "container: { environment: { A: true, B: [hunter2] } }",
			want: []string{
				"6: apps.a.container.environment.A: must be text or a number: put quotes around it",
				"6: apps.a.container.environment.B: must be a single value",
			},
		},
		{
			name: "environment entries without a name, twice, nested",
			app:  `container: { environment: [=hunter2, A=hunter2, A=hunter2, [B], "C D=hunter2"] }`,
			want: []string{
				"6: apps.a.container.environment[0]: the name of a variable must not be empty and must not contain =, $ or spaces",
				`6: apps.a.container.environment[2]: sets "A" a second time: keep one of them`,
				"6: apps.a.container.environment[3]: must be NAME=value",
				"6: apps.a.container.environment[4]: the name of a variable must not be empty and must not contain =, $ or spaces",
			},
		},
		{
			name: "an environment that takes what is not there",
			app:  "container: { environment: [NOBODY] }",
			want: []string{
				"6: apps.a.container.environment[0]: has no value, and the environment has no NOBODY to take it from: set it there or give a value",
			},
		},
		{
			name: "volumes of one and four parts",
			app:  `container: { volumes: [data, "a:/b:ro:z", "a:/b:z"] }`,
			want: []string{
				`6: apps.a.container.volumes[0]: must be source:target or source:target:ro, is "data"`,
				`6: apps.a.container.volumes[1]: must be source:target or source:target:ro, is "a:/b:ro:z"`,
				`6: apps.a.container.volumes[2]: has the mode "z", of which only ro and rw are supported`,
			},
		},
		{
			name: "volumes without a source or an absolute target",
			app:  `container: { volumes: [":/data", "a/b:/c", "a:b"] }`,
			want: []string{
				"6: apps.a.container.volumes[0]: has a source that is neither a path nor the name of a volume: begin a path with / or ./",
				"6: apps.a.container.volumes[1]: has a source that is neither a path nor the name of a volume: begin a path with / or ./",
				"6: apps.a.container.volumes[2]: needs a target that is an absolute path in the container, such as /data",
			},
		},
		{
			name: "a volume twice at one target",
			app:  `container: { volumes: ["a:/data", "b:/data/"] }`,
			want: []string{
				"6: apps.a.container.volumes[1]: has the target of an earlier volume: each needs its own",
			},
		},
		{
			name: "a volume from a home directory",
			app:  `container: { volumes: ["~/a:/data"] }`,
			want: []string{
				"6: apps.a.container.volumes[0]: begins with ~, which is not expanded here: write the whole path",
			},
		},
		{
			name: "long volumes",
			app: `container:
  volumes:
    - { target: /a }
    - { type: bind, target: /b }
    - { type: tmpfs, source: x, target: /c }
    - { type: npipe, source: x, target: /d }
    - { type: volume, source: x }`,
			want: []string{
				"8: apps.a.container.volumes[0].type: is missing: write bind, volume or tmpfs",
				"9: apps.a.container.volumes[1].source: is missing: name the path to mount",
				"10: apps.a.container.volumes[2].source: has no meaning for a tmpfs: remove it",
				`11: apps.a.container.volumes[3].type: must be bind, volume or tmpfs, is "npipe"`,
				"12: apps.a.container.volumes[4]: needs a target that is an absolute path in the container, such as /data",
			},
		},
		{
			name: "network options",
			app:  "container: { networks: { front: { aliases: [a] } } }",
			want: []string{
				"6: apps.a.container.networks.front: must have no value: options of a network are not supported",
			},
		},
		{
			name: "a network's name",
			app:  `container: { networks: ["a b"] }`,
			want: []string{
				"6: apps.a.container.networks[0]: is not the name of a network: use letters, digits, _, . and -",
			},
		},
		{
			name: "networks without ports of their own",
			app: `container:
  networks:
    - host
    - front
    - none
    - container:db`,
			want: []string{
				"8: apps.a.container.networks[0]: " + noPorts,
				"10: apps.a.container.networks[2]: " + noPorts,
				"11: apps.a.container.networks[3]: " + noPorts,
			},
		},
		{
			name: "a network without ports of its own, as a key",
			app: `container:
  networks:
    front:
    host:`,
			want: []string{"9: apps.a.container.networks[1]: " + noPorts},
		},
		{
			name: "a size",
			app:  "container: { mem_limit: lots }",
			want: []string{
				`6: apps.a.container.mem_limit: must be a size such as 512m or 2g, is "lots"`,
			},
		},
		{
			name: "no size",
			app:  "container: { mem_limit: 0 }",
			want: []string{
				`6: apps.a.container.mem_limit: must be a size above zero that fits into 63 bits, is "0"`,
			},
		},
		{
			name: "a size that is too large",
			app:  "container: { mem_limit: 9999999999g }",
			want: []string{
				`6: apps.a.container.mem_limit: must be a size above zero that fits into 63 bits, is "9999999999g"`,
			},
		},
		{
			name: "no processors",
			app:  "container: { cpus: 0 }",
			want: []string{
				`6: apps.a.container.cpus: must be a number of processors above zero, such as 0.5, is "0"`,
			},
		},
		{
			name: "unlimited processors",
			app:  `container: { cpus: "inf" }`,
			want: []string{
				`6: apps.a.container.cpus: must be a number of processors above zero, such as 0.5, is "inf"`,
			},
		},
		{
			name: "a signal",
			app:  "container: { stop_signal: TERM }",
			want: []string{
				`6: apps.a.container.stop_signal: must be the name of a signal, such as SIGTERM, is "TERM"`,
			},
		},
		{
			name: "restart always",
			app:  "container: { restart: always }",
			want: []string{
				"6: apps.a.container.restart: always is refused, because a container that was stopped on purpose would come back by itself at the engine's next start: write unless-stopped",
			},
		},
		{
			name: "a restart policy",
			app:  "container: { restart: on-failure:many }",
			want: []string{
				`6: apps.a.container.restart: must be no, on-failure, on-failure:N or unless-stopped, is "on-failure:many"`,
			},
		},
		{
			name: "a home directory for env_file",
			app:  "container: { env_file: ~/x.env }",
			want: []string{
				"6: apps.a.container.env_file[0]: begins with ~, which is not expanded here: write the whole path",
			},
		},
	})
}

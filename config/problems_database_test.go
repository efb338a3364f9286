package config

import "testing"

func TestDatabaseMistakesAreExplained(t *testing.T) {
	checkProblems(t, []problemCase{
		{
			name: "a database of which nothing is said",
			app:  "database: {}",
			want: []string{
				"6: apps.a.database.admin_url_env: is missing: name the variable of the edge's own environment that holds the URL of the owner of the database",
				"6: apps.a.database.url_env: is missing: name the variable that holds the app's database URL, such as DATABASE_URL",
			},
		},
		{
			name: "URLs in place of their variables",
			app: `database:
  url_env: postgres://app:hunter2@db/chat
  admin_url_env: postgres://owner:hunter2@db/chat`,
			want: []string{
				"7: apps.a.database.url_env: must be the name of a variable, such as DATABASE_URL, and not a URL; it is not cited, for it may be a secret",
				"8: apps.a.database.admin_url_env: must be the name of a variable, such as DATABASE_URL, and not a URL; it is not cited, for it may be a secret",
			},
		},
		{
			name: "variables that nobody sets",
			app: `database:
  url_env: DATABASE_URL
  admin_url_env: NOBODY`,
			want: []string{
				"7: apps.a.database.url_env: names DATABASE_URL, which is not in container.environment, and there is no env_file: give the app its database URL there",
				"8: apps.a.database.admin_url_env: names NOBODY, which is not set in the environment of the edge: set it there to the URL of the owner of the database",
			},
		},
		{
			name: "variables that are empty",
			app: `container: { environment: { DATABASE_URL: "" } }
database: { url_env: DATABASE_URL, admin_url_env: BLANK }`,
			want: []string{
				"7: apps.a.database.url_env: names DATABASE_URL, which is empty in the app's environment: give it the app's database URL",
				"7: apps.a.database.admin_url_env: names BLANK, which is not set in the environment of the edge: set it there to the URL of the owner of the database",
			},
		},
		{
			name: "a process without the variable",
			file: `apps:
  a:
    production: [a.example.com]
    internal: [b.example.com]
    runtime: process
    process: { command: run }
    database: { url_env: DATABASE_URL, admin_url_env: OWNER_URL }
`,
			want: []string{
				"7: apps.a.database.url_env: names DATABASE_URL, which is not in process.environment, and a process gets nothing else of the edge's: give the app its database URL there",
			},
		},
		{
			name: "two ways to migrate",
			app: `container: { env_file: a.env }
database:
  url_env: DB
  admin_url_env: OWNER_URL
  migrations_dir: migrations
  expand: migrate up
  contract: migrate contract
  down: migrate down`,
			want: []string{
				"11: apps.a.database.expand: cannot stand beside migrations_dir, whose files say how to migrate, to contract and to go back: remove one of them",
				"12: apps.a.database.contract: cannot stand beside migrations_dir, whose files say how to migrate, to contract and to go back: remove one of them",
				"13: apps.a.database.down: cannot stand beside migrations_dir, whose files say how to migrate, to contract and to go back: remove one of them",
			},
		},
		{
			name: "limits that contradict each other",
			app: `container: { env_file: a.env }
database:
  url_env: DB
  admin_url_env: OWNER_URL
  lock_timeout: 5s
  statement_timeout: 4s
  lock_retries: -1
  expand: "migrate && seed"
  contract: []`,
			want: []string{
				"10: apps.a.database.lock_timeout: is not shorter than statement_timeout, which would end the waiting first: make it shorter",
				"12: apps.a.database.lock_retries: must not be negative, is -1: 0 tries once",
				`13: apps.a.database.expand: cannot be split into words: no shell runs it, so & has no meaning here: quote it, or write [sh, -c, "…"]`,
				"14: apps.a.database.contract: is empty: name a program or remove the key",
			},
		},
		{
			name: "no lock timeout",
			app: `container: { env_file: a.env }
database: { url_env: DB, admin_url_env: OWNER_URL, lock_timeout: 0s }`,
			want: []string{`7: apps.a.database.lock_timeout: must be longer than zero, is "0s"`},
		},
		{
			name: "modes that do not exist",
			app: `container: { env_file: a.env }
database:
  url_env: DB
  admin_url_env: OWNER_URL
  rehearsal: { mode: quick, tables: [settings] }
  gate: { mode: strict, large_table: big }`,
			want: []string{
				`10: apps.a.database.rehearsal.mode: must be auto, full, schema or off, is "quick"`,
				`10: apps.a.database.rehearsal.tables[0]: must be the name of a table with its schema, such as public.settings, is "settings"`,
				`11: apps.a.database.gate.mode: must be enforce, warn or off, is "strict"`,
				`11: apps.a.database.gate.large_table: must be a size such as 512m or 2g, is "big"`,
			},
		},
		{
			name: "backups that cannot be",
			app: `container: { env_file: a.env }
database:
  url_env: DB
  admin_url_env: OWNER_URL
  backup: { keep: 0, at: "25:00", max_age: 1h }
  restore: { command: bring-back, keep_failed: 0 }`,
			want: []string{
				"10: apps.a.database.backup.keep: must be at least 1, is 0",
				`10: apps.a.database.backup.at: must be a time of day such as "03:00", or never, is "25:00"`,
				"11: apps.a.database.restore.command: cannot restore what pg_dump has made: give backup.command as well, or remove it",
				"11: apps.a.database.restore.keep_failed: must be at least 1, is 0: the database that was replaced last always stays",
			},
		},
		{
			name: "an age that every day exceeds",
			app: `container: { env_file: a.env }
database: { url_env: DB, admin_url_env: OWNER_URL, backup: { max_age: 24h } }`,
			want: []string{"7: apps.a.database.backup.max_age: must be longer than 24h, for backups are made once a day: a shorter one would be told every day"},
		},
		{
			name: "two ways to keep backups",
			app: `container: { env_file: a.env }
database:
  url_env: DB
  admin_url_env: OWNER_URL
  backup: { command: save, dir: /srv/backups, keep: 3, verify: true }`,
			want: []string{
				"10: apps.a.database.backup.dir: says nothing with backup.command, whose backups are kept by its own tool: remove one of them",
				"10: apps.a.database.backup.keep: says nothing with backup.command, whose backups are kept by its own tool: remove one of them",
				"10: apps.a.database.backup.verify: says nothing with backup.command, whose backups are kept by its own tool: remove one of them",
			},
		},
		{
			name: "one folder for the backups of two apps",
			app: `container: { env_file: a.env }
database: { url_env: DB, admin_url_env: OWNER_URL, backup: { dir: /srv/backups } }`,
			top: `  b:
    production: [c.example.com]
    internal: [d.example.com]
    image: example/b
    slots: { blue: { port: 3003 }, green: { port: 3004 } }
    container: { env_file: b.env }
    database: { url_env: DB, admin_url_env: OWNER_URL, backup: { dir: /srv/backups/ } }
`,
			want: []string{`14: apps.b.database.backup.dir: the folder "/srv/backups/" is taken by apps.a.database.backup.dir (line 7): give each its own`},
		},
	})
}

package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// load parses a file that must be accepted.
func load(t *testing.T, path string, options Options) *Config {
	t.Helper()
	if options.Env == nil {
		options.Env = testEnv
	}
	c, err := Load(path, options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func parseOne(t *testing.T, source string, options Options) *Config {
	t.Helper()
	options.Env = testEnv
	c, err := Parse("/etc/bluegreen/bluegreen.yaml", []byte(source), options)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestExamplesAreAccepted(t *testing.T) {
	for _, name := range []string{"sofia-chat", "minimal"} {
		load(t, "../examples/"+name+".yaml", Options{})
	}
	chat := load(t, "../examples/sofia-chat.yaml", Options{}).Apps["sofia-chat"]
	if chat.Container.Name != "backend_{colour}" || chat.Image != "ghcr.io/sofiacall/sofia-chat-backend" {
		t.Errorf("container %q, image %q", chat.Container.Name, chat.Image)
	}
}

func TestWhatIsNotGivenGetsItsDefault(t *testing.T) {
	c := parseOne(t, oneApp, Options{})
	c.name, c.lines = "", nil
	want := &Config{
		Edge:     Edge{HTTP: ":80", HTTPS: ":443", HTTP3: true, Connections: 1000, Timeouts: Timeouts{10 * time.Second, time.Minute, 3 * time.Minute}},
		TLS:      TLS{Issuer: "acme", Directory: "https://acme-v02.api.letsencrypt.org/directory"},
		Admin:    Admin{Socket: "/run/bluegreen/admin.sock"},
		State:    State{Dir: "/var/lib/bluegreen"},
		Logs:     Logs{"/var/log", 100 << 20, 720 * time.Hour, 10, 2 << 30},
		Disk:     Disk{90},
		Language: "en",
		Apps: map[string]*App{"a": {
			Name:       "a",
			Production: []string{"a.example.com"},
			Internal:   []string{"b.example.com"},
			Access:     Access{Allow: prefixes("127.0.0.0/8", "::1/128")},
			Runtime:    "docker",
			Image:      "example/a",
			Pull:       "always",
			Slots:      Slots{Slot{3001}, Slot{3002}},
			Container:  Container{Name: "a-{colour}", Port: 3000, StopGracePeriod: 10 * time.Second, Restart: "unless-stopped"},
			Health:     Health{"/health", 30 * time.Second, 5 * time.Second, 2, 3, 2 * time.Minute},
			Drain:      Drain{30 * time.Second, 5 * time.Minute, 10 * time.Second},
			Switch:     Switch{10 * time.Minute, Rules{20, 5, 0, 1, 0.5, 50}},
			Notify:     Notify{Repeat: 4 * time.Hour, ErrorRate: 5},
			Upstream:   Upstream{"http1", 3 * time.Second, 4 * time.Second, time.Minute},
		}},
	}
	equal(t, c, want)
}

func TestHSTSLastsAYearUnlessSaidOtherwise(t *testing.T) {
	c := parseOne(t, oneApp+"    hsts: { include_subdomains: true }\n", Options{})
	equal(t, c.Apps["a"].HSTS, HSTS{MaxAge: 8760 * time.Hour, IncludeSubdomains: true})
}

func TestTwiceTheRateMayComeAtOnceUnlessSaidOtherwise(t *testing.T) {
	for rate, burst := range map[string]int{"50": 100, "0.1": 1, "1.2": 3} {
		if got := parseOne(t, oneApp+"    limits: { rate: "+rate+" }\n", Options{}).Apps["a"].Limits.Burst; got != burst {
			t.Errorf("rate %s: burst %d, want %d", rate, got, burst)
		}
	}
}

func TestOneRequestInAHundredIsTracedUnlessSaidOtherwise(t *testing.T) {
	c := parseOne(t, oneApp+"tracing: { endpoint: \"http://127.0.0.1:4318\" }\n", Options{})
	equal(t, c.Tracing, Tracing{Endpoint: "http://127.0.0.1:4318", Sample: 0.01})
	equal(t, parseOne(t, oneApp+"tracing: { endpoint: \"http://[fd00::1]:4318/\", sample: 0, headers: { A: b } }\n", Options{}).Tracing.Sample, Sample(0))
}

func TestADatabaseIsRehearsedGuardedAndBackedUpUnlessSaidOtherwise(t *testing.T) {
	c := parseOne(t, oneApp+"    container: { environment: { DB: x } }\n    database: { url_env: DB, admin_url_env: OWNER_URL }\n", Options{})
	equal(t, c.Apps["a"].Database, Database{
		URLEnv: "DB", AdminURLEnv: "OWNER_URL", AdminURL: "postgres://owner:hunter2@db.example.com/chat",
		LockTimeout: 2 * time.Second, StatementTimeout: 15 * time.Minute, LockRetries: 10,
		Rehearsal: Rehearsal{Mode: "auto"}, Gate: SchemaGate{"enforce", 100 << 20},
		Backup:  Backup{Dir: "/var/lib/bluegreen/databases/a/backups", Keep: 14, Verify: true, At: "03:00", MaxAge: 26 * time.Hour},
		Restore: Restore{KeepFailed: 1},
	})
	if printed := fmt.Sprintf("%v %+v %#v", c.Apps["a"].Database, c.Apps["a"].Database, c.Apps["a"].Database); strings.Contains(printed, "hunter2") {
		t.Errorf("printed %s", printed)
	}
}

func TestHeadersOfTheCollectorAreNotPrinted(t *testing.T) {
	c := parseOne(t, oneApp+"tracing: { endpoint: \"http://localhost:4318\", headers: { Authorization: hunter2 } }\n", Options{})
	text, err := json.Marshal(c.Tracing)
	if printed := fmt.Sprintf("%v %+v %#v %s", c.Tracing, c.Tracing, c.Tracing, text); err != nil || strings.Contains(printed, "hunter2") {
		t.Errorf("printed %s (%v)", printed, err)
	}
}

func TestZeroTurnsSpreadAndBakeOff(t *testing.T) {
	a := parseOne(t, oneApp+"    drain: { spread: 0s }\n    switch: { bake: 0s }\n", Options{}).Apps["a"]
	equal(t, []time.Duration{a.Drain.Spread, a.Switch.Bake}, []time.Duration{0, 0})
}

func TestProcessDefaults(t *testing.T) {
	c := parseOne(t, strings.Replace(oneApp, "image: example/a", "runtime: process\n    process: { command: run }", 1), Options{})
	equal(t, c.Apps["a"].Process, Process{Command: Command{"run"}, Directory: "/etc/bluegreen", StopGracePeriod: 10 * time.Second, StopSignal: "SIGTERM"})
	equal(t, c.Apps["a"].Container, Container{})
}

func TestEveryKeyIsRead(t *testing.T) {
	c := load(t, "testdata/valid/every-key.yaml", Options{})
	dir, err := filepath.Abs("testdata/valid")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, c.Edge, Edge{
		HTTP: "127.0.0.1:8080", HTTPS: "[::1]:8443", TrustedProxies: prefixes("10.1.0.0/16", "192.0.2.7/32", "2001:db8::/32"),
		HTTP3: false, ProxyProtocol: prefixes("10.2.0.0/16", "2001:db8:1::1/128"), Connections: 200,
		Timeouts: Timeouts{5 * time.Second, 30 * time.Second, time.Minute},
	})
	equal(t, c.TLS, TLS{Issuer: "acme", Email: "ops@example.com", Directory: "https://ca.example.com/directory", Root: dir + "/ca.pem"})
	equal(t, c.Admin, Admin{
		Socket: "/tmp/admin.sock", Listen: ":9443", Host: "bluegreen.example.com",
		TLS: AdminTLS{Cert: dir + "/admin.pem", Key: dir + "/admin.key"}, Users: AdminUsers{"maria": {Password: hash10, Scope: "operate"}},
	})
	equal(t, c.Tracing, Tracing{
		Endpoint: "https://traces.example.com/otlp", Sample: 0.5,
		Headers: Headers{"Authorization": "Bearer two words: [x, y]", "X-Scope": "chat"},
	})
	equal(t, c.Disk, Disk{85.5})
	equal(t, c.Logs, Logs{filepath.Dir(dir) + "/logs", 5 << 20, 48 * time.Hour, 3, 1 << 30})
	equal(t, []string{c.Admin.Socket, c.State.Dir, c.Metrics.Listen, c.Language}, []string{"/tmp/admin.sock", dir + "/state", "10.0.0.5:9145", "es"})
	equal(t, c.Apps["chat"], &App{
		Name:        "chat",
		Production:  []string{"chat.example.com", "xn--bcher-kva.example.com", "dot.example.com"},
		Internal:    []string{"next.example.com"},
		Canonical:   "chat.example.com",
		HSTS:        HSTS{9000 * time.Hour, true, true},
		Compression: true,
		Pages:       dir + "/pages",
		Paths: []Path{
			{Path: "/app/", Upstream: "127.0.0.1:4000", Strip: true}, {Path: "/events", Upstream: "unix:/run/front.sock"},
			{Path: "/assets/", Static: dir + "/assets", Cache: 24 * time.Hour}, {Path: "/", Static: "/srv/front"}, {Path: "/api/", Upstream: "app"},
		},
		Limits:  Limits{Rate: 12.5, Burst: 40, Body: 100 << 20},
		Access:  everyAccess(dir),
		Runtime: "docker",
		Image:   "registry.example.com:5000/team/chat",
		Pull:    "missing",
		Slots:   Slots{Slot{4001}, Slot{4002}},
		Container: Container{
			Name:        "chat_{colour}_1",
			Port:        8080,
			Command:     Command{"node", "server.js", "--title", "a b", "$x", "two words: [x, y]"},
			Environment: Environment{"PLAIN": "text", "NUMBER": "0x10", "EMPTY": "", "EXPANDED": "atwo words: [x, y]b", "INHERITED": "from outside"},
			EnvFile:     EnvFiles{"/etc/chat.env", dir + "/chat.env"},
			Volumes: []Volume{
				{"volume", "data", "/data", false}, {"bind", dir + "/conf", "/conf", true}, {"bind", "/srv/x", "/x", false},
				{"bind", "/srv/y", "/y", true}, {"tmpfs", "", "/tmp", false},
			},
			Networks: Networks{"front", "back"}, MemLimit: 512 << 20, CPUs: 1.5, User: "1000:1000",
			StopGracePeriod: 90 * time.Second, StopSignal: "SIGINT", Restart: "on-failure:5",
		},
		Database: everyDatabase(dir),
		Health:   Health{"/health?deep=1", 10 * time.Second, 2 * time.Second, 1, 4, 90 * time.Second},
		Drain:    Drain{20 * time.Second, 3 * time.Minute, 7 * time.Second},
		Switch:   Switch{time.Hour, Rules{50, 2.5, 900 * time.Millisecond, 3, 0, 80}},
		Notify:   Notify{[]string{"generic+https://hooks.example.com/a?token=from outside", "slack://hook:a-b-c@webhook"}, 90 * time.Minute, 0.5},
		Upstream: Upstream{"h2c", 2 * time.Second, 3 * time.Second, 45 * time.Second},
	})
	local := c.Apps["local"]
	equal(t, local.Access, Access{Public: true})
	equal(t, local.Process, Process{
		Command: Command{"./server", "-v"}, Directory: dir + "/run",
		Environment:     Environment{"A": "1", "B": "x=two words: [x, y]", "INHERITED": "from outside"},
		StopGracePeriod: 5 * time.Second, StopSignal: "SIGQUIT",
	})
	equal(t, local.Database.MigrationsDir, filepath.Dir(dir)+"/migrations")
	equal(t, local.Database.Backup, Backup{
		Dir: dir + "/state/databases/local/backups", Keep: 14, Verify: true, At: "never", MaxAge: 3 * time.Hour, Command: Command{"/usr/local/bin/backup"},
	})
	equal(t, local.Database.Restore, Restore{KeepFailed: 1, Command: Command{"/usr/local/bin/restore", "--fast"}})
}

func everyDatabase(dir string) Database {
	return Database{
		URLEnv: "DATABASE_URL", AdminURLEnv: "OWNER_URL", AdminURL: "postgres://owner:hunter2@db.example.com/chat",
		Expand:   Command{"bin/migrate", "up", "--title", "a b", "two words: [x, y]"},
		Contract: Command{"bin/migrate", "contract"}, Down: Command{"bin/migrate", "down"},
		LockTimeout: 3 * time.Second, StatementTimeout: 0, LockRetries: 0,
		Rehearsal: Rehearsal{"schema", []string{"public.settings", "billing.plans"}}, Gate: SchemaGate{"warn", 1 << 30},
		Backup:  Backup{Dir: dir + "/backups", Keep: 3, Verify: false, At: "23:59", MaxAge: 49 * time.Hour},
		Restore: Restore{KeepFailed: 2},
	}
}

func everyAccess(dir string) Access {
	return Access{
		Allow: prefixes("127.0.0.0/8", "::1/128", "10.0.0.9/32"), Basic: Users{"maria": hash10, "jose": hash10},
		ClientCA: dir + "/clients.pem", Signed: true,
	}
}

// A key that is added to the types must be added to the example of every key.
func TestTheExampleOfEveryKeyHasEveryKey(t *testing.T) {
	c := load(t, "testdata/valid/every-key.yaml", Options{})
	var walk func(typ reflect.Type, keys []string)
	walk = func(typ reflect.Type, keys []string) {
		for i := range typ.NumField() {
			field := typ.Field(i)
			name := field.Tag.Get("yaml")
			if name == "" || name == "-" || name == "certificates" {
				continue // certificates exclude what acme needs: see files.yaml
			}
			var at []string
			for _, key := range keys {
				at = append(at, join(key, name))
			}
			if name == "apps" {
				walk(reflect.TypeFor[App](), []string{"apps.chat", "apps.local"})
			} else if !anyGiven(c.lines, at) {
				t.Errorf("%v is not in every-key.yaml", at)
			} else if field.Type.Kind() == reflect.Struct && field.Type.PkgPath() == typ.PkgPath() {
				walk(field.Type, at)
			}
		}
	}
	walk(reflect.TypeFor[Config](), []string{""})
}

func anyGiven(p positions, keys []string) bool {
	for _, key := range keys {
		if p.given(key) {
			return true
		}
	}
	return false
}

func TestAnchorsAndMergeKeys(t *testing.T) {
	c := load(t, "testdata/valid/anchors.yaml", Options{})
	one, two := c.Apps["one"], c.Apps["two"]
	if one.Health.Rise != 5 || two.Health.Rise != 7 || two.Health.Interval != 10*time.Second {
		t.Errorf("health: %+v and %+v", one.Health, two.Health)
	}
	if two.Container.MemLimit != 1<<20 || two.Container.Name != "two-{colour}" || one.Container.Name != "one-{colour}" {
		t.Errorf("containers: %+v and %+v", one.Container, two.Container)
	}
}

func TestMergeCyclesEnd(t *testing.T) {
	_, err := Parse("x.yaml", []byte("apps: &a\n  <<: [*a, *a]\n  b: { <<: *a, image: x }\n"), Options{Env: testEnv})
	if err == nil {
		t.Fatal("accepted")
	}
}

func TestAVariableCannotChangeTheStructure(t *testing.T) {
	env := func(string) (string, bool) { return "a: [b]\n'\" /x:/y # c", true }
	c, err := Parse("/x.yaml", []byte(oneApp+"    container:\n      command: run \"${V}\" ${V}\n      user: ${V}\n      environment: { A: '${V}' }\n"), Options{Env: env})
	if err != nil {
		t.Fatal(err)
	}
	value, _ := env("")
	equal(t, c.Apps["a"].Container.Command, Command{"run", value, value})
	equal(t, c.Apps["a"].Container.User, value)
	equal(t, c.Apps["a"].Container.Environment, Environment{"A": value})
}

func TestInternalDomainReplacesTheInternalHostsOfTheOnlyApp(t *testing.T) {
	c := parseOne(t, oneApp, Options{InternalDomain: "Other.example.com"})
	equal(t, c.Apps["a"].Internal, []string{"other.example.com"})
	without := strings.Replace(oneApp, "    internal: [b.example.com]\n", "", 1)
	equal(t, parseOne(t, without, Options{InternalDomain: "c.example.com"}).Apps["a"].Internal, []string{"c.example.com"})
}

func TestAFileThatCannotBeReadIsNotAProblemList(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"), Options{})
	var list *Error
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &list) {
		t.Errorf("got %v", err)
	}
}

func TestTheProcessEnvironmentIsTheDefault(t *testing.T) {
	t.Setenv("BLUEGREEN_TEST_IMAGE", "example/from-env")
	c, err := Parse("/x.yaml", []byte(strings.Replace(oneApp, "example/a", "${BLUEGREEN_TEST_IMAGE}", 1)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, c.Apps["a"].Image, "example/from-env")
}

func TestAllProblemsAreListedByLineAndCounted(t *testing.T) {
	source := "language: fr\n" + strings.Replace(oneApp, "image: example/a", "health: { rise: 0 }\n    colour: blue", 1)
	_, err := Parse("bluegreen.yaml", []byte(source), Options{Env: testEnv})
	want := `bluegreen.yaml:1: language: must be en or es, is "fr"
bluegreen.yaml:3: apps.a.image: is missing: name the repository, such as ghcr.io/example/app
bluegreen.yaml:6: apps.a.health.rise: must be at least 1, is 0
bluegreen.yaml:7: apps.a.colour: unknown key; known here: access, canonical, compression, container, database, drain, health, hsts, image, internal, limits, notify, pages, paths, process, production, pull, runtime, slots, switch, upstream
4 problems in bluegreen.yaml`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	var list *Error
	if !errors.As(err, &list) || list.Problems[2].Key != "apps.a.health.rise" || list.Problems[2].Line != 6 || list.Problems[2].Column != 15 {
		t.Errorf("got %+v", list)
	}
	if _, err := Parse("x", []byte("apps: {}"), Options{}); !strings.HasSuffix(fmt.Sprint(err), "\n1 problem in x") {
		t.Errorf("got %v", err)
	}
}

func TestProblemsAreTheSameEveryTime(t *testing.T) {
	source := "apps:\n"
	for i := range 8 {
		source += fmt.Sprintf("  app-%d: { production: [same.example.com], internal: [same.example.com] }\n", i)
	}
	_, first := Parse("x", []byte(source), Options{})
	for range 20 {
		if _, err := Parse("x", []byte(source), Options{}); err == nil || err.Error() != first.Error() {
			t.Fatalf("got\n%v\nand\n%v", first, err)
		}
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}

// write puts a file into a directory and returns its path.
func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

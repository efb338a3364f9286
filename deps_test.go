// Package bluegreen_test holds what is true of the module as a whole: who may
// import whom. It must not know what any package does.
package bluegreen_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "sofiacall.com/bluegreen/"

// allowed is the import graph of the module. A package that is not here, or an
// edge that is not here, is a decision to be taken and written down first.
var allowed = map[string]struct {
	imports []string
	why     string
}{
	"config":   {nil, "the file can be checked without the program it configures"},
	"proxy":    {nil, "the request path depends on nothing that can block, fail or be reconfigured"},
	"probe":    {nil, "a probe is an HTTP request and a verdict; what follows from it is the switcher's"},
	"tls":      {nil, "certificates are about hosts, and know no apps or slots"},
	"metrics":  {nil, "names and figures are filled in from outside, so that counting never calls back"},
	"nginx":    {nil, "the fallback is generated from plain values, not from the file's format"},
	"logfile":  {nil, "rotating a file needs no knowledge of what writes it"},
	"verdict":  {[]string{"switcher"}, "what figures say follows from nothing but the figures; it is said in the switcher's words"},
	"switcher": {[]string{"proxy"}, "it moves routes; everything else reaches it through interfaces it defines"},
	"admin":    {[]string{"switcher"}, "it asks for operations and shows figures; it never performs one"},
	"tracing":  {[]string{"proxy"}, "it implements proxy.Tracer and knows no other package"},
	"docker":   {[]string{"switcher"}, "it implements switcher.Runtime and knows no other package"},
	"process":  {[]string{"switcher"}, "it implements switcher.Runtime and knows no other package"},
	"postgres": {[]string{"switcher", "postgres/backup", "postgres/catalog", "postgres/compat", "postgres/locks", "postgres/replay"}, "it implements switcher.Database and knows no other package but its own parts"},
	"language": {nil, "it knows sentences, and nobody who says them"},
	"notify":   {[]string{"switcher", "language"}, "it consumes the switcher's events"},
	"troubles": {[]string{"switcher"}, "it looks and tells; where certificates and figures come from is the edge's"},
	"collect":  {[]string{"switcher", "logfile"}, "it brings what a switcher.Runtime follows into files; it starts, stops and routes nothing"},

	"postgres/compat":  {[]string{"postgres/catalog", "switcher"}, "what a change breaks follows from the schemas before and after, and from nothing that is running"},
	"postgres/replay":  {[]string{"switcher"}, "that a statement fails is shown by the server, whatever was changed"},
	"postgres/backup":  {[]string{"postgres/catalog", "switcher"}, "making a copy that can be trusted needs no knowledge of migrations; it tells failures and progress in the words of the switcher"},
	"postgres/locks":   {[]string{"postgres/catalog", "switcher"}, "which locks a migration takes is seen in the database where it runs, whoever runs it"},
	"postgres/catalog": {nil, "what a database consists of can be read and kept without an opinion on it"},

	"admin/dashboard": {[]string{"admin", "switcher", "language"}, "it shows what it is given and asks for operations, with the scopes of admin"},

	"bench": {nil, "it meets bluegreen as a user does; what it imported it could not compare with others"},

	"internal/chat": {nil, "the demo's backend must not know that it is proxied"},
	"internal/load": {[]string{"internal/chat"}, "an honest client knows the backend's answers and nothing of who routes them"},
}

// owners says which package alone may import a module, a standard package or a
// family of them, besides tests and internal/…test packages.
var owners = []struct {
	imported string
	by       []string
	why      string
}{
	{"github.com/moby/", []string{"docker"}, "another engine, or none, must be possible without touching the rest"},
	{"github.com/docker/", []string{"docker"}, "another engine, or none, must be possible without touching the rest"},
	{"github.com/caddyserver/", []string{"tls"}, "how a certificate is obtained is one package's business"},
	{"github.com/quic-go/", []string{"proxy"}, "HTTP/3 is one more way in, and nothing behind it knows"},
	{"github.com/pires/", []string{"proxy"}, "who a connection comes from is settled where it is accepted"},
	{"github.com/prometheus/", []string{"metrics"}, "every metric name is in one place, and the request path stays free of label hashing"},
	{"go.opentelemetry.io/", []string{"tracing"}, "the request path knows the header of a trace, and nothing of who collects it"},
	{"github.com/jackc/", []string{"postgres", "postgres/catalog", "postgres/replay", "postgres/locks", "postgres/backup"}, "SQL is spoken in one place"},
	{"github.com/pressly/", []string{"postgres"}, "files of SQL are one way to migrate, and only who migrates knows it"},
	{"github.com/spf13/", []string{"cmd/bluegreen"}, "flags belong to the program"},
	{"github.com/DeRuina/", []string{"logfile"}, "how files are rotated is one package's business"},
	{"github.com/klauspost/", []string{"proxy", "logfile"}, "content codings belong to the request path, and packed log files to who keeps them"},
	{"github.com/nicholas-fedor/", []string{"notify"}, "which chat or mailbox is told, and how, is one package's business"},
	{"github.com/chromedp/", nil, "only tests drive a browser"},
	{"go.yaml.in/", []string{"config", "cmd/bluegreen"}, "the file's format is known to its reader only"},
}

// forbidden names direct imports that would break what a package promises.
var forbidden = []struct{ from, imported, why string }{
	{"proxy", "os/exec", "the request path starts no process"},
	{"proxy", "expvar", "recording goes through the Recorder that a route carries"},
	{"switcher", "net/http", "how a probe speaks HTTP is the prober's; states do not depend on a protocol"},
	{"switcher", "os/exec", "running something is a Runtime's or a hook's work"},
	{"config", "net/http", "checking a file asks nobody else"},
	{"nginx", "net/http", "it writes text"},
}

func TestImportGraphIsTheOneDecided(t *testing.T) {
	for from, files := range sources(t) {
		rule, known := allowed[from]
		if !known && !strings.HasPrefix(from, "cmd/") && !testOnly(from) {
			t.Errorf("package %s is not in the import graph: add it with what it may import and why", from)
			continue
		}
		for file, imports := range files {
			for _, path := range imports {
				to, ours := strings.CutPrefix(path, module)
				switch {
				case !ours || to == from:
				case testOnly(to):
					if !testOnly(from) {
						t.Errorf("%s imports %s, which is for tests only", file, to)
					}
				case known && !slices.Contains(rule.imports, to):
					t.Errorf("%s imports %s, but %s imports only %v: %s", file, to, from, rule.imports, rule.why)
				}
			}
		}
	}
}

func TestEveryImportAllowedIsUsed(t *testing.T) {
	found := sources(t)
	for from, rule := range allowed {
		if found[from] == nil {
			continue // foreseen
		}
		var used []string
		for _, imports := range found[from] {
			used = append(used, imports...)
		}
		for _, to := range rule.imports {
			if !slices.Contains(used, module+to) {
				t.Errorf("%s may import %s and does not: take it out", from, to)
			}
		}
	}
}

// graphLine is a line of the graph in ARCHITECTURE.md: a package, and after a
// dash what it imports.
var graphLine = regexp.MustCompile(`(?m)^.*[├└┬]─ (\S+)(?: ─+ (\S+(?:, \S+)*))?(?:  |$)`)

func TestArchitectureShowsTheGraph(t *testing.T) {
	text := architecture(t)
	shown := map[string]bool{}
	for _, line := range graphLine.FindAllStringSubmatch(text, -1) {
		name, imports := line[1], line[2]
		shown[name] = true
		want := slices.Sorted(slices.Values(allowed[name].imports))
		if got := strings.Split(imports, ", "); imports != "" && !slices.Equal(slices.Sorted(slices.Values(got)), want) || imports == "" && len(want) > 0 {
			t.Errorf("ARCHITECTURE.md says that %s imports %q, it may import %v", name, imports, want)
		}
	}
	for name := range sources(t) {
		if _, known := allowed[name]; known && !shown[name] && name != "bench" {
			t.Errorf("ARCHITECTURE.md does not show package %s", name)
		}
	}
}

func TestArchitectureGivesAReasonForEachModule(t *testing.T) {
	_, table, _ := strings.Cut(architecture(t), "## Dependencies")
	required, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(string(required), -1) {
		name := path.Base(regexp.MustCompile(`/v\d+$`).ReplaceAllString(line[1], ""))
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(table) {
			t.Errorf("ARCHITECTURE.md gives no reason for %s", line[1])
		}
	}
}

func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestForeignModulesStayWithTheirOwner(t *testing.T) {
	for from, files := range sources(t) {
		for file, imports := range files {
			for _, path := range imports {
				for _, owner := range owners {
					if strings.HasPrefix(path, owner.imported) && !testOnly(from) && !slices.Contains(owner.by, from) {
						t.Errorf("%s imports %s, which only %v may: %s", file, path, owner.by, owner.why)
					}
				}
				for _, f := range forbidden {
					if from == f.from && path == f.imported {
						t.Errorf("%s imports %s: %s", file, path, f.why)
					}
				}
			}
		}
	}
}

// The request path never touches the disk or the environment. Of package os it
// may use the error that says that a deadline has passed.
func TestRequestPathUsesNothingOfTheSystem(t *testing.T) {
	for file := range sources(t)["proxy"] {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for node := range ast.Preorder(parsed) {
			used, ok := node.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			from, ok := used.X.(*ast.Ident)
			if ok && from.Name == "os" && used.Sel.Name != "ErrDeadlineExceeded" {
				t.Errorf("%s uses os.%s", file, used.Sel.Name)
			}
		}
	}
}

// testOnly reports whether a package exists for tests: internal/…test and what
// is below.
func testOnly(pkg string) bool {
	name, below := strings.CutPrefix(pkg, "internal/")
	name, _, _ = strings.Cut(name, "/")
	return below && strings.HasSuffix(name, "test")
}

// sources returns the imports of every non-test file, by package directory and
// file. It reads the files itself, so that a cached result is never stale.
func sources(t *testing.T) map[string]map[string][]string {
	t.Helper()
	found := make(map[string]map[string][]string)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if found[dir] == nil {
			found[dir] = make(map[string][]string)
		}
		found[dir][path], err = imports(path)
		return err
	})
	if err != nil {
		t.Fatalf("reading the module's sources: %v", err)
	}
	if len(found["switcher"]) == 0 {
		t.Fatal("the module's sources were not found")
	}
	return found
}

func imports(file string) ([]string, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	paths := make([]string, len(parsed.Imports))
	for i, spec := range parsed.Imports {
		if paths[i], err = strconv.Unquote(spec.Path.Value); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

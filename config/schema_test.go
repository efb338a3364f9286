package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	invopop "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write the generated schema")

func TestSchemaIsCurrent(t *testing.T) {
	generated := generateSchema(t)
	if *update {
		if err := os.WriteFile("bluegreen.schema.json", generated, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(generated, Schema()) {
		t.Error("bluegreen.schema.json does not match the types: go test ./config -run TestSchemaIsCurrent -update")
	}
}

// The files in testdata/valid are accepted, those in testdata/invalid refused, by the
// schema and by Parse alike: an editor and the edge tell the same.
func TestSchemaAgreesWithParse(t *testing.T) {
	compiled := compileSchema(t)
	for want, globs := range map[bool][]string{
		true:  {"testdata/valid/*.yaml", "../examples/*.yaml"},
		false: {"testdata/invalid/*.yaml"},
	} {
		for _, glob := range globs {
			files, err := filepath.Glob(glob)
			if err != nil || len(files) == 0 {
				t.Fatalf("%s: no files (%v)", glob, err)
			}
			for _, file := range files {
				t.Run(file, func(t *testing.T) { checkAgreement(t, compiled, file, want) })
			}
		}
	}
}

func checkAgreement(t *testing.T, compiled *jsonschema.Schema, file string, want bool) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, parseErr := Parse(file, data, Options{Env: testEnv})
	if (parseErr == nil) != want {
		t.Errorf("Parse: accepted %v, want %v: %v", parseErr == nil, want, parseErr)
	}
	var document any
	if err := yaml.Load(data, &document); err != nil {
		t.Fatal(err)
	}
	if err := compiled.Validate(throughJSON(t, document)); (err == nil) != want {
		t.Errorf("schema: accepted %v, want %v: %v", err == nil, want, err)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("bluegreen.schema.json", document); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("bluegreen.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// noLoader proves that the schema needs no other document.
type noLoader struct{}

func (noLoader) Load(string) (any, error) { return nil, errors.New("the schema must stand alone") }

func throughJSON(t *testing.T, v any) any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	v, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// generateSchema reflects the types. What a type's own decoder accepts besides its
// fields is added here.
func generateSchema(t *testing.T) []byte {
	t.Helper()
	r := &invopop.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Anonymous:                  true,
		ExpandedStruct:             true,
		Mapper:                     mapType,
	}
	if err := r.AddGoComments("sofiacall.com/bluegreen/config", "./", invopop.WithFullComment()); err != nil {
		t.Fatal(err)
	}
	s := r.Reflect(&Config{})
	s.Title = "bluegreen configuration"
	apps, _ := s.Properties.Get("apps")
	one := uint64(1)
	apps.MinProperties = &one
	apps.PropertyNames = &invopop.Schema{Pattern: appName.String()}
	d := s.Definitions
	for _, def := range d {
		allowVariables(def)
	}
	allowVariables(s)
	d["Access"].AnyOf = accessRules()
	d["Access"] = anyOf(&invopop.Schema{Enum: []any{"public"}}, variable(), d["Access"])
	d["Volume"] = anyOf(&invopop.Schema{Type: "string", Pattern: `^[^:]+:[^:]+(:(ro|rw))?$`}, d["Volume"])
	d["App"].AllOf = runtimeRules()
	d["Database"].AllOf = databaseRules()
	users, _ := d["Admin"].Properties.Get("users")
	users.PropertyNames, users.MinProperties = userName(), &one
	d["Admin"].DependentRequired = map[string][]string{
		"listen": {"host", "users"}, "host": {"listen"}, "tls": {"listen"}, "users": {"listen"},
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func anyOf(schemas ...*invopop.Schema) *invopop.Schema { return &invopop.Schema{AnyOf: schemas} }

func ofType(name string) *invopop.Schema { return &invopop.Schema{Type: name} }

func listOf(item *invopop.Schema) *invopop.Schema { return &invopop.Schema{Type: "array", Items: item} }

func nonEmpty() *invopop.Schema {
	one := uint64(1)
	return &invopop.Schema{Type: "string", MinLength: &one}
}

// variable is a value that contains ${NAME}, whatever it expands to.
func variable() *invopop.Schema {
	return &invopop.Schema{Type: "string", Pattern: `\$\{[A-Za-z_][A-Za-z0-9_]*\}`}
}

func userName() *invopop.Schema { return &invopop.Schema{Pattern: `^[^$:]{1,64}$`} }

func passwordHash() *invopop.Schema {
	hash := `2[aby]%[1]s(1[0-4])%[1]s[./A-Za-z0-9]{53}$`
	return anyOf(&invopop.Schema{Type: "string", Pattern: fmt.Sprintf(`^\$`+hash, `\$`)},
		&invopop.Schema{Type: "string", Pattern: fmt.Sprintf(`^\$\$`+hash, `\$\$`)}, variable())
}

// mapType are the schemas of the types that have their own decoder.
func mapType(t reflect.Type) *invopop.Schema {
	one := uint64(1)
	zero := uint64(0)
	switch t {
	case reflect.TypeFor[time.Duration]():
		return &invopop.Schema{Type: "string", Pattern: `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+$`}
	case reflect.TypeFor[netip.Prefix]():
		return anyOf(&invopop.Schema{Type: "string", Pattern: `^[0-9A-Fa-f:.]+(/[0-9]+)?$`}, variable())
	case reflect.TypeFor[Command]():
		return anyOf(nonEmpty(), &invopop.Schema{Type: "array", Items: nonEmpty(), MinItems: &one})
	case reflect.TypeFor[EnvFiles]():
		return anyOf(nonEmpty(), listOf(nonEmpty()))
	case reflect.TypeFor[Users]():
		return &invopop.Schema{
			Type: "object", MinProperties: &one, PropertyNames: userName(), AdditionalProperties: passwordHash(),
		}
	case reflect.TypeFor[PasswordHash]():
		return passwordHash()
	case reflect.TypeFor[Environment]():
		values := anyOf(ofType("string"), ofType("number"), ofType("null"))
		return anyOf(&invopop.Schema{Type: "object", AdditionalProperties: values}, listOf(nonEmpty()))
	case reflect.TypeFor[Networks]():
		none := anyOf(ofType("null"), &invopop.Schema{Type: "object", MaxProperties: &zero})
		return anyOf(listOf(nonEmpty()), &invopop.Schema{Type: "object", AdditionalProperties: none})
	case reflect.TypeFor[Bytes]():
		return anyOf(&invopop.Schema{Type: "integer", Minimum: "1"},
			&invopop.Schema{Type: "string", Pattern: byteSize.String()}, variable())
	case reflect.TypeFor[Rate]():
		return anyOf(&invopop.Schema{Type: "number", ExclusiveMinimum: "0"}, variable())
	case reflect.TypeFor[Sample]():
		return anyOf(&invopop.Schema{Type: "number", Minimum: "0", Maximum: "1"}, variable())
	case reflect.TypeFor[Headers]():
		return &invopop.Schema{
			Type: "object", PropertyNames: &invopop.Schema{Pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"}, AdditionalProperties: nonEmpty(),
		}
	case reflect.TypeFor[Percent]():
		return anyOf(&invopop.Schema{Type: "number", Minimum: "0", Maximum: "100"}, variable())
	case reflect.TypeFor[CPUs]():
		return anyOf(&invopop.Schema{Type: "number", ExclusiveMinimum: "0"}, nonEmpty())
	}
	return nil
}

// allowVariables lets every value of the struct be a variable, and no string be empty.
func allowVariables(def *invopop.Schema) {
	if def.Properties == nil {
		return
	}
	for pair := def.Properties.Oldest(); pair != nil; pair = pair.Next() {
		p := pair.Value
		if p.Type == "array" && p.Items != nil && p.Items.Type == "string" {
			p.Items = nonEmpty()
		}
		switch {
		case p.Type == "string" && p.Pattern == "" && p.Enum == nil:
			p.MinLength = nonEmpty().MinLength
		case p.Type == "string", p.Type == "integer", p.Type == "boolean":
			described := anyOf(p, variable())
			described.Description, p.Description = p.Description, ""
			pair.Value = described
		}
	}
}

// accessRules say that one of the rules must be there.
func accessRules() (rules []*invopop.Schema) {
	for _, key := range []string{"allow", "basic", "client_ca", "signed"} {
		rule := &invopop.Schema{Required: []string{key}}
		if key == "signed" {
			rule.Properties = invopop.NewProperties()
			rule.Properties.Set(key, anyOf(&invopop.Schema{Const: true}, variable()))
		}
		rules = append(rules, rule)
	}
	return rules
}

// databaseRules say which keys exclude and which demand one another.
func databaseRules() (rules []*invopop.Schema) {
	with := func(section, key string) *invopop.Schema {
		p := invopop.NewProperties()
		p.Set(section, &invopop.Schema{Required: []string{key}})
		return &invopop.Schema{Required: []string{section}, Properties: p}
	}
	for _, pair := range [][]string{{"migrations_dir", "expand"}, {"migrations_dir", "contract"}, {"migrations_dir", "down"}} {
		rules = append(rules, &invopop.Schema{Not: &invopop.Schema{Required: pair}})
	}
	for _, key := range []string{"dir", "keep", "verify"} {
		rules = append(rules, &invopop.Schema{If: with("backup", "command"), Then: &invopop.Schema{Not: with("backup", key)}})
	}
	return append(rules, &invopop.Schema{If: with("restore", "command"), Then: with("backup", "command")})
}

// runtimeRules say which keys belong to which runtime.
func runtimeRules() []*invopop.Schema {
	is := func(runtime string) *invopop.Schema {
		p := invopop.NewProperties()
		p.Set("runtime", &invopop.Schema{Const: runtime})
		return &invopop.Schema{Properties: p}
	}
	without := func(required string, keys ...string) *invopop.Schema {
		p := invopop.NewProperties()
		for _, k := range keys {
			p.Set(k, invopop.FalseSchema)
		}
		return &invopop.Schema{Required: []string{required}, Properties: p}
	}
	process := is(RuntimeProcess)
	process.Required = []string{"runtime"}
	return []*invopop.Schema{
		{If: process, Then: without("process", "container", "image", "pull")},
		{If: is(RuntimeDocker), Then: without("image", "process")},
	}
}

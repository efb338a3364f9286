package config

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// commentedOut is a key, or an item with keys, behind a comment sign. Sentences
// begin with a capital letter.
var commentedOut = regexp.MustCompile(`(?m)^( *)# ( *(?:- \{|[a-z0-9_]+:(?: |$)))`)

func TestTheExampleShowsEveryKey(t *testing.T) {
	text, err := os.ReadFile("../examples/sofia-chat.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var example any
	if err := yaml.Load(commentedOut.ReplaceAll(text, []byte("$1$2")), &example); err != nil {
		t.Fatalf("without the comment signs the example is no YAML: %v", err)
	}
	var schema map[string]any
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	w := schemaWalk{t: t, definitions: schema["$defs"].(map[string]any)}
	w.walk(schema, "", []any{example})
	if w.keys < 100 {
		t.Errorf("only %d keys were found in the schema", w.keys)
	}
}

// schemaWalk reports the keys of a schema that a document does not have.
type schemaWalk struct {
	t           *testing.T
	definitions map[string]any
	keys        int
}

// walk looks for the keys of a part of the schema in all values that are at its
// place in the document.
func (w *schemaWalk) walk(part any, path string, values []any) {
	schema, ok := part.(map[string]any)
	if !ok {
		return
	}
	if ref, ok := schema["$ref"].(string); ok {
		w.walk(w.definitions[strings.TrimPrefix(ref, "#/$defs/")], path, values)
	}
	forms, _ := schema["anyOf"].([]any)
	for _, form := range forms {
		w.walk(form, path, values)
	}
	properties, _ := schema["properties"].(map[string]any)
	for key, property := range properties {
		w.keys++
		var below []any
		for _, value := range values {
			if of, ok := value.(map[string]any); ok && of[key] != nil {
				below = append(below, of[key])
			}
		}
		if below == nil {
			w.t.Errorf("the example lacks %s", join(path, key))
			continue
		}
		w.walk(property, join(path, key), below)
	}
	var below []any // of lists, and of maps whose keys are names
	for _, value := range values {
		switch of := value.(type) {
		case []any:
			below = append(below, of...)
		case map[string]any:
			for _, named := range of {
				below = append(below, named)
			}
		}
	}
	w.walk(schema["items"], path+"[]", below)
	w.walk(schema["additionalProperties"], path+".*", below)
}

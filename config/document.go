package config

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// readDocument parses the one YAML document in data to its root map. The problem is
// nil when that worked; its line is never 0.
func readDocument(data []byte) (*yaml.Node, *Problem) {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, syntaxProblem(err, data)
	}
	var document, further yaml.Node
	if err := loader.Load(&document); errors.Is(err, io.EOF) {
		return nil, &Problem{Line: 1, Text: "the file is empty: it needs at least apps"}
	} else if err != nil {
		return nil, syntaxProblem(err, data)
	}
	if err := loader.Load(&further); err == nil {
		return nil, &Problem{Line: max(1, further.Line), Column: further.Column, Text: "a second YAML document begins here: the configuration is one document"}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxProblem(err, data)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, &Problem{Line: max(1, document.Line), Column: document.Column, Text: "the file must be a map of keys, such as apps: …"}
	}
	return document.Content[0], nil
}

// syntaxProblem turns the parser's error into a problem.
func syntaxProblem(err error, data []byte) *Problem {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &Problem{Line: 1, Text: "is not YAML"}
	}
	p := &Problem{Line: load.Mark.Line, Column: load.Mark.Column, Text: "is not YAML: " + syntaxText(load)}
	if p.Line == 0 { // the reader below the parser counts bytes only
		read := data[:min(max(0, load.Mark.Index), len(data))]
		p.Line = 1 + bytes.Count(read, []byte("\n"))
	}
	return p
}

// syntaxText is the parser's message, unless that cites the file: an unquoted password
// may look like an alias or a tag.
func syntaxText(e *yaml.LoadError) string {
	switch {
	case e.Stage == yaml.ComposerStage:
		return "an alias names an anchor that is not there; put quotes around a value that begins with *"
	case e.Stage == yaml.ResolverStage || e.Stage == yaml.ConstructorStage:
		return "a value does not fit its tag; put quotes around a value that begins with !"
	case strings.HasSuffix(e.Message, "in a YAML tag"):
		return "a tag has a character that is not allowed; put quotes around a value that begins with !"
	case e.ContextMsg != "":
		return e.Message + " " + e.ContextMsg
	}
	return e.Message
}

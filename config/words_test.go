package config

import (
	"slices"
	"testing"
)

func TestCommandsAreSplitLikeAShellDoes(t *testing.T) {
	for line, want := range map[string][]string{
		`a b`:               {"a", "b"},
		"  a\tb\nc ":        {"a", "b", "c"},
		`a "b c" 'd e'`:     {"a", "b c", "d e"},
		`a "" ''`:           {"a", "", ""},
		`a b\ c "d\"e\x"`:   {"a", "b c", `d"e\x`},
		`'a\b' "c'd" e"f"g`: {`a\b`, "c'd", "efg"},
		`sh -c "a && b; c"`: {"sh", "-c", "a && b; c"},
		`run --x=$$y ${Z}`:  {"run", "--x=$$y", "${Z}"},
	} {
		got, err := splitWords(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", line, got, err, want)
		}
	}
}

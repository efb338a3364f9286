package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// commands calls visit for every command of ours, with its words.
func commands(visit func(words []string, cmd *cobra.Command)) {
	var walk func([]string, *cobra.Command)
	walk = func(words []string, cmd *cobra.Command) {
		visit(words, cmd)
		for _, sub := range cmd.Commands() {
			walk(append(words[:len(words):len(words)], sub.Name()), sub)
		}
	}
	walk(nil, (&program{}).newCommand())
}

func TestEveryCommandIsExplainedWithAnExample(t *testing.T) {
	commands(func(words []string, cmd *cobra.Command) {
		name := strings.Join(words, " ")
		if cmd.Hidden {
			return
		}
		if cmd.Short == "" || cmd.Long == "" || cmd.Example == "" {
			t.Errorf("bluegreen %s: short, long help and an example are needed", name)
		}
		for line := range strings.Lines(cmd.Long) {
			if len(strings.TrimSpace(line)) > 82 {
				t.Errorf("bluegreen %s: line too long for a terminal of 80 columns: %s", name, line)
			}
		}
		if cmd.HasParent() && !cmd.HasSubCommands() && cmd.Args == nil {
			t.Errorf("bluegreen %s: does not say which arguments it takes", name)
		}
	})
}

func TestHelp(t *testing.T) {
	commands(func(words []string, cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		t.Run(strings.Join(words, " "), func(t *testing.T) {
			code, out, errs := cli(t, nil, append(words, "--help")...)
			if code != 0 || errs != "" {
				t.Fatalf("exit code %d, stderr %s", code, errs)
			}
			golden(t, strings.Join(append([]string{"help"}, words...), "-")+".txt", out)
		})
	})
}

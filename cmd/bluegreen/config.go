package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/notify"
	"sofiacall.com/bluegreen/switcher"
)

func newConfigCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check the configuration file, print what follows from it",
		Long:  `Config looks at the configuration file without a running edge.`,
		Example: `  bluegreen config check bluegreen.yaml
  bluegreen config schema > bluegreen.schema.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheckCommand(p), newConfigSchemaCommand(p), newConfigRootCommand(p), newConfigHashCommand(p))
	return cmd
}

func newConfigCheckCommand(p *program) *cobra.Command {
	var asked string
	cmd := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say everything that is wrong with a configuration file",
		Long: `Check reads a configuration file as the edge would and lists every problem with
its line: unknown keys, values that are out of range, variables that are not set,
files that are not there. Exit code 2 means that the edge would refuse it.`,
		Example: `  bluegreen config check
  bluegreen config check /etc/bluegreen/bluegreen.yaml`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				asked = args[0]
			}
			return p.checkConfig(p.configPath(asked))
		},
	}
	cmd.Flags().StringVar(&asked, "config", "", "the file, if it is not an argument (default "+defaultConfig+")")
	return cmd
}

func (p *program) checkConfig(path string) error {
	c, err := p.loadConfig(path)
	if err != nil {
		return err
	}
	apps := slices.Sorted(maps.Keys(c.Apps))
	if p.json {
		return p.printJSON(map[string]any{"ok": true, "file": path, "apps": apps})
	}
	p.stdout.printf("%s is fine: %s (%s)\n", path, count(int64(len(apps)), "app"), and(apps))
	return nil
}

// loadConfig reads the file as the edge does. Everything that is wrong with it,
// also that it is not there, is exit code 2.
func (p *program) loadConfig(path string) (*config.Config, error) {
	c, err := config.Load(path, config.Options{Env: p.lookupEnv, InternalDomain: p.env("INTERNAL_DOMAIN"), Service: notify.Check})
	if err == nil {
		err = c.CheckFiles()
	}
	if err == nil {
		return c, nil
	}
	if told := configError(err); told != err {
		return nil, told
	}
	return nil, &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("reading the configuration: %v", err)}
}

func newConfigSchemaCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Long: `Schema prints the JSON Schema (draft 2020-12) of the configuration file, for
editors that check and complete YAML with it.`,
		Example: `  bluegreen config schema > bluegreen.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := p.stdout.Write(config.Schema())
			return err
		},
	}
}

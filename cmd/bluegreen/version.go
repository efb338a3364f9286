package main

import (
	"cmp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker (-X main.version=…) and never by the program.
var version string

// version is that of the release, or of the module if it was built otherwise.
func (p *program) version() string {
	module := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		module = info.Main.Version
	}
	return cmp.Or(version, module, "unknown")
}

func newVersionCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  `Version prints the version of this program and of the Go toolchain that built it.`,
		Example: `  bluegreen version
  bluegreen version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return p.printJSON(map[string]string{"version": p.version(), "go": runtime.Version()})
			}
			p.stdout.printf("bluegreen %s (%s %s/%s)\n", p.version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}

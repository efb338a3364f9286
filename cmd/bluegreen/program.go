package main

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/process"
)

// program is one invocation of bluegreen. Tests run the real one.
type program struct {
	stdin   io.Reader
	stdout  *terminal
	stderr  *terminal
	environ []string

	// Flags of every command; see target.go for what stands in for them.
	app    string
	socket string
	json   bool

	// failpoint is switcher.Options.Failpoint for serve; only tests set it.
	failpoint func(string)

	began bool // the command line was understood; errors from here on are not usage errors
}

// keepJob is the argument after which this program keeps a job of a process
// runtime. It is no command, for nobody else is to give it.
const keepJob = "keep-job"

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string) int {
	return runWith(ctx, args, stdin, stdout, stderr, environ, nil)
}

func runWith(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, environ []string, failpoint func(string)) int {
	if len(args) > 0 && args[0] == keepJob {
		return process.Keep(args[1:])
	}
	p := &program{stdin: stdin, environ: environ, failpoint: failpoint}
	p.stdout, p.stderr = newTerminal(stdout, p.env), newTerminal(stderr, p.env)
	root := p.newCommand()
	root.SetArgs(append([]string{}, args...))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case !p.began:
		err = badUsage(cmd, err)
		p.json = p.json || slices.Contains(args, "--json") // the flags may not have been read
	}
	p.report(err)
	return exitCode(err)
}

// newCommand returns the root command with everything under it.
func (p *program) newCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "bluegreen",
		Short: "Deploy, test and switch releases without a failed request",
		Long: `bluegreen is an edge proxy and a deployer in one. It keeps two releases of an
application side by side, blue and green, shows the new one on an internal URL,
and moves production to it, and back, without a failed request.

Exit codes: 0 done, 1 failed, 2 usage or bad configuration, 3 refused by a gate,
an expectation or the phase, 4 busy, 5 unhealthy, 6 timed out, 7 not allowed,
8 edge not reachable.

Environment: BLUEGREEN_APP, BLUEGREEN_SOCKET and BLUEGREEN_CONFIG stand in for
the flags of these names; NO_COLOR turns colours off.`,
		Example: `  bluegreen deploy 4f2a1c9   # into the slot that production does not use
  bluegreen status           # what is where
  bluegreen switch           # production moves to it
  bluegreen rollback         # and back`,
		Version:       p.version(),
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.ValidateFlagGroups(); err != nil {
				return err
			}
			p.began = true
			return nil
		},
	}
	root.SetVersionTemplate("bluegreen {{.Version}}\n")
	root.PersistentFlags().StringVar(&p.app, "app", "", "the app; may be left out when there is only one")
	root.PersistentFlags().StringVar(&p.socket, "socket", "", "the edge's admin socket (default "+defaultSocket+")")
	root.PersistentFlags().BoolVar(&p.json, "json", false, "machine-readable output")
	p.complete(root, "app", p.completeApps)
	group(root, "A release, from its deploy to its end:",
		newDeployCommand(p), newSwitchCommand(p), newConfirmCommand(p), newRollbackCommand(p),
		newDiscardCommand(p), newDrainCommand(p), newCleanupCommand(p), newRecoverCommand(p))
	group(root, "Its database:", newDBCommand(p))
	group(root, "Production, while something is done to it:", newPauseCommand(p), newResumeCommand(p), newMaintenanceCommand(p))
	group(root, "What is going on:", newStatusCommand(p), newHealthCommand(p), newCompareCommand(p), newHistoryCommand(p), newLogsCommand(p), newNotifyCommand(p), newDashboardCommand(p))
	group(root, "The edge:", newServeCommand(p), newDemoCommand(p), newChatCommand(p), newReloadCommand(p), newLinkCommand(p), newConfigCommand(p))
	root.AddCommand(newVersionCommand(p))
	return root
}

// group adds commands under a heading of the help.
func group(root *cobra.Command, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: title, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = title
	}
	root.AddCommand(commands...)
}

// env returns a variable of the environment; "" when it is not set.
func (p *program) env(name string) string {
	value, _ := p.lookupEnv(name)
	return value
}

// lookupEnv is os.LookupEnv for the program's own environment, in which the
// last of equal names wins.
func (p *program) lookupEnv(name string) (value string, set bool) {
	for _, entry := range p.environ {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value, set = v, true
		}
	}
	return value, set
}

// printJSON writes v as one line on standard output.
func (p *program) printJSON(v any) error {
	return json.NewEncoder(p.stdout).Encode(v)
}

package main

import (
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newDBCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db",
		Short: "The database that both releases share: schema, backups, restore",
		Long: `Db is about the database of an app, which both releases use at the same time. A
deploy migrates it by itself, after a backup and a rehearsal in a copy, and
stops when the running release could not live with the result.

The commands here look at the schema, rehearse, back up, verify, take away what
no release needs any more, and bring a lost database back.`,
		Example: `  bluegreen db check        # which release can live with the schema as it is
  bluegreen db plan 4f2a1c9 # what its migrations would do, in a copy
  bluegreen db backups`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDBCheckCommand(p), newDBPlanCommand(p), newDBAcceptCommand(p),
		newDBBackupCommand(p), newDBBackupsCommand(p), newDBVerifyCommand(p), newDBRestoreCommand(p),
		newDBContractCommand(p), newDBDownCommand(p))
	return cmd
}

// operateDatabase runs an operation of a database kind and shows it.
func (p *program) operateDatabase(cmd *cobra.Command, kind switcher.Kind, request switcher.DatabaseRequest) error {
	return p.operate(cmd.Context(), func(c *admin.Client, app string, show tell) (switcher.Result, error) {
		return c.Database(cmd.Context(), app, kind, request, show)
	})
}

// operateOnRelease does so for a release that is named by a commit, the only
// argument, or by its image, or not at all.
func (p *program) operateOnRelease(cmd *cobra.Command, kind switcher.Kind, args []string, image string, accept acceptance) error {
	if err := accept.check(); err != nil {
		return err
	}
	request := switcher.DatabaseRequest{Image: image, Allow: accept.allow, Reason: accept.reason}
	if len(args) == 1 {
		request.Commit = args[0]
	}
	return p.operateDatabase(cmd, kind, request)
}

// acceptance are the flags by which findings are accepted.
type acceptance struct {
	allow  []string
	reason string
}

func (a *acceptance) add(p *program, cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&a.allow, "allow", nil, "accept this `FINDING` of the schema gate, by the id that it is told with; repeatable")
	cmd.Flags().StringVar(&a.reason, "reason", "", "why, for the history; needed with --allow")
	p.complete(cmd, "allow", cobra.NoFileCompletions)
	p.complete(cmd, "reason", cobra.NoFileCompletions)
}

// check refuses to accept something without saying why.
func (a *acceptance) check() error {
	if len(a.allow) > 0 && a.reason == "" {
		return usageError("say why with --reason TEXT, for the history", "--allow needs a reason")
	}
	return nil
}

func newDBCheckCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Say which releases can live with the schema as it is now",
		Long: `Check compares what each release was recorded to need with the live schema now,
and says what of it would break the release, why, and the safe way to do it.
Nothing is changed.

Exit code 3 means that a release that runs, or is kept for a rollback, cannot
live with the schema. Older ones are told too: they would have to be deployed
again.`,
		Example: `  bluegreen db check
  bluegreen db check --json | jq '.releases[].fit.findings'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				check, err := client.CheckDatabase(cmd.Context(), app)
				if err != nil {
					return err
				}
				if p.json {
					err = p.printJSON(check)
				} else {
					drawCheck(p.stdout, app, check, time.Now())
				}
				if err != nil {
					return err
				}
				return unfit(check)
			})
		},
	}
}

func newDBPlanCommand(p *program) *cobra.Command {
	var image string
	var accept acceptance
	cmd := &cobra.Command{
		Use:   "plan [COMMIT]",
		Short: "Rehearse a release's migrations in a copy, and judge them",
		Long: `Plan runs the migrations of a release in a copy of the database and says what
they would mean for the releases that run, like the first half of a deploy. The
database itself is not changed.

Without COMMIT or --image it is the release in test. Exit code 3 means that a
deploy would be refused.`,
		Example: `  bluegreen db plan 4f2a1c9
  bluegreen db plan --image registry.example.com/chat:nightly`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.operateOnRelease(cmd, switcher.KindPlan, args, image, accept)
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "full image reference, instead of the app's image with a tag")
	accept.add(p, cmd)
	return cmd
}

func newDBAcceptCommand(p *program) *cobra.Command {
	var request switcher.DatabaseRequest
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Take the live schema as it is, after a change by hand",
		Long: `Accept records the live schema as the one that deploys begin from. It is needed
after somebody has changed the schema by hand: until then a deploy is refused,
for nobody can tell whether its migrations fit.

What the releases need stays as it is recorded: 'bluegreen db check' tells
whether they can live with the change.`,
		Example: `  bluegreen db accept --reason "index added by hand during the incident"`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operateDatabase(cmd, switcher.KindAccept, request)
		},
	}
	cmd.Flags().StringVar(&request.Reason, "reason", "", "why, for the history")
	return cmd
}

func newDBBackupCommand(p *program) *cobra.Command {
	var request switcher.DatabaseRequest
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Make a backup now",
		Long: `Backup dumps the database, writes checksums of every file, and keeps it like
those that are made each night and before migrations: the oldest goes when there
are more than backup.keep. A rollback ends it at once.`,
		Example: `  bluegreen db backup
  bluegreen db backup --reason "before the import"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.operateDatabase(cmd, switcher.KindBackup, request)
		},
	}
	cmd.Flags().StringVar(&request.Reason, "reason", "", "why, for the history")
	return cmd
}

func newDBVerifyCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "verify [ID]",
		Short: "Restore a backup into a scratch database and compare",
		Long: `Verify restores the newest backup, or the one with that id, into a scratch
database and compares schema, rows and sequences with what the backup says of
itself. Only this makes a backup verified. The scratch database is removed
afterwards; a rollback ends it at once.`,
		Example: `  bluegreen db verify
  bluegreen db verify 20261124T030000Z-nightly`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: p.completeBackups,
		RunE: func(cmd *cobra.Command, args []string) error {
			var request switcher.DatabaseRequest
			if len(args) == 1 {
				request.Backup = args[0]
			}
			return p.operateDatabase(cmd, switcher.KindVerify, request)
		},
	}
}

func newDBContractCommand(p *program) *cobra.Command {
	var accept acceptance
	cmd := &cobra.Command{
		Use:   "contract",
		Short: "Take away what only older releases need",
		Long: `Contract runs the contract command of the active release: the second half of a
change that was expanded before, such as dropping a column that nothing reads
any more. It makes a backup and rehearses in a copy. It stops at each thing that
goes, for nobody but you can know that no code needs it: accept it by the --allow
that it is told with.

Older releases cannot come back afterwards: it moves the point up to which a
rollback is possible. It is refused during a bake and while a release is in test.`,
		Example: `  bluegreen db contract
  bluegreen db contract --allow 'column_dropped:public.users.name@5f0c' --reason "read by nobody"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := accept.check(); err != nil {
				return err
			}
			return p.operateDatabase(cmd, switcher.KindContract, switcher.DatabaseRequest{Allow: accept.allow, Reason: accept.reason})
		},
	}
	accept.add(p, cmd)
	return cmd
}

func newDBDownCommand(p *program) *cobra.Command {
	var image string
	var accept acceptance
	cmd := &cobra.Command{
		Use:   "down [COMMIT]",
		Short: "Undo the migrations of a release that was given up",
		Long: `Down runs the down command of a release, which undoes its migrations, after a
backup and a rehearsal, and stops when the active release could not live with
the result.

It is rarely needed: the schema of a release that was given up harms nobody, and
the next release may need it. Without COMMIT or --image it is the release that
failed or was discarded last.`,
		Example: `  bluegreen db down
  bluegreen db down 4f2a1c9 --reason "the feature is cancelled"`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.operateOnRelease(cmd, switcher.KindDown, args, image, accept)
		},
	}
	cmd.Flags().StringVar(&image, "image", "", "full image reference, instead of the app's image with a tag")
	accept.add(p, cmd)
	return cmd
}

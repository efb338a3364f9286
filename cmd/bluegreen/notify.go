package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/admin"
	"sofiacall.com/bluegreen/switcher"
)

func newNotifyCommand(p *program) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notify",
		Short: "Try whether alerts arrive, show what the team was told of",
		Long: `Notify is about the alerts of an app: what the team was told of and lasts, and
whether the services under notify in its section of the configuration take them.
A service is called by its kind and its place there, for its URL is a secret.`,
		Example: `  bluegreen notify test
  bluegreen notify status`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newNotifyTestCommand(p), newNotifyStatusCommand(p))
	return cmd
}

func newNotifyTestCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "test",
		Short: "Send a test message to every service now",
		Long: `Test sends a message to every service of the app at once and says for each whether
it was delivered, and if not, why. Exit code 1 means that one of them failed.`,
		Example: `  bluegreen notify test
  bluegreen notify test --app sofia-chat --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				test, err := client.TestAlerts(cmd.Context(), app)
				if err != nil {
					return err
				}
				if len(test.Deliveries) == 0 {
					return &switcher.Error{Code: switcher.CodeUsage, What: fmt.Sprintf("app %s has no services to tell", app),
						Hint: fmt.Sprintf("list them under apps.%s.notify.services, then `bluegreen reload`", app)}
				}
				if p.json {
					err = p.printJSON(test)
				} else {
					showDeliveries(p.stdout, test.Deliveries)
				}
				if err != nil {
					return err
				}
				return undelivered(test.Deliveries)
			})
		},
	}
}

func showDeliveries(t *terminal, deliveries []admin.Delivery) {
	for _, d := range deliveries {
		lasted := took(time.Duration(d.TookMS * float64(time.Millisecond)))
		said := "delivered in " + lasted
		if !d.OK {
			said = fmt.Sprintf("failed after %s: %s", lasted, printable(d.Error))
		}
		t.printf("%s %s %s\n", t.mark(d.OK), pad(printable(d.Service), 12), said)
	}
}

func undelivered(deliveries []admin.Delivery) error {
	var failed []string
	for _, d := range deliveries {
		if !d.OK {
			failed = append(failed, d.Service)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &switcher.Error{Code: switcher.CodeFailed, What: "not delivered: " + and(failed),
		Hint: "check its URL under notify in the configuration, then `bluegreen reload`"}
}

func newNotifyStatusCommand(p *program) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show the troubles that last and whether alerts arrive",
		Long: `Status shows the troubles that the team was told of and that last, those of the
edge too, and for every service of the app what waits for it and its last failure.`,
		Example: `  bluegreen notify status
  bluegreen notify status --json | jq .troubles`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.withApp(cmd.Context(), func(client *admin.Client, app string) error {
				alerts, err := client.Alerts(cmd.Context(), app)
				if err != nil {
					return err
				}
				if p.json {
					return p.printJSON(alerts)
				}
				showAlerts(p.stdout, alerts, time.Now())
				return nil
			})
		},
	}
}

func showAlerts(t *terminal, a admin.Alerts, now time.Time) {
	if len(a.Troubles) == 0 {
		t.printf("no trouble lasts\n")
	}
	for _, trouble := range a.Troubles {
		t.printf("%s %s %s, for %s\n", t.mark(false), pad(string(trouble.Kind), 12), about(trouble), span(now.Sub(trouble.Since)))
		if trouble.Cause != "" {
			t.printf("  %s\n", printable(trouble.Cause))
		}
	}
	if len(a.Services) == 0 {
		t.printf("nobody is told: there are no services under notify in the configuration\n")
	}
	for _, s := range a.Services {
		said := "delivers"
		if s.Failing {
			said = "fails"
		}
		if s.Waiting > 0 {
			said += fmt.Sprintf(", %s waiting", count(int64(s.Waiting), "message"))
		}
		if s.Lost > 0 {
			said += fmt.Sprintf(", %s lost", count(int64(s.Lost), "message"))
		}
		t.printf("%s %s %s\n", t.mark(!s.Failing), pad(printable(s.Service), 12), said)
		if s.FailedAt != nil {
			t.printf("  last failure %s: %s\n", ago(now, *s.FailedAt), printable(s.Error))
		}
	}
	if a.Unsaved != "" {
		t.printf("%s what waits is in memory only: %s\n", t.mark(false), printable(a.Unsaved))
	}
}

// about is what a trouble is about, as short as can be.
func about(trouble admin.Trouble) string {
	for _, what := range []string{trouble.Subject, string(trouble.Colour), trouble.App} {
		if what != "" {
			return printable(what)
		}
	}
	return "the edge"
}

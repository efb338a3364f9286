package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/notify"
	"sofiacall.com/bluegreen/switcher"
)

func newServeCommand(p *program) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the edge and the control plane",
		Long: `Serve runs the edge: it terminates TLS for the hosts of the configuration, leads
each to its app's slot, and answers the other commands on the admin socket. It
first restores every route as recorded, then serves, then looks at containers.

SIGHUP applies the configuration file anew, as bluegreen reload does. SIGTERM
lets requests in flight end; backends go on running in either case.

BLUE_GREEN_ACTIVE names the slot of an app's very first deploy. INTERNAL_DOMAIN
replaces the internal hosts of the only app. Sockets passed by systemd under the
names http, https, http3 (UDP) and admin are used instead of opening new ones.`,
		Example: `  bluegreen serve
  bluegreen serve --config /etc/bluegreen/bluegreen.yaml`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.serve(cmd.Context(), p.configPath(file)) },
	}
	cmd.Flags().StringVar(&file, "config", "", "the configuration file (default "+defaultConfig+")")
	return cmd
}

func (p *program) serve(ctx context.Context, file string) error {
	first := switcher.Colour(p.env("BLUE_GREEN_ACTIVE"))
	if first != "" && !first.Valid() {
		return usageError("it names the slot of an app's very first deploy", "BLUE_GREEN_ACTIVE is %q: it can be blue or green", first)
	}
	hangups := make(chan os.Signal, 1) // one that comes while the edge starts waits here
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)

	read := func() (*config.Config, error) {
		c, err := config.Load(file, config.Options{Env: p.lookupEnv, InternalDomain: p.env("INTERNAL_DOMAIN"), Service: notify.Check})
		return c, configError(err)
	}
	c, err := read()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	if err := configError(c.CheckFiles()); err != nil {
		log.Error("files that the configuration names cannot be used, and what needs them will fail", "error", err)
		logOutput(log, err)
	}
	load := func() (*config.Config, error) {
		c, err := read()
		if err == nil {
			err = configError(c.CheckFiles())
		}
		return c, err
	}
	e, err := newEdge(edgeOptions{
		Config: c, Load: load, FirstActive: first, Version: p.version(), Logger: log, Hangups: hangups, Failpoint: p.failpoint,
		Ready: func() { daemon.SdNotify(false, daemon.SdNotifyReady) },
	})
	if err != nil {
		return err
	}
	defer e.close()
	defer context.AfterFunc(ctx, func() { daemon.SdNotify(false, daemon.SdNotifyStopping) })()
	defer holdHeap()()
	return e.run(ctx)
}

// Command guestbook is an application on PostgreSQL that tests deploy: a server
// and its migrations in one static program. What a release of it does is told by
// its version, of which versions.go has the list.
//
// It must not know what is tested with it.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "guestbook:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) != 1 {
		return errors.New("usage: guestbook serve|migrate|contract|down, with DATABASE_URL and GUESTBOOK_VERSION or BLUEGREEN_COMMIT")
	}
	name := os.Getenv("GUESTBOOK_VERSION")
	if name == "" {
		name = os.Getenv("BLUEGREEN_COMMIT") // a process is told it, an image is made for one version
	}
	v, known := versions()[name]
	if !known {
		return fmt.Errorf("there is no version %q", name)
	}
	switch arguments[0] {
	case "serve":
		return serve(ctx, name, v)
	case "migrate":
		return migrate(ctx, v.expand)
	case "contract":
		return migrate(ctx, v.contract)
	case "down":
		return migrate(ctx, v.down)
	}
	return fmt.Errorf("%q is no command", arguments[0])
}

// Command bluegreen is the edge proxy and the deployer of applications that
// run in two slots, and the command line that operates it.
//
// It owns flags, output, exit codes and the wiring of the other packages. It
// must not know how any of them does its work.
package main

import (
	"context"
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	http.DefaultClient.Timeout = patience
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ()))
}

// Command bench measures bluegreen beside nginx, HAProxy and Caddy: the same
// site, the same backend and the same load, in turns, each proxy alone on a
// core of its own. `make bench` builds and runs it; its README says what is
// measured and how to read it. It must not know how bluegreen works inside: it
// meets it as a user does, by its configuration, its listeners and its API.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// options are what a run can be asked.
type options struct {
	rounds            int
	seconds           float64
	cases, contenders []string // empty: all
	out               string   // folder of the results
	bluegreen, caddy  string   // binaries
	other             string   // binary; empty: none
	proxyCPU          int
	clientCPU         int
	switches, windows int
	idle              int
	files             int // that a program may have open
	keep, profile     bool
}

func (o options) duration() time.Duration {
	return time.Duration(o.seconds * float64(time.Second))
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if len(os.Args) > 1 && os.Args[1] == "backend" {
		err = runBackend(ctx)
	} else {
		err = runBench(ctx, os.Args[1:])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func runBench(ctx context.Context, args []string) error {
	var o options
	var cases, contenders string
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.IntVar(&o.rounds, "rounds", 20, "rounds of each case; 20 and more give a narrow interval")
	flags.Float64Var(&o.seconds, "seconds", 1.2, "seconds that each contender is measured for in a round")
	flags.StringVar(&cases, "cases", "", "comma-separated names, or beginnings of names, of the cases to run; empty: all")
	flags.StringVar(&contenders, "contenders", "", "comma-separated names of the proxies to run; empty: all")
	flags.StringVar(&o.out, "out", "bench/results", "folder for the results")
	flags.StringVar(&o.bluegreen, "bluegreen", "bin/bluegreen", "the bluegreen to measure")
	flags.StringVar(&o.other, "other", "", "another build of bluegreen, to measure beside the first; empty: none")
	flags.StringVar(&o.caddy, "caddy", "bin/tools/caddy", "the Caddy to measure")
	flags.IntVar(&o.proxyCPU, "proxy-cpu", 1, "core of the proxies")
	flags.IntVar(&o.clientCPU, "client-cpu", 0, "core of the client and the backend")
	flags.IntVar(&o.switches, "switches", 30, "seconds with a switch, and as many without")
	flags.IntVar(&o.windows, "windows", 12, "switches and reloads after which old-colour requests are looked for")
	flags.IntVar(&o.idle, "idle", 10000, "idle WebSockets")
	flags.BoolVar(&o.keep, "keep", false, "keep the folder with the contenders' configurations and logs")
	flags.BoolVar(&o.profile, "profile", false, "take CPU profiles of a bluegreen that `make profile` has built, and nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.cases, o.contenders = split(cases), split(contenders)
	if o.rounds < 1 || o.seconds < 0.1 {
		return errors.New("a run needs at least one round of 0.1 seconds")
	}
	for _, file := range []*string{&o.bluegreen, &o.caddy, &o.other} {
		if *file == "" {
			continue
		}
		whole, err := filepath.Abs(*file)
		if err != nil {
			return err
		}
		*file = whole
	}
	if err := stayOn(o.clientCPU); err != nil {
		return err
	}
	var err error
	if o.files, err = raiseFiles(); err != nil {
		return fmt.Errorf("raising the limit on open files: %w", err)
	}
	if o.profile {
		return profile(ctx, o)
	}
	return run(ctx, o)
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// runBackend is the backend, as bluegreen starts it. It ends with its parent,
// for bluegreen leaves its backends running.
func runBackend(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent && pause(ctx, 200*time.Millisecond) == nil {
		}
		cancel()
	}()
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err != nil {
		return err
	}
	return newBackend(os.Getenv("BLUEGREEN_COLOUR")).serve(ctx, l)
}

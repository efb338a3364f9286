package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// profile takes a CPU profile of a bluegreen that was built with the overlay,
// under each of the loads that are wanted, and prints where the time goes.
func profile(ctx context.Context, o options) (err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	out, err := filepath.Abs(o.out)
	if err != nil {
		return err
	}
	l, err := newLab(o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	for _, c := range loadCases() {
		if !o.wanted(c.name) {
			continue
		}
		err := l.scoped(func() error { return profileOne(ctx, l, c, filepath.Join(out, c.name)) })
		if err != nil {
			return fmt.Errorf("case %s: %w", c.name, err)
		}
	}
	return nil
}

func profileOne(ctx context.Context, l *lab, c loadCase, file string) error {
	if err := os.Setenv("BENCH_CPUPROFILE", file); err != nil {
		return err
	}
	edge, err := l.start(ctx, bluegreen, hostNames(1), "")
	if err != nil {
		return err
	}
	if err := edge.process.Process.Signal(syscall.SIGUSR2); err != nil {
		return err
	}
	s, err := c.load.measure(ctx, l, edge)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.1f µs CPU a %s with the profiler on\n", c.name, s.CPU, c.load.unit())
	if err := edge.process.Process.Signal(syscall.SIGUSR2); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil { // until the profile is written
		return err
	}
	for _, order := range []string{"-flat", "-cum"} {
		output, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", order, "-nodecount=60", l.options.bluegreen, file+".1").CombinedOutput()
		if err != nil {
			return fmt.Errorf("reading the profile: %w: %s", err, output)
		}
		if err := os.WriteFile(file+order+".txt", output, 0o644); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newDemoCommand(*program) *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See it work, on loopback",
		RunE:  func(*cobra.Command, []string) error { return errors.New("demo is not wired") },
	}
}

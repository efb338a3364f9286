package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newServeCommand(*program) *cobra.Command {
	return &cobra.Command{
		Use:   "serve",
		Short: "Run the edge and the control plane",
		RunE:  func(*cobra.Command, []string) error { return errors.New("serve is not wired") },
	}
}

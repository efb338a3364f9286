package main

import (
	"cmp"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"sofiacall.com/bluegreen/internal/chat"
)

// newChatCommand is the backend of the demo. It reads what every instance is
// told in its environment, and is not listed in the help.
func newChatCommand(p *program) *cobra.Command {
	var faults []string
	var named string
	cmd := &cobra.Command{
		Use:    "chat",
		Short:  "Run the demo's built-in chat backend",
		Long:   `Chat is the backend that bluegreen demo runs in its slots: HTTP, WebSocket, server-sent events and /health on $PORT.`,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			release := cmp.Or(named, p.env("BLUEGREEN_COMMIT"), p.env("BLUEGREEN_RELEASE"), "dev")
			return chat.Run(cmd.Context(), chat.Options{
				Address: net.JoinHostPort(p.env("CHAT_HOST"), cmp.Or(p.env("PORT"), "3000")),
				Release: release, Colour: p.env("BLUEGREEN_COLOUR"), Instance: p.env("BLUEGREEN_INSTANCE"),
				Fault: faultOf(release, faults), Output: p.stderr,
			})
		},
	}
	cmd.Flags().StringVar(&named, "release", "", "what it calls itself (default $BLUEGREEN_COMMIT)")
	cmd.Flags().StringArrayVar(&faults, "fault", nil, "RELEASE=FAULT: how a release fails, such as v3=sick-after=5s")
	return cmd
}

// faultOf returns the fault that was given for a release.
func faultOf(release string, faults []string) string {
	for _, f := range faults {
		if fault, ok := strings.CutPrefix(f, release+"="); ok {
			return fault
		}
	}
	return ""
}

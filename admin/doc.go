// Package admin owns the control plane's HTTP API: who may ask what over the
// unix socket, how an operation is followed while it runs, how a refusal is
// told, and the client that the command line uses.
//
// It must not know Docker, nor how a switch works: it asks an app for an
// operation and passes on what the operation tells.
package admin

// Package dashboard owns the pages on which a person sees both colours of each
// app and acts on them: what is shown, in which language, who may look and act,
// and the two ways in: a loopback listener that opens for a one-time link, and
// a TLS listener with a sign-in.
//
// It must not know where figures, probes and log lines come from, nor how a
// switch works: it asks an app for an operation and shows what that tells.
package dashboard

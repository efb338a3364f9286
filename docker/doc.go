// Package docker owns the containers of one app: it implements
// switcher.Runtime with a Docker Engine, from pulling an image to removing the
// container, under a deadline for everything that it asks of the engine.
//
// A container is the app's own if, and only if, it carries the app's labels
// (see the Label constants). Anything else is never stopped, changed or
// removed.
//
// It must not know which slot production is routed to, why an instance is
// started or stopped, how a probe works, or the format of the configuration.
package docker

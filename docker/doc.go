// Package docker owns the containers of one app: it implements
// switcher.Runtime with a Docker Engine, from pulling an image to removing the
// container, under a deadline for everything that it asks of the engine.
//
// A container is the app's own if, and only if, it carries the app's labels
// (see the Label constants) and not those of another owner, which is another
// installation on the same engine. Anything else is never stopped, changed or
// removed. An edge that has lost its whole state directory has become such
// another installation. To take its old containers over, stop it, put their
// owner (label com.sofiacall.bluegreen.owner, shown by docker inspect) into
// <state.dir>/id, remove what it has recorded of the app since
// (<state.dir>/apps/<app>), and start it: with the recorded state in place,
// containers unknown to it would be removed as strays. A state directory that
// is copied for a second edge is copied without the file id.
//
// It must not know which slot production is routed to, why an instance is
// started or stopped, how a probe works, or the format of the configuration.
package docker

// Package switcher owns the life of a release: which slot production and
// internal point at, which operation may run when, the order of its steps,
// the durable record of all that, and the way back after a crash.
//
// It must not know how a probe speaks HTTP, how Docker is called, SQL, or
// chat services.
package switcher

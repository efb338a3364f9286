// Package probe asks a backend, or the public listener in front of it, whether
// it answers. Each probe opens a connection of its own, follows no redirect,
// is never repeated, and puts what went wrong into a few words.
//
// It must not know what a slot or a release is, how often to ask, or what
// follows from an answer.
package probe

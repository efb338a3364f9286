// Package load puts a bounded, mixed load on the built-in chat and counts
// honestly: every request is sent once. What fails is counted as failed, also
// where a browser or a usual client library would quietly have tried again.
//
// It must not know how requests are routed, or who decides that; which release
// is the right one it is told.
package load

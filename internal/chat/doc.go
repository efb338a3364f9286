// Package chat is the backend of the demo and of the end-to-end tests: a small
// chat that tells in every answer which release gave it, with what a proxy has
// to carry (plain requests, WebSockets, event streams, slow transfers whose
// bytes can be checked) and with faults on demand.
//
// It must not know that there are slots, a proxy or another release.
package chat

// Package pgtest gives tests a real PostgreSQL server of their own: a private
// cluster in a temporary directory, on a unix socket and on loopback, which ends
// with the tests.
//
// It must not know what is tested.
package pgtest

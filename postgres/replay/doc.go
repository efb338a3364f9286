// Package replay tries the statements that an app was seen to run, as
// pg_stat_statements has them, on a copy of its database before and after a
// change: parsed, planned and checked for privileges, but never run. It is a net
// under package compat: what fails after the change only is named.
//
// It must not know what has changed, nor where the copy comes from.
package replay

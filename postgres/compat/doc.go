// Package compat judges changes of a database's schema: what of the statements
// that suited the schema before breaks on the schema after. It compares two
// catalogs object by object, and two dumps of them line by line for what the
// catalogs do not hold. What it does not understand it calls a break.
//
// It must not know how a catalog is read, or what a deploy is: it is given
// values and returns findings.
package compat

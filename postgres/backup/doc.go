// Package backup makes copies of a PostgreSQL database that can be trusted, and
// says what was written since.
//
// It must not know what a release or a migration is.
package backup

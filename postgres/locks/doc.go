// Package locks finds out what a migration in a scratch database does to tables
// that hold rows: which statements keep writers out while they go through a
// table, which indexes are built that way, and whose rows are changed.
//
// It must not know what a change of the schema means for a release.
package locks

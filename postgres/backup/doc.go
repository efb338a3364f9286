// Package backup makes backups of a PostgreSQL database with pg_dump, or by a
// command of the operator's, keeps a number of them, brings them back with
// pg_restore, and says what was written since. Only a backup that was restored
// and compared is called verified.
//
// What a backup holds is of one moment: dump, exact row counts, write counters,
// sequence positions and log position are read in one exported snapshot.
//
// Row counts are exact and taken by count(*) while pg_dump reads the same pages,
// the smallest tables first. Counting may go on as long as the dump itself took,
// and at least half a minute; a table that was not reached by then has no count,
// and a verification says how many those are.
//
// Measured on two cores with PostgreSQL 15: a database of 965 MiB, 808 MiB of it
// tables with 6.5 million rows, is dumped in 5 s to 78 MiB of files, checked in
// 0.15 s and verified in 26 s, 23 s of which are the restore.
//
// It must not know what a release or a migration is.
package backup

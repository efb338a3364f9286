// Package logfile keeps files of log lines: rotated by size and age, compressed,
// bounded by count, age and total size. A File takes lines without ever making
// their writer wait for a disk and writes them once a second; the writer of a
// Log waits until they are written. A Reader reads such a file with what was
// rotated out of it, from its end or from its beginning, and follows it.
//
// It must not know what a line says, or whose it is.
package logfile

// Package logfile keeps files of log lines: it takes lines without ever making
// their writer wait for a disk, writes them once a second, rotates the file by
// size, compresses what was rotated out and removes the oldest.
//
// It must not know what a line says, or whose it is.
package logfile

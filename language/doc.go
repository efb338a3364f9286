// Package language owns the words of a language: it says in it what the edge
// says of itself in English, and writes its numbers, lengths of time and sizes.
//
// A sentence that is somebody's own, a person's, a program's or the system's, is
// left as it is.
//
// It must not know who says a sentence, nor where it is read.
package language

// Package collect writes what the instances of an app write into one log file
// per slot, a JSON object a line, and reads these files again. No line is lost
// and none is written twice: how far an instance was read is told by the last
// lines of the file itself, so that nothing can disagree with it.
//
// It must not know what runs an instance, what a slot is routed to, or who
// reads.
package collect

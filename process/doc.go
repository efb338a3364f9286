// Package process runs the instances of an app as processes of this machine:
// no engine, no images, no root. A release is what the configured command
// does when it is told the release's id in its environment.
//
// The processes belong to nobody who may die: each has its own process group
// and writes to a file, so that the edge can end, crash and come back while
// they serve. What runs is recorded on disk before it is started, and each
// process carries its instance id in its environment, so that the next edge
// finds all of them.
//
// It must not know when an instance is healthy, what a slot is routed to, or
// which operation asked.
package process

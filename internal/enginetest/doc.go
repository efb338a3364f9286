// Package enginetest gives tests a real Docker Engine to work with: images
// made from scratch, since none can be pulled everywhere, names and ports that
// do not collide with those of tests running at the same time, and engines that
// can be stalled or killed without harm to anybody else. Everything that it
// makes is removed when the test ends.
//
// It must not know what is tested: no package of this module but its own.
package enginetest

package main

import "runtime"

// heapFloor is how much of the heap is held without ever being touched, and so
// without costing memory. The collector begins when what is in use has
// doubled. A few megabytes are in use by an edge under load, which doubles
// them many times a second; the floor makes that ten times rarer.
const heapFloor = 16 << 20

// holdHeap raises the floor of the heap until release is called.
func holdHeap() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}

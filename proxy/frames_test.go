package proxy

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// frame builds a frame with a payload of n bytes.
func frame(opcode byte, n int, masked bool) []byte {
	var mask byte
	if masked {
		mask = 0x80
	}
	f := []byte{0x80 | opcode}
	switch {
	case n < 126:
		f = append(f, mask|byte(n))
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16(append(f, mask|126), uint16(n))
	default:
		f = binary.BigEndian.AppendUint64(append(f, mask|127), uint64(n))
	}
	if masked {
		f = append(f, 1, 2, 3, 4)
	}
	return append(f, bytes.Repeat([]byte{opcodeClose | 0x80}, n)...)
}

func TestScannerFindsEveryBoundaryHoweverReadsAreCut(t *testing.T) {
	var stream []byte
	var ends []int
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 0, 0, 3} {
		stream = append(stream, frame(2, n, n%2 == 0)...)
		ends = append(ends, len(stream))
	}
	for _, size := range []int{1, 2, 3, 7, 512, 16384, len(stream)} {
		var s frameScanner
		var found []int
		for at := 0; at < len(stream); {
			chunk := stream[at:min(at+size, len(stream))]
			for len(chunk) > 0 {
				n := s.scan(chunk)
				at, chunk = at+n, chunk[n:]
				if s.atBoundary() {
					found = append(found, at)
				}
			}
		}
		if len(found) != len(ends) {
			t.Fatalf("reads of %d: %d boundaries, want %d", size, len(found), len(ends))
		}
		for i := range ends {
			if found[i] != ends[i] {
				t.Errorf("reads of %d: boundary %d at %d, want %d", size, i, found[i], ends[i])
			}
		}
		if s.closed {
			t.Errorf("reads of %d: a payload was taken for a close frame", size)
		}
	}
}

func TestScannerSeesACloseFrame(t *testing.T) {
	var s frameScanner
	s.scanAll(frame(1, 5, true))
	if s.closed {
		t.Error("closed by a text frame")
	}
	s.scanAll(append(frame(opcodeClose, 2, true), frame(1, 5, true)...))
	if !s.closed {
		t.Error("missed the close frame")
	}
}

func TestScannerKnowsNoBoundaryInsideAnImpossibleFrame(t *testing.T) {
	var s frameScanner
	s.scanAll([]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3})
	if s.atBoundary() {
		t.Error("found a boundary")
	}
}

// However the stream is cut into reads, the boundaries are the same.
func FuzzFrameScanner(f *testing.F) {
	f.Add(append(frame(1, 130, true), frame(8, 2, false)...), uint8(3))
	f.Add([]byte{0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, uint8(1))
	f.Add([]byte{0x82, 126, 0, 0, 0x81, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		whole := boundaries(t, stream, len(stream)+1)
		cut := boundaries(t, stream, int(size)+1)
		if len(whole) != len(cut) {
			t.Fatalf("%d boundaries in one read, %d in reads of %d", len(whole), len(cut), size)
		}
		for i := range whole {
			if whole[i] != cut[i] {
				t.Fatalf("boundary %d at %d in one read, at %d in reads of %d", i, whole[i], cut[i], size)
			}
		}
	})
}

func boundaries(t *testing.T, stream []byte, size int) []int {
	var s frameScanner
	var found []int
	for at := 0; at < len(stream); {
		n := s.scan(stream[at:min(at+size, len(stream))])
		if n < 1 {
			t.Fatalf("no progress at %d", at)
		}
		at += n
		if s.atBoundary() {
			found = append(found, at)
		}
	}
	return found
}

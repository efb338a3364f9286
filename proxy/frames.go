package proxy

import "encoding/binary"

// closeServiceRestart asks the client to connect again (IANA WebSocket Close
// Code Number Registry; RFC 6455 §7.4.2).
const closeServiceRestart uint16 = 1012

const (
	opcodeClose    = 0x8
	maxFrameHeader = 14
)

// frameScanner follows the frames (RFC 6455 §5.2) in one direction of a
// WebSocket connection, however the bytes are cut into reads. It looks at
// frame headers only and keeps no payload.
type frameScanner struct {
	header  [maxFrameHeader]byte
	have    int    // header bytes read so far
	payload uint64 // payload bytes still to come
	closed  bool   // a close frame has passed
	broken  bool   // what came is not WebSocket; no boundary will follow
}

// scan consumes p up to the end of the first frame that ends in it, or all of
// it, and returns how many bytes that were. Afterwards atBoundary tells which.
func (s *frameScanner) scan(p []byte) int {
	n := 0
	for n < len(p) && !s.broken {
		if s.payload > 0 {
			part := min(uint64(len(p)-n), s.payload)
			s.payload -= part
			n += int(part)
			if s.payload == 0 {
				s.endFrame()
				return n
			}
			continue
		}
		s.header[s.have] = p[n]
		s.have++
		n++
		if s.have < s.headerLen() {
			continue
		}
		s.payload = s.payloadLen()
		if s.payload > 1<<63-1 {
			s.broken = true
		} else if s.payload == 0 {
			s.endFrame()
			return n
		}
	}
	return len(p)
}

// scanAll consumes p whole.
func (s *frameScanner) scanAll(p []byte) {
	for len(p) > 0 {
		p = p[s.scan(p):]
	}
}

// atBoundary reports whether the last byte consumed ended a frame, so that
// another frame may follow.
func (s *frameScanner) atBoundary() bool {
	return s.have == 0 && !s.broken
}

func (s *frameScanner) endFrame() {
	if s.header[0]&0xf == opcodeClose {
		s.closed = true
	}
	s.have = 0
}

// headerLen returns the length of the header as far as it is known yet.
func (s *frameScanner) headerLen() int {
	if s.have < 2 {
		return 2
	}
	n := 2
	switch s.header[1] & 0x7f {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if s.header[1]&0x80 != 0 {
		n += 4
	}
	return n
}

func (s *frameScanner) payloadLen() uint64 {
	switch n := s.header[1] & 0x7f; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(s.header[2:]))
	case 127:
		return binary.BigEndian.Uint64(s.header[2:])
	default:
		return uint64(n)
	}
}

// closeFrame returns an unmasked close frame, as a server sends it.
func closeFrame(code uint16) []byte {
	return binary.BigEndian.AppendUint16([]byte{0x80 | opcodeClose, 2}, code)
}

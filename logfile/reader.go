package logfile

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Reader reads a log file and what was rotated out of it as one. What is being
// rotated, compressed or removed meanwhile does not disturb it. It is used by
// one goroutine at a time.
type Reader struct {
	path    string
	pieces  []piece // oldest first; the last is the current file
	current *os.File
	read    int64 // how far the current file was read by Forwards and More
	window  []byte
}

// piece is one file of a log.
type piece struct {
	base string    // name while it is not compressed; "" is the current file
	at   time.Time // when it was rotated out
}

// Position is the beginning of a line.
type Position struct {
	piece  int
	offset int64
}

// Open looks at the log file at path, which need not be there yet.
func Open(path string) (*Reader, error) {
	r := &Reader{path: path}
	return r, r.open()
}

// open lists the pieces and opens the current file, as of one moment.
func (r *Reader) open() error {
	for {
		before, err := backups(r.path)
		if err != nil {
			return err
		}
		current, err := os.Open(r.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		after, err := backups(r.path)
		if err == nil && !slices.EqualFunc(before, after, func(a, b backup) bool { return a.base == b.base }) {
			closeFile(current)
			continue
		}
		if err != nil {
			closeFile(current)
			return err
		}
		r.pieces, r.current, r.read = nil, current, 0
		for _, b := range after {
			r.pieces = append(r.pieces, piece{b.base, b.at})
		}
		r.pieces = append(r.pieces, piece{})
		return nil
	}
}

func closeFile(f *os.File) {
	if f != nil {
		_ = f.Close()
	}
}

// Close gives up what is open.
func (r *Reader) Close() { closeFile(r.current) }

// content opens a piece; nil if it is gone.
func (r *Reader) content(i int) (io.ReadCloser, error) {
	if r.pieces[i].base == "" {
		if r.current == nil {
			return nil, nil
		}
		return shared{io.NewSectionReader(r.current, 0, math.MaxInt64)}, nil
	}
	path := filepath.Join(filepath.Dir(r.path), r.pieces[i].base)
	for _, name := range []string{path, path + compressed} {
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || name == path {
			return file, err
		}
		unpacked, err := zstd.NewReader(file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			_ = file.Close()
			return nil, err
		}
		return unpacking{unpacked, file}, nil
	}
	return nil, nil
}

// shared is the current file, which stays open.
type shared struct{ *io.SectionReader }

func (shared) Close() error { return nil }

type unpacking struct {
	*zstd.Decoder
	file *os.File
}

func (u unpacking) Close() error {
	u.Decoder.Close()
	return u.file.Close()
}

// Backwards calls see with whole lines, the newest first, until it returns false.
// Pieces that were rotated out before since are left alone. A line is see's
// only until it returns.
func (r *Reader) Backwards(since time.Time, see func(at Position, line []byte) bool) error {
	for i := len(r.pieces) - 1; i >= 0; i-- {
		if p := r.pieces[i]; p.base != "" && p.at.Before(since) {
			return nil
		}
		more, err := r.piece(i, see)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

const (
	plainWindow  = 256 << 10
	packedWindow = 16 << 20 // unpacked again from its beginning for each
	mostWindow   = 64 << 20 // of a line that does not end
)

// piece reads one piece backwards, window by window.
func (r *Reader) piece(i int, see func(Position, []byte) bool) (more bool, err error) {
	size := plainWindow
	for end := int64(-1); end != 0; {
		window, from, err := r.windowBefore(i, end, size)
		if err != nil {
			return false, err
		}
		first := 0 // of the lines that are whole in the window
		if from > 0 {
			first = bytes.IndexByte(window, '\n') + 1
		}
		last := bytes.LastIndexByte(window, '\n') + 1
		if from > 0 && first == last && len(window) < mostWindow { // a line is longer than the window
			size = 4 * len(window)
			continue
		}
		for rest := window[first:last]; len(rest) > 0; {
			begin := bytes.LastIndexByte(rest[:len(rest)-1], '\n') + 1
			if !see(Position{i, from + int64(first+begin)}, rest[begin:len(rest)-1]) {
				return false, nil
			}
			rest = rest[:begin]
		}
		end = from + int64(first)
		if first == last {
			end = from // nothing that could be a line
		}
	}
	return true, nil
}

// windowBefore returns up to size bytes of a piece that end at end, or with it
// when end is negative, and where they begin.
func (r *Reader) windowBefore(i int, end int64, size int) (window []byte, from int64, err error) {
	content, err := r.content(i)
	if err != nil || content == nil {
		return nil, 0, err
	}
	defer func() { _ = content.Close() }()
	file, plain := content.(*os.File)
	if _, current := content.(shared); current {
		file, plain = r.current, true
	}
	if !plain {
		return r.lastOf(content, end, max(size, packedWindow))
	}
	if end < 0 {
		info, err := file.Stat()
		if err != nil {
			return nil, 0, err
		}
		end = info.Size()
	}
	from = max(0, end-int64(size))
	if int64(cap(r.window)) < end-from {
		r.window = make([]byte, size)
	}
	window = r.window[:end-from]
	_, err = file.ReadAt(window, from)
	if err == io.EOF {
		err = nil // it has become shorter
	}
	return window, from, err
}

// lastOf reads to end and keeps the last size bytes.
func (r *Reader) lastOf(content io.Reader, end int64, size int) (window []byte, from int64, err error) {
	if end >= 0 {
		content = io.LimitReader(content, end)
	}
	if cap(r.window) < 2*size {
		r.window = make([]byte, 2*size)
	}
	buffer, filled := r.window[:2*size], 0
	for {
		n, err := io.ReadFull(content, buffer[filled:])
		filled += n
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		copy(buffer, buffer[size:])
		from, filled = from+int64(size), size
	}
	if over := filled - size; over > 0 {
		return buffer[over:filled], from + int64(over), nil
	}
	return buffer[:filled], from, nil
}

// Forwards calls see with every whole line from a position to the end. A line
// is see's only until it returns.
func (r *Reader) Forwards(ctx context.Context, from Position, see func(line []byte) error) error {
	for i := from.piece; i < len(r.pieces); i++ {
		content, err := r.content(i)
		if err != nil {
			return err
		}
		if content == nil {
			continue
		}
		offset := int64(0)
		if i == from.piece {
			offset = from.offset
		}
		whole, err := forwards(ctx, content, offset, see)
		_ = content.Close()
		if err != nil {
			return err
		}
		if r.pieces[i].base == "" {
			r.read = whole
		}
	}
	return nil
}

// forwards returns where the last whole line ends.
func forwards(ctx context.Context, content io.Reader, offset int64, see func([]byte) error) (whole int64, err error) {
	if seeker, ok := content.(io.Seeker); ok {
		_, err = seeker.Seek(offset, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, content, offset)
	}
	if err != nil && err != io.EOF {
		return offset, err
	}
	whole = offset
	var buffer []byte
	block := make([]byte, 64<<10)
	for {
		n, err := content.Read(block)
		buffer = append(buffer, block[:n]...)
		rest := buffer
		for {
			line, after, found := bytes.Cut(rest, newline)
			if !found {
				break
			}
			if err := see(line); err != nil {
				return whole, err
			}
			whole += int64(len(line)) + 1
			rest = after
		}
		buffer = buffer[:copy(buffer, rest)]
		switch {
		case err == io.EOF:
			return whole, nil
		case err != nil:
			return whole, err
		case ctx.Err() != nil:
			return whole, context.Cause(ctx)
		}
	}
}

// End is the position behind everything that Open found, for a reader that
// wants only what comes.
func (r *Reader) End() Position {
	last := len(r.pieces) - 1
	if r.current == nil {
		return Position{last, 0}
	}
	info, err := r.current.Stat()
	if err != nil {
		return Position{last, 0}
	}
	return Position{last, info.Size()}
}

// Beginning is the position of the oldest line.
func (r *Reader) Beginning() Position { return Position{} }

// More goes on where Forwards or More ended: with what was written since, over
// rotations.
func (r *Reader) More(ctx context.Context, see func(line []byte) error) error {
	for {
		turned, err := r.turned()
		if err != nil {
			return err
		}
		// Whoever rotates writes no more to the old file, so that this look,
		// which comes later, finds its end.
		last := Position{len(r.pieces) - 1, r.read}
		if err := r.Forwards(ctx, last, see); err != nil || !turned {
			return err
		}
		if err := r.advance(ctx, see); err != nil {
			return err
		}
	}
}

// turned reports whether the current file is no longer the one that is open.
func (r *Reader) turned() (bool, error) {
	now, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // in the middle of it, or nothing was ever written
	}
	if err != nil || r.current == nil {
		return err == nil, err
	}
	open, err := r.current.Stat()
	return err == nil && !os.SameFile(now, open), err
}

// advance moves to the file that is current now, and reads what was rotated out
// between. The first that is new is the one that was read to its end.
func (r *Reader) advance(ctx context.Context, see func(line []byte) error) error {
	known := r.pieces[:len(r.pieces)-1]
	var newest time.Time
	if len(known) > 0 {
		newest = known[len(known)-1].at
	}
	seen := r.current != nil
	closeFile(r.current)
	if err := r.open(); err != nil {
		return err
	}
	for i, p := range r.pieces[:len(r.pieces)-1] {
		isKnown := slices.ContainsFunc(known, func(k piece) bool { return k.base == p.base })
		if isKnown || p.at.Before(newest) {
			continue
		}
		if seen {
			seen = false
			continue
		}
		content, err := r.content(i)
		if err != nil || content == nil {
			return err
		}
		_, err = forwards(ctx, content, 0, see)
		_ = content.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

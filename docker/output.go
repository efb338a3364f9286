package docker

import (
	"bytes"
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
)

const (
	maxLine   = 4 << 10 // bytes of a line that Tail returns
	maxOutput = 4 << 20 // bytes that Tail reads
)

// Tail returns the last lines of the container's standard output and error, in
// the order in which they were written. Lines beyond 4 KiB are cut.
func (r *Runtime) Tail(ctx context.Context, instance string, n int) ([]string, error) {
	if n <= 0 {
		return nil, nil
	}
	found, err := r.must(ctx, instance)
	if err != nil {
		return nil, err
	}
	var written lines
	err = r.engine.call(ctx, "reading the output of "+describe(*found), func(ctx context.Context) error {
		stream, err := r.engine.api.ContainerLogs(ctx, found.ID, client.ContainerLogsOptions{
			ShowStdout: true, ShowStderr: true, Tail: strconv.Itoa(n),
		})
		if err != nil {
			return err
		}
		defer stream.Close()
		return written.read(stream)
	})
	if err != nil {
		return nil, err
	}
	return written.last(n), nil
}

// lines collects the output of a container line by line. Standard output and
// error come in frames of one stream; a line may span several frames.
type lines struct {
	complete []string
	out, err partial
}

// partial is one of the two streams: what it has written since its last newline.
type partial struct {
	into   *lines
	buffer bytes.Buffer
}

func (l *lines) read(stream io.Reader) error {
	l.out.into, l.err.into = l, l
	_, err := stdcopy.StdCopy(&l.out, &l.err, io.LimitReader(stream, maxOutput))
	l.out.flush()
	l.err.flush()
	if err == io.ErrUnexpectedEOF { // the last frame was beyond maxOutput
		return nil
	}
	return err
}

func (l *lines) last(n int) []string { return l.complete[max(0, len(l.complete)-n):] }

func (p *partial) Write(frame []byte) (int, error) {
	written := len(frame)
	for {
		line, rest, found := bytes.Cut(frame, []byte("\n"))
		p.buffer.Write(line)
		if !found {
			return written, nil
		}
		p.end()
		frame = rest
	}
}

// flush ends a last line that has no newline.
func (p *partial) flush() {
	if p.buffer.Len() > 0 {
		p.end()
	}
}

func (p *partial) end() {
	line := bytes.TrimSuffix(p.buffer.Bytes(), []byte("\r"))
	line = line[:min(len(line), maxLine)]
	p.into.complete = append(p.into.complete, strings.ToValidUTF8(string(line), "\uFFFD"))
	p.buffer.Reset()
}

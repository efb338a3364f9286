package docker

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

const (
	maxLine   = 4 << 10 // bytes of a line that Tail returns
	maxOutput = 4 << 20 // bytes that Tail reads
)

// Tail returns the last lines of the container's standard output and error, in
// the order in which they were written, without the values of its environment.
// Lines beyond 4 KiB are cut.
func (r *Runtime) Tail(ctx context.Context, instance string, n int) ([]string, error) {
	if n <= 0 {
		return nil, nil
	}
	found, err := r.must(ctx, instance)
	if err != nil {
		return nil, err
	}
	mask, err := r.mask(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	written := lines{mask: mask}
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

// mask hides the variables that the container was started with, but for those
// of its image.
func (r *Runtime) mask(ctx context.Context, id string) (switcher.Mask, error) {
	found, err := r.inspect(ctx, id)
	if err != nil || found.Config == nil {
		return switcher.Mask{}, err
	}
	var image client.ImageInspectResult
	err = r.engine.call(ctx, "inspecting the image of container "+short(id), func(ctx context.Context) (err error) {
		image, err = r.engine.api.ImageInspect(ctx, found.Image)
		return err
	})
	if err != nil && !notFound(err) {
		return switcher.Mask{}, err
	}
	environment := found.Config.Env
	if err == nil && image.Config != nil {
		environment = slices.DeleteFunc(environment, func(entry string) bool { return slices.Contains(image.Config.Env, entry) })
	}
	return switcher.NewMask(environment), nil
}

// lines collects the output of a container line by line. Standard output and
// error come in frames of one stream; a line may span several frames.
type lines struct {
	mask     switcher.Mask
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
	text := p.into.mask.Line(string(line)) // before the cut, which may go through a value
	text = text[:min(len(text), maxLine)]
	p.into.complete = append(p.into.complete, strings.ToValidUTF8(text, "\uFFFD"))
	p.buffer.Reset()
}

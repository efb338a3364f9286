package proxy

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
)

// smallBody is the longest request body that is read whole before the backend
// is asked. The exchange is then as cheap as one without a body, a client that
// sends slowly holds no connection of the backend, and where it is safe the
// request can be sent again.
const smallBody = 16 << 10

type smallBuffer [smallBody]byte

// smallBuffers lend room for small bodies.
var smallBuffers = sync.Pool{New: func() any { return new(smallBuffer) }}

// isSmall reports whether the body of a request is announced as a small one.
// A client that waits for 100 (Continue) asks the backend, so that one is not
// read here.
func isSmall(r *http.Request) bool {
	return r.ContentLength > 0 && r.ContentLength <= smallBody && len(r.TransferEncoding) == 0 &&
		len(r.Trailer) == 0 && len(r.Header["Expect"]) == 0 && len(r.Header["Upgrade"]) == 0 && isUsual(r.Method)
}

// small exchanges a request with a small body.
func (t *transport) small(r *http.Request) (*http.Response, error) {
	buffer := smallBuffers.Get().(*smallBuffer)
	defer smallBuffers.Put(buffer)
	content := buffer[:r.ContentLength]
	if err := readWhole(r.Body, content); err != nil {
		if ctx := r.Context(); ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	body := bytes.NewReader(content)
	out := *r
	out.Body = io.NopCloser(body)
	return t.exchange(&out, body)
}

// readWhole fills content with a body, reads its end, which the server wants to
// have been seen, and closes it.
func readWhole(body io.ReadCloser, content []byte) error {
	defer func() { _ = body.Close() }()
	if _, err := io.ReadFull(body, content); err != nil {
		return err
	}
	var beyond [1]byte
	n, err := body.Read(beyond[:])
	switch {
	case n > 0:
		return http.ErrContentLength
	case err == nil || err == io.EOF:
		return nil
	}
	return err
}

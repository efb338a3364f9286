package load

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"sofiacall.com/bluegreen/internal/chat"
)

// ticks is how many events of a stream are read.
const ticks = 10

func (l *Load) request(method, target string, body io.Reader, size int64) *http.Request {
	path, query, _ := strings.Cut(target, "?")
	request := &http.Request{
		Method: method,
		URL:    &url.URL{Scheme: "https", Host: l.options.Host, Path: path, RawQuery: query},
		Host:   l.options.Host,
		Header: http.Header{"User-Agent": {"bluegreen-load"}},
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if body != nil {
		request.Body, request.ContentLength = io.NopCloser(body), size
	}
	return request
}

// send exchanges a request for an answer of 2xx, and returns its release.
func (l *Load) send(ctx context.Context, c client, request *http.Request, use func(*http.Response) error) (release string, err error) {
	err = c.exchange(ctx, request, func(answer *http.Response) error {
		release = l.options.ReleaseOf(answer.Header)
		if answer.StatusCode/100 != 2 {
			return fmt.Errorf("%s %s was answered with %d", request.Method, request.URL.Path, answer.StatusCode)
		}
		return use(answer)
	})
	return release, err
}

func (l *Load) get(ctx context.Context, c client) (string, error) {
	var who chat.Identity
	release, err := l.send(ctx, c, l.request(http.MethodGet, "/release", nil, 0), func(answer *http.Response) error {
		return decode(answer.Body, &who)
	})
	if err == nil && who.Release != release {
		err = fmt.Errorf("the header is of release %q, the body of %q", release, who.Release)
	}
	return release, err
}

// post sends between nothing and 8 KiB.
func (l *Load) post(ctx context.Context, c client) (string, error) {
	seed := l.seeds.Add(1)
	return l.deliver(ctx, c, seed, int64(seed*997%(8<<10)), 0)
}

func (l *Load) upload(ctx context.Context, c client) (string, error) {
	return l.deliver(ctx, c, l.seeds.Add(1), l.options.TransferBytes, l.options.TransferRate)
}

// deliver uploads the content of a seed and compares the receipt.
func (l *Load) deliver(ctx context.Context, c client, seed uint64, size, rate int64) (string, error) {
	hash := sha256.New()
	body := io.TeeReader(io.LimitReader(chat.Content(seed), size), hash)
	if rate > 0 {
		body = &slowReader{ctx: ctx, from: body, rate: rate}
	}
	var got chat.Receipt
	release, err := l.send(ctx, c, l.request(http.MethodPost, "/upload", body, size), func(answer *http.Response) error {
		return decode(answer.Body, &got)
	})
	if err != nil {
		return release, err
	}
	if want := (chat.Receipt{Bytes: size, SHA256: fmt.Sprintf("%x", hash.Sum(nil))}); got != want {
		err = fmt.Errorf("of %d bytes %d arrived, or they changed on the way", size, got.Bytes)
	}
	return release, err
}

func (l *Load) download(ctx context.Context, c client) (string, error) {
	seed, size := l.seeds.Add(1), l.options.TransferBytes
	target := fmt.Sprintf("/download?bytes=%d&seed=%d&rate=%d", size, seed, l.options.TransferRate)
	return l.send(ctx, c, l.request(http.MethodGet, target, nil, 0), func(answer *http.Response) error {
		got, want := sha256.New(), sha256.New()
		n, err := io.Copy(got, answer.Body)
		if err != nil {
			return fmt.Errorf("downloading: %w", named(err))
		}
		io.CopyN(want, chat.Content(seed), size)
		if n != size || string(got.Sum(nil)) != string(want.Sum(nil)) {
			return fmt.Errorf("of %d bytes %d arrived, or they changed on the way", size, n)
		}
		return nil
	})
}

// events reads some ticks of a stream, which must all come.
func (l *Load) events(ctx context.Context, c client) (string, error) {
	return l.send(ctx, c, l.request(http.MethodGet, "/events?every=100ms", nil, 0), func(answer *http.Response) error {
		lines := bufio.NewScanner(answer.Body)
		for seen := 0; seen < ticks; {
			if !lines.Scan() {
				return fmt.Errorf("the event stream ended after %d of %d ticks: %w", seen, ticks, ending(lines.Err()))
			}
			if lines.Text() == "event: tick" {
				seen++
			}
		}
		return nil
	})
}

func ending(err error) error {
	if err == nil {
		return errors.New("the server ended it")
	}
	return named(err)
}

func decode(from io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(from, 1<<20))
	if err != nil {
		return fmt.Errorf("reading the answer: %w", named(err))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("the answer is not what was asked for: %w", err)
	}
	return nil
}

// slowReader reads no faster than rate bytes a second.
type slowReader struct {
	ctx  context.Context
	from io.Reader
	rate int64
}

func (r *slowReader) Read(p []byte) (int, error) {
	n, err := r.from.Read(p[:min(int64(len(p)), max(1, r.rate/20))])
	timer := time.NewTimer(time.Duration(n) * time.Second / time.Duration(r.rate))
	defer timer.Stop()
	select {
	case <-timer.C:
		return n, err
	case <-r.ctx.Done():
		return n, context.Cause(r.ctx)
	}
}

package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"sofiacall.com/bluegreen/switcher"
)

// engine puts a deadline on every call, for the client has none and an engine
// that is stopped but not gone accepts connections and never answers.
type engine struct {
	api     *client.Client
	timeout time.Duration

	// negotiating holds a token while nobody negotiates the API version. The
	// client does so on first use, but not safely when two calls are first.
	negotiating chan struct{}
	negotiated  bool
}

func newEngine(api *client.Client, timeout time.Duration) *engine {
	e := &engine{api: api, timeout: timeout, negotiating: make(chan struct{}, 1)}
	e.negotiating <- struct{}{}
	return e
}

// dial returns a client of the engine at host, or of the environment's. It
// does not connect.
func dial(host string) (*client.Client, error) {
	from := client.FromEnv
	if host != "" {
		from = client.WithHost(host)
	}
	api, err := client.New(from)
	if err != nil {
		return nil, &switcher.Error{Code: switcher.CodeUsage, What: "address of the Docker engine", Err: err}
	}
	return api, nil
}

// errSilent is why a call was given up.
var errSilent = errors.New("no answer")

// call runs one request to the engine and says in its error what was being
// done. Errors of the engine itself keep their class for errdefs.
func (e *engine) call(ctx context.Context, doing string, request func(context.Context) error) error {
	return e.callWithin(ctx, e.timeout, doing, request)
}

func (e *engine) callWithin(ctx context.Context, limit time.Duration, doing string, request func(context.Context) error) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	err := e.negotiate(limited)
	if err == nil {
		err = request(limited)
	}
	return e.explain(limited, doing, err)
}

// ready makes sure that the engine answers, before a request that may last long.
func (e *engine) ready(ctx context.Context, doing string) error {
	return e.call(ctx, doing, func(context.Context) error { return nil })
}

func (e *engine) negotiate(ctx context.Context) error {
	select {
	case <-e.negotiating:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { e.negotiating <- struct{}{} }()
	if e.negotiated {
		return nil
	}
	_, err := e.api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	e.negotiated = err == nil
	return err
}

// explain turns an error of the client into one for the operator. ctx is the
// context of the request, which knows why it ended.
func (e *engine) explain(ctx context.Context, doing string, err error) error {
	var told *switcher.Error
	switch {
	case err == nil || errors.As(err, &told):
		return err
	case errors.Is(context.Cause(ctx), errSilent):
		return &switcher.Error{
			Code: switcher.CodeTimeout,
			What: fmt.Sprintf("%s: the Docker engine does not answer at %s", doing, e.api.DaemonHost()),
			Hint: "see whether `docker ps` answers on this machine; running containers go on without the engine",
			Err:  context.DeadlineExceeded,
		}
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", doing, context.Cause(ctx))
	case client.IsErrConnectionFailed(err):
		return &switcher.Error{
			Code: switcher.CodeFailed,
			What: doing + ": the Docker engine cannot be reached",
			Hint: "is it running (systemctl start docker), and is this user in the group docker?",
			Err:  err,
		}
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// refused returns what an operator has to solve before the same can be tried again.
func refused(hint, format string, args ...any) *switcher.Error {
	return &switcher.Error{Code: switcher.CodeRefused, What: fmt.Sprintf(format, args...), Hint: hint}
}

// notFound reports whether what was asked for does not exist.
func notFound(err error) bool { return errdefs.IsNotFound(err) }

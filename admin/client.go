package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// Client asks the edge behind a unix socket. Its errors are *switcher.Error;
// an operation that the client lost sight of is a *LostError.
type Client struct {
	socket string
	http   *http.Client
}

// Dial returns a client of the edge that listens on socket. The connection is
// made by the first request.
func Dial(socket string) *Client {
	var dialer net.Dialer
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		ResponseHeaderTimeout: 2 * time.Minute,
	}}}
}

// Close ends the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Apps returns the status of every app.
func (c *Client) Apps(ctx context.Context) (Apps, error) {
	return get[Apps](ctx, c, "/v1/apps", nil)
}

// Status returns the status of an app.
func (c *Client) Status(ctx context.Context, app string) (Status, error) {
	return get[Status](ctx, c, path(app, ""), nil)
}

// History returns what was done to an app, oldest first.
func (c *Client) History(ctx context.Context, app string) (History, error) {
	return get[History](ctx, c, path(app, "history"), nil)
}

// Health probes a slot now, or with an empty colour every slot in which
// something runs.
func (c *Client) Health(ctx context.Context, app string, colour switcher.Colour) (HealthReport, error) {
	query := url.Values{}
	if colour != "" {
		query.Set("colour", string(colour))
	}
	return get[HealthReport](ctx, c, path(app, "health"), query)
}

// HealthHistory returns what the last checks of both slots found.
func (c *Client) HealthHistory(ctx context.Context, app string) (HealthHistory, error) {
	return get[HealthHistory](ctx, c, path(app, "health/history"), nil)
}

// Plan returns what a switch would do now.
func (c *Client) Plan(ctx context.Context, app string, r switcher.SwitchRequest) (switcher.Plan, error) {
	query := url.Values{}
	for name, value := range map[string]string{
		"expect_active": string(r.ExpectActive), "expect_release": r.ExpectRelease, "force": r.Force, "reason": r.Reason,
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	for _, finding := range r.Allow {
		query.Add("allow", finding)
	}
	if r.Bake != nil {
		query.Set("bake", r.Bake.String())
	}
	return get[switcher.Plan](ctx, c, path(app, "plan"), query)
}

// Reload makes the edge apply its configuration file anew.
func (c *Client) Reload(ctx context.Context) error {
	answer, err := c.send(ctx, "/v1/reload", nil)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func path(app, rest string) string {
	return strings.TrimSuffix("/v1/apps/"+url.PathEscape(app)+"/"+rest, "/")
}

func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var found T
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	answer, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return found, err
	}
	return read[T](c, answer)
}

func post[T any](ctx context.Context, c *Client, path string, request any) (T, error) {
	answer, err := c.send(ctx, path, request)
	if err != nil {
		var nothing T
		return nothing, err
	}
	return read[T](c, answer)
}

func read[T any](c *Client, answer *http.Response) (found T, err error) {
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&found); err != nil {
		return found, c.unreachable(fmt.Errorf("reading the answer: %w", err))
	}
	return found, nil
}

// send asks for something to be done. The request is the body; nil sends none.
func (c *Client) send(ctx context.Context, path string, request any) (*http.Response, error) {
	var body []byte
	if request != nil {
		var err error
		if body, err = json.Marshal(request); err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
	}
	return c.ask(ctx, http.MethodPost, path, bytes.NewReader(body))
}

// ask sends a request and returns the answer, whose body the caller closes, or
// the problem that came instead.
func (c *Client) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+clientHost+path, body)
	if err != nil {
		return nil, &switcher.Error{Code: switcher.CodeUsage, What: "the request cannot be written", Err: err}
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, readProblem(answer)
}

func readProblem(answer *http.Response) error {
	var p Problem
	err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&p)
	if err != nil || p.Code == "" {
		return &switcher.Error{Code: switcher.CodeFailed, What: "the edge answered " + answer.Status}
	}
	return p.Err()
}

// unreachable says why the edge could not be asked and what to do.
func (c *Client) unreachable(err error) error {
	e := &switcher.Error{Code: switcher.CodeUnreachable, Hint: "is it running? systemctl status bluegreen"}
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &switcher.Error{Code: switcher.CodeFailed, What: "interrupted"}
	case errors.Is(err, context.DeadlineExceeded):
		return &switcher.Error{Code: switcher.CodeTimeout, What: "the edge did not answer in time"}
	case errors.Is(err, fs.ErrNotExist):
		e.What = fmt.Sprintf("the edge is not reachable: there is no socket at %s", c.socket)
	case errors.Is(err, unix.ECONNREFUSED):
		e.What = fmt.Sprintf("the edge is not reachable: nobody answers on %s", c.socket)
	case errors.Is(err, fs.ErrPermission):
		e.What = fmt.Sprintf("the edge is not reachable: no permission to open %s", c.socket)
		e.Hint = fmt.Sprintf("run it as root or as a member of the group %s", socketGroup(c.socket))
	default:
		e.What, e.Err = fmt.Sprintf("the edge did not answer on %s", c.socket), err
	}
	return e
}

// socketGroup is the group that may open the socket, as far as can be seen.
func socketGroup(socket string) string {
	var info unix.Stat_t
	if unix.Stat(socket, &info) != nil || info.Mode&syscall.S_IFMT != syscall.S_IFSOCK || info.Gid == 0 {
		return DefaultGroup
	}
	gid := strconv.FormatUint(uint64(info.Gid), 10)
	if group, err := user.LookupGroupId(gid); err == nil {
		return group.Name
	}
	return gid
}

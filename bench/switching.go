package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// pace is the load under which routes are moved: well under what any contender
// can bear, so that latency shows the move and no queue.
const (
	paceRate    = 2000
	paceClients = 32
)

// span is a stretch of time.
type span struct{ from, to time.Time }

func (s span) holds(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

// switchSeconds compares seconds in which bluegreen switches with quiet ones
// under the same steady load. They come in pairs, the quiet one first and last
// in turns; the deploys lie between the pairs and are not counted.
func switchSeconds(ctx context.Context, l *lab, c *contender) (switchResult, error) {
	p := startPacer(ctx, c, paceRate, paceClients)
	var quiet, switched []span
	var took []float64
	err := func() error {
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		for n := range l.options.switches {
			if err := c.ask(ctx, "deploy", map[string]any{"commit": fmt.Sprint("r", n+1)}); err != nil {
				return err
			}
			for _, isQuiet := range []bool{n%2 == 0, n%2 != 0} {
				if err := pause(ctx, time.Second); err != nil {
					return err
				}
				began := time.Now()
				if !isQuiet {
					if err := c.ask(ctx, "switch", struct{}{}); err != nil {
						return err
					}
					took = append(took, milliseconds(time.Since(began)))
				}
				if err := pause(ctx, time.Until(began.Add(time.Second))); err != nil {
					return err
				}
				whole := span{began, began.Add(time.Second)}
				if isQuiet {
					quiet = append(quiet, whole)
				} else {
					switched = append(switched, whole)
				}
			}
			if err := c.ask(ctx, "confirm", struct{}{}); err != nil {
				return err
			}
		}
		return nil
	}()
	visits := p.stop()
	if err != nil {
		return switchResult{}, err
	}
	return newSwitchResult(visits, quiet, switched, took), nil
}

// moved is a move that has been made.
type moved struct {
	old   string // who answered before
	after span   // from when its command had returned until the next move
}

// switches moves bluegreen to and fro under load.
func switches(ctx context.Context, l *lab, c *contender) (windowResult, error) {
	old := "blue"
	return moves(ctx, l, c, func(n int) (string, error) {
		before := old
		old = other(old)
		err := c.ask(ctx, "switch", struct{}{})
		return before, err
	}, func(n int) error {
		if n > 0 {
			if err := c.ask(ctx, "confirm", struct{}{}); err != nil {
				return err
			}
		}
		return c.ask(ctx, "deploy", map[string]any{"commit": fmt.Sprint("w", n+1)})
	})
}

// reloads moves nginx from one backend to the other and back, by a new
// upstream and `nginx -s reload`.
func reloads(ctx context.Context, l *lab, c *contender, backends map[string]string) (windowResult, error) {
	old := "blue"
	return moves(ctx, l, c, func(int) (string, error) {
		before := old
		old = other(old)
		s := c.site
		s.Backend = backends[old]
		if err := writeUpstream(s); err != nil {
			return "", err
		}
		output, err := exec.CommandContext(ctx, "nginx", "-c", filepath.Join(s.Dir, "nginx.conf"), "-s", "reload").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("nginx -s reload: %w: %s", err, output)
		}
		return before, err
	}, func(int) error { return nil })
}

func other(colour string) string {
	if colour == "blue" {
		return "green"
	}
	return "blue"
}

// moves prepares and makes one move after the other under load, and looks for
// requests that the old colour has answered though they began after the move
// had returned.
func moves(ctx context.Context, l *lab, c *contender, move func(n int) (old string, err error), prepare func(n int) error) (windowResult, error) {
	p := startPacer(ctx, c, paceRate, paceClients)
	all, err := func() (all []moved, err error) {
		for n := range l.options.windows {
			if err := prepare(n); err != nil {
				return nil, err
			}
			if err := pause(ctx, time.Second/2); err != nil {
				return nil, err
			}
			old, err := move(n)
			if err != nil {
				return nil, err
			}
			returned := time.Now()
			if err := pause(ctx, time.Second); err != nil {
				return nil, err
			}
			all = append(all, moved{old, span{returned, time.Now()}})
		}
		return all, nil
	}()
	visits := p.stop()
	if err != nil {
		return windowResult{}, err
	}
	return newWindowResult(c.name, visits, all), nil
}

// startBackend starts a backend that bluegreen does not know.
func (l *lab) startBackend(colour string) (address string, stop func(), err error) {
	ports, err := l.freePorts(1)
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	cmd := pinned(l.options.clientCPU, self, "backend")
	cmd.Env = append(os.Environ(), fmt.Sprint("PORT=", ports[0]), "BLUEGREEN_COLOUR="+colour)
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("starting a backend: %w", err)
	}
	return loopback(ports[0]), func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}, nil
}

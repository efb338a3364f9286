package docker

import (
	"context"
	"time"
)

// silence ends a request when the engine has sent nothing for too long.
type silence struct {
	limit  time.Duration
	timer  *time.Timer
	cancel context.CancelCauseFunc
}

// newSilence returns a context that ends with errSilent after such a silence.
func newSilence(ctx context.Context, limit time.Duration) (context.Context, *silence) {
	ctx, cancel := context.WithCancelCause(ctx)
	return ctx, &silence{limit, time.AfterFunc(limit, func() { cancel(errSilent) }), cancel}
}

func (s *silence) reset() { s.timer.Reset(s.limit) }
func (s *silence) pause() { s.timer.Stop() }
func (s *silence) stop()  { s.timer.Stop(); s.cancel(nil) }

package main

import (
	"context"
	"sync"
	"time"
)

// visit is a request that the pacer has made.
type visit struct {
	request
	sent   time.Time // when it really began
	colour string    // who answered
}

// pacer asks a contender at a steady rate over connections that stay open,
// whatever else happens. It does not retry: what fails is recorded as failed.
type pacer struct {
	to      *contender
	rate    int // requests a second
	clients int

	stopping chan struct{}
	group    sync.WaitGroup
	mu       sync.Mutex
	visits   []visit
}

// startPacer starts the load.
func startPacer(ctx context.Context, to *contender, rate, clients int) *pacer {
	p := &pacer{to: to, rate: rate, clients: clients, stopping: make(chan struct{})}
	every := time.Duration(clients) * time.Second / time.Duration(rate)
	for i := range clients {
		first := time.Now().Add(time.Duration(i) * every / time.Duration(clients))
		p.group.Go(func() { p.visit(ctx, first, every) })
	}
	return p
}

// stop ends the load and returns all that was asked.
func (p *pacer) stop() []visit {
	close(p.stopping)
	p.group.Wait()
	return p.visits
}

func (p *pacer) visit(ctx context.Context, due time.Time, every time.Duration) {
	var conn *client
	var seen []visit
	defer func() {
		if conn != nil {
			conn.close()
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.visits = append(p.visits, seen...)
	}()
	for ; ; due = due.Add(every) {
		// A request that has to wait for the answer to the one before counts
		// from when it was due. That this program wakes up late is not the
		// proxy's doing.
		start := due
		if wait := time.Until(due); wait > 0 {
			select {
			case <-time.After(wait):
			case <-p.stopping:
				return
			case <-ctx.Done():
				return
			}
			start = time.Now()
		} else if isDone(p.stopping) || ctx.Err() != nil {
			return
		}
		var got answer
		var err error
		if conn == nil {
			conn, err = p.to.connect(ctx, nil, p.to.site.Hosts[0])
		}
		sent := time.Now()
		if err == nil {
			got, err = conn.get(pathSmall)
		}
		failed := err != nil || got.status != 200
		seen = append(seen, visit{request{start, time.Since(start), failed}, sent, got.colour})
		if conn != nil && (err != nil || got.last) {
			conn.close()
			conn = nil
		}
	}
}

func isDone(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

package proxy

import (
	"net/http"
	"time"
)

// watchdog bounds a call that waits for a client on HTTP/2 or
// HTTP/3. It is used by one
// goroutine at a time.
type watchdog struct{ timer *time.Timer }

// begin has the flight's stopReading or stopWriting called unless end is
// called within the idle time.
func (w *watchdog) begin(f *flight) {
	switch {
	case !f.multiplexed:
	case w.timer != nil:
		w.timer.Reset(f.server.bodyIdle)
	case w == &f.reading:
		w.timer = time.AfterFunc(f.server.bodyIdle, f.stopReading)
	default:
		w.timer = time.AfterFunc(f.server.bodyIdle, f.stopWriting)
	}
}

func (w *watchdog) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// stopWriting ends a write that the client does not let go on.
func (f *flight) stopWriting() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		_ = http.NewResponseController(f.ResponseWriter).SetWriteDeadline(time.Unix(1, 0))
	}
}

// stopReading ends the wait for a body that the client does not send.
func (f *flight) stopReading() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		_ = http.NewResponseController(f.ResponseWriter).SetReadDeadline(time.Unix(1, 0))
	}
}

// leaveResponse bounds how long the server may need, after the handler, for
// the rest of the response that is still in its buffer. The last deadline may
// be long past when the backend was slow to end. The caller holds mu.
func (f *flight) leaveResponse() {
	idle, now := f.server.bodyIdle, time.Now()
	if f.severed || f.streaming || f.bytesOut == 0 || now.Sub(f.writeArmed) < idle/4 {
		return
	}
	_ = http.NewResponseController(f.ResponseWriter).SetWriteDeadline(now.Add(idle))
}

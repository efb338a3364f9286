package conformance

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// backendMark in the environment makes the test binary the backend of an app.
const backendMark = "BLUEGREEN_CONFORMANCE_BACKEND"

// load is what a backend has seen of the paths that count.
type load struct {
	Requests int64 // ever
	InFlight int64 // now
	Peak     int64 // at once
}

// serveBackend answers on $PORT until it is asked to stop. /wait answers after
// a moment or when its client has gone, and counts; /large is 256 KB.
func serveBackend() {
	var requests, inFlight, peak atomic.Int64
	large := strings.Repeat("0123456789abcdef", 1<<14)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "hello, world")
	})
	mux.HandleFunc("/health", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, large) })
	mux.HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		now := inFlight.Add(1)
		defer inFlight.Add(-1)
		for old := peak.Load(); now > old && !peak.CompareAndSwap(old, now); old = peak.Load() {
		}
		select {
		case <-time.After(20 * time.Millisecond):
			_, _ = io.WriteString(w, "waited")
		case <-r.Context().Done():
		}
	})
	mux.HandleFunc("/load", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(load{requests.Load(), inFlight.Load(), peak.Load()})
	})
	mux.HandleFunc("POST /stop", func(http.ResponseWriter, *http.Request) { os.Exit(0) })
	fmt.Fprintln(os.Stderr, http.ListenAndServe(loopbackOf(os.Getenv("PORT")), mux))
}

func loopbackOf(port string) string { return "127.0.0.1:" + port }

// load asks the backend itself.
func (e *edge) load(t *testing.T) (l load) {
	t.Helper()
	answer, err := http.Get("http://" + e.backend + "/load")
	if err != nil {
		t.Fatal(err)
	}
	defer drop(answer)
	if err := json.NewDecoder(answer.Body).Decode(&l); err != nil {
		t.Fatal(err)
	}
	return l
}

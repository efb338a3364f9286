package chat

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// fault is how a release fails.
type fault struct {
	exit          bool
	neverHealthy  bool
	hang          bool
	sickAfter     time.Duration // since the start; 0 means never
	sickAfterHits int64         // requests other than /health; 0 means never
	failingAfter  int64         // the same, for /health alone
	erringAfter   time.Duration // since the first request, for all but /health; 0 means never
}

func parseFault(text string) (fault, error) {
	name, value, _ := strings.Cut(text, "=")
	var f fault
	var err error
	switch name {
	case "":
	case "exit":
		f.exit = true
	case "never-healthy":
		f.neverHealthy = true
	case "hang":
		f.hang = true
	case "sick-after":
		f.sickAfter, err = time.ParseDuration(value)
	case "erring-after":
		f.erringAfter, err = time.ParseDuration(value)
	case "sick-after-requests":
		f.sickAfterHits, err = strconv.ParseInt(value, 10, 64)
	case "failing-after-requests":
		f.failingAfter, err = strconv.ParseInt(value, 10, 64)
	default:
		err = errors.New("there is no such fault")
	}
	if err != nil {
		return fault{}, fmt.Errorf("reading the chat's fault %q: %w", text, err)
	}
	return f, nil
}

// faults makes a fault happen.
type faults struct {
	fault
	began time.Time
	hits  atomic.Int64
	first atomic.Pointer[time.Time] // request other than /health
}

func newFaults(f fault) *faults { return &faults{fault: f, began: time.Now()} }

// strike answers the request instead of the chat, if the fault says so.
func (f *faults) strike(w http.ResponseWriter, r *http.Request, stopping context.Context) bool {
	probe := r.URL.Path == "/health"
	switch {
	case f.hang:
		select {
		case <-r.Context().Done():
		case <-stopping.Done():
		}
		panic(http.ErrAbortHandler)
	case f.neverHealthy && probe:
		refuse(w, http.StatusServiceUnavailable, "the database does not answer")
		return true
	case f.failing(probe):
		refuse(w, http.StatusServiceUnavailable, "the connection pool is exhausted")
		return true
	case f.erring(probe):
		refuse(w, http.StatusInternalServerError, "a template is missing")
		return true
	case f.sick(probe):
		refuse(w, http.StatusInternalServerError, "out of memory")
		return true
	}
	return false
}

func (f *faults) sick(probe bool) bool {
	if f.sickAfter > 0 && time.Since(f.began) >= f.sickAfter {
		return true
	}
	if f.sickAfterHits == 0 {
		return false
	}
	if probe {
		return f.hits.Load() >= f.sickAfterHits
	}
	return f.hits.Add(1) > f.sickAfterHits
}

// failing is the fault that only the health check sees, before users do.
func (f *faults) failing(probe bool) bool {
	if f.failingAfter == 0 {
		return false
	}
	if probe {
		return f.hits.Load() >= f.failingAfter
	}
	f.hits.Add(1)
	return false
}

// erring is the fault that only users see.
func (f *faults) erring(probe bool) bool {
	if f.erringAfter == 0 || probe {
		return false
	}
	now := time.Now()
	f.first.CompareAndSwap(nil, &now)
	return now.Sub(*f.first.Load()) >= f.erringAfter
}

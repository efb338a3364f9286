package metrics

import (
	"sync"
	"sync/atomic"
	"time"
)

// Request is what is recorded of a request at its end.
type Request struct {
	Method    string // any token; it is counted by one of a few names
	Status    int    // 0: nothing was written
	Duration  time.Duration
	FirstByte time.Duration // looked at if there is a status
	BytesIn   int64
	BytesOut  int64
	Retries   int // attempts after the first
	Failure   int // index in Options.Failures; 0: none

	// Counts says that the request tells something of the release: it was
	// answered by the backend, or would have been but for the backend.
	Counts bool
	// Error says that it counts against the release.
	Error bool
	// Abandoned says that the client left before the backend answered, after
	// a wait that may be the release's fault. It does not count.
	Abandoned bool
	// Lasting says that the response is a stream that lasts as a WebSocket
	// does: its duration is told with theirs.
	Lasting bool
}

// Upgrade is what is recorded of a WebSocket at its end.
type Upgrade struct {
	Duration          time.Duration
	BytesIn, BytesOut int64
	Cut               bool // by a drain or the end of the edge
}

// The classes of a status: 1xx to 5xx, and 0 for nothing written.
const classes = 6

var classNames = [classes]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

var methodNames = [...]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}

const methods = len(methodNames)

func methodOf(name string) int {
	switch name {
	case "GET":
		return 0
	case "HEAD":
		return 1
	case "POST":
		return 2
	case "PUT":
		return 3
	case "PATCH":
		return 4
	case "DELETE":
		return 5
	case "OPTIONS":
		return 6
	}
	return methods - 1
}

func classOf(status int) int {
	if status >= 100 && status < 600 {
		return status / 100
	}
	return 0
}

// failuresMax is how many kinds of failure there may be.
const failuresMax = 32

// answers are requests of one kind.
type answers struct {
	requests  [classes][methods]atomic.Int64
	duration  histogram
	firstByte histogram
	bytesIn   atomic.Int64
	bytesOut  atomic.Int64
}

func (a *answers) record(r *Request) {
	a.requests[classOf(r.Status)][methodOf(r.Method)].Add(1)
	if r.Status != 0 {
		a.firstByte.observe(r.FirstByte)
	}
	if r.BytesIn != 0 {
		a.bytesIn.Add(r.BytesIn)
	}
	if r.BytesOut != 0 {
		a.bytesOut.Add(r.BytesOut)
	}
}

// answered is how many there were.
func (a *answers) answered() (n int64) {
	for class := range a.requests {
		for method := range a.requests[class] {
			n += a.requests[class][method].Load()
		}
	}
	return n
}

// Route counts the requests of a route while it leads to one release. It is
// safe for concurrent use.
type Route struct {
	key     slotKey
	release string

	answers
	errors    atomic.Int64
	abandoned atomic.Int64
	retries   atomic.Int64
	failures  [failuresMax]atomic.Int64 // of the backend and of the edge
	upgrades  atomic.Int64
	cut       atomic.Int64
	lasting   histogram // WebSockets and event streams

	paths     atomic.Pointer[map[string]*answers]
	growPaths sync.Mutex

	past past // guarded by Metrics.mu
}

// Request records a request. It takes no lock and allocates nothing.
func (r *Route) Request(q *Request) {
	if q.Failure != 0 {
		r.failures[min(uint(q.Failure), failuresMax-1)].Add(1)
	}
	if q.Retries != 0 {
		r.retries.Add(int64(q.Retries))
	}
	if q.Lasting {
		r.lasting.observe(q.Duration)
	}
	if q.Abandoned {
		r.abandoned.Add(1)
	}
	if !q.Counts {
		return
	}
	r.record(q)
	if !q.Lasting {
		r.duration.observe(q.Duration)
	}
	if q.Error {
		r.errors.Add(1)
	}
}

// PathRequest records a request that the named path route served. It allocates
// only for the first one of a path.
func (r *Route) PathRequest(path string, q *Request) {
	a := r.path(path)
	a.record(q)
	a.duration.observe(q.Duration)
}

func (r *Route) path(name string) *answers {
	if known := r.paths.Load(); known != nil {
		if a := (*known)[name]; a != nil {
			return a
		}
	}
	r.growPaths.Lock()
	defer r.growPaths.Unlock()
	grown := map[string]*answers{}
	if known := r.paths.Load(); known != nil {
		if a := (*known)[name]; a != nil {
			return a
		}
		for k, v := range *known {
			grown[k] = v
		}
	}
	a := new(answers)
	grown[name] = a
	r.paths.Store(&grown)
	return a
}

// UpgradeBegin records that a WebSocket was established: a request that was
// answered with 101, as a refused handshake is one that was answered otherwise.
// How long it took is not told.
func (r *Route) UpgradeBegin() {
	r.upgrades.Add(1)
	r.requests[classOf(101)][methodOf("GET")].Add(1)
}

// UpgradeEnd records that it has ended.
func (r *Route) UpgradeEnd(u Upgrade) {
	r.lasting.observe(u.Duration)
	r.bytesIn.Add(u.BytesIn)
	r.bytesOut.Add(u.BytesOut)
	if u.Cut {
		r.cut.Add(1)
	}
}

package admin

import (
	"crypto/sha256"
	"net/http"
	"sync"

	"sofiacall.com/bluegreen/switcher"
)

// keysKept bounds how many Idempotency-Keys are remembered for each app. An
// app remembers its last 50 operations, so more would lead nowhere.
const keysKept = 50

// keys remembers which operation an Idempotency-Key started, so that a retry
// follows it and does not start another. It lives as long as the edge.
type keys struct {
	mu   sync.Mutex
	apps map[string]*keyring
}

type keyring struct {
	mu    sync.Mutex // held while a keyed operation is being started
	known map[key]started
	order []key // oldest first
}

type key struct {
	actor switcher.Actor
	value string
}

type started struct {
	request   [sha256.Size]byte
	operation string
}

// once starts an operation, or finds the one that the same request with the
// same key started. A refused start is not remembered: it may be tried again.
func (k *keys) once(app *switcher.App, who identity, r *http.Request, body []byte, start func() (*switcher.Operation, error)) (*switcher.Operation, error) {
	value := r.Header.Get(headerIdempotency)
	switch {
	case value == "":
		return start()
	case len(value) > 255:
		return nil, wrong(http.StatusBadRequest, "use a UUID", "the Idempotency-Key is longer than 255 bytes")
	}
	ring := k.ring(app.Name())
	ring.mu.Lock()
	defer ring.mu.Unlock()
	id := key{who.actor, value}
	request := sha256.Sum256(append([]byte(r.URL.Path+"\n"), body...))
	if before, known := ring.known[id]; known {
		return repeat(app, before, request)
	}
	op, err := start()
	if err == nil {
		ring.remember(id, started{request, op.ID})
	}
	return op, err
}

func repeat(app *switcher.App, before started, request [sha256.Size]byte) (*switcher.Operation, error) {
	if before.request != request {
		return nil, wrong(http.StatusUnprocessableEntity, "use a new key for a new request",
			"this Idempotency-Key was used for another request")
	}
	op, known := app.Operation(before.operation)
	if !known {
		return nil, &switcher.Error{
			Code: switcher.CodeRefused, What: "operation " + before.operation + " of this Idempotency-Key ended long ago",
			Hint: "the history tells how; use a new key to do it again",
		}
	}
	return op, nil
}

func (k *keys) ring(app string) *keyring {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.apps == nil {
		k.apps = make(map[string]*keyring)
	}
	if k.apps[app] == nil {
		k.apps[app] = &keyring{known: make(map[key]started)}
	}
	return k.apps[app]
}

func (r *keyring) remember(id key, s started) {
	r.known[id] = s
	r.order = append(r.order, id)
	if len(r.order) > keysKept {
		delete(r.known, r.order[0])
		r.order = r.order[1:]
	}
}

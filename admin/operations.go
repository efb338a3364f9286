package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"sofiacall.com/bluegreen/switcher"
)

// begin decodes a body and asks the app for an operation.
type begin func(app *switcher.App, who identity, body []byte) (*switcher.Operation, error)

const maxBody = 64 << 10

// operation starts what begin describes and streams its events. A client that
// goes away stops the stream, not the operation.
func (s *Server) operation(do begin) handler {
	return s.withApp(func(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		who := caller(r.Context())
		start := func() (*switcher.Operation, error) { return do(app, who, body) }
		op, err := s.keys.once(app, who, r, body, start)
		if err != nil {
			return err
		}
		stream(w, r, op)
		return nil
	})
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooBig := (*http.MaxBytesError)(nil); errors.As(err, &tooBig) {
		return nil, wrong(http.StatusRequestEntityTooLarge, "", fmt.Sprintf("the body is larger than %d bytes", tooBig.Limit))
	} else if err != nil {
		return nil, fmt.Errorf("reading the request: %w", err)
	}
	return body, nil
}

// stream writes an operation's events from its first on, one JSON document a
// line, until its result.
func stream(w http.ResponseWriter, r *http.Request, op *switcher.Operation) {
	w.Header().Set("Content-Type", typeStream)
	w.Header().Set(headerOperation, op.ID)
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	if out.Flush() != nil {
		return
	}
	for e := range op.Events(r.Context()) {
		_ = out.SetWriteDeadline(time.Now().Add(30 * time.Second))
		if lines.Encode(e) != nil || out.Flush() != nil {
			return
		}
	}
}

// followEvents streams the operation that was asked for, or the one that runs.
func followEvents(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("operation")
	if id == "" {
		running := app.Status().Operation
		if running == nil {
			return &switcher.Error{
				Code: switcher.CodeRefused, What: "no operation is running",
				Hint: "name one that has ended with ?operation=ID",
			}
		}
		id = running.ID
	}
	op, known := app.Operation(id)
	if !known {
		return wrong(http.StatusNotFound, "the history tells how older operations ended", fmt.Sprintf("operation %q is not known", id))
	}
	stream(w, r, op)
	return nil
}

// decode reads a request strictly: a misspelt member is an error, not a
// default. An empty body is a request without members.
func decode(body []byte, request any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(request); err != nil {
		return wrong(http.StatusBadRequest, "", fmt.Sprintf("the body is not acceptable: %v", err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong(http.StatusBadRequest, "", "the body has something after the request")
	}
	return nil
}

// readRequest reads the request that a body is.
func readRequest[T any](w http.ResponseWriter, r *http.Request) (request T, err error) {
	body, err := readBody(w, r)
	if err != nil {
		return request, err
	}
	return request, decode(body, &request)
}

// plain begins an operation that takes no request.
func plain(do func(*switcher.App, switcher.Actor) (*switcher.Operation, error)) begin {
	return func(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
		if err := decode(body, &struct{}{}); err != nil {
			return nil, err
		}
		return do(app, who.actor)
	}
}

// deploy needs more than its scope for the first release of an empty app: that
// one becomes active at once, which is as good as a switch.
func deploy(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
	var request switcher.DeployRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	if err := MayAllow(who.scope, who.actor, request.Allow); err != nil {
		return nil, err
	}
	request.ForTests = who.scope < ScopeOperate
	return app.Deploy(who.actor, request)
}

func discard(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
	if err := decode(body, &struct{}{}); err != nil {
		return nil, err
	}
	if err := MayDiscard(who.scope, who.actor, app.Status()); err != nil {
		return nil, err
	}
	return app.Discard(who.actor)
}

// MayDiscard says why somebody may not discard what is in test or being
// deployed; nil: they may. That of somebody else needs scope operate.
func MayDiscard(scope Scope, who switcher.Actor, s switcher.Status) error {
	if scope < ScopeOperate && candidateOwner(s) != who {
		return forbidden("", "with scope deploy only one's own candidate can be discarded")
	}
	return nil
}

// candidateOwner is who deployed the release in test, or is deploying it now.
func candidateOwner(s switcher.Status) switcher.Actor {
	if s.Operation != nil && s.Operation.Kind == switcher.KindDeploy {
		return s.Operation.Actor
	}
	if release := s.Slots[s.Inactive].Release; release != nil {
		return switcher.Actor(release.DeployedBy)
	}
	return ""
}

func switchOver(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
	var request switcher.SwitchRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	if err := validSwitch(request); err != nil {
		return nil, err
	}
	if request.Force != "" && who.scope < ScopeAdmin {
		return nil, forbidden("make the gates pass, or ask an admin",
			fmt.Sprintf("%s has scope %s, overriding a gate needs %s", who.actor, who.scope, ScopeAdmin))
	}
	return app.Switch(who.actor, request)
}

func rollback(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
	var request switcher.RollbackRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	return app.Rollback(who.actor, request)
}

func drain(app *switcher.App, who identity, body []byte) (*switcher.Operation, error) {
	var request switcher.DrainRequest
	if err := decode(body, &request); err != nil {
		return nil, err
	}
	if request.Colour != "" {
		if err := checkColour(request.Colour); err != nil {
			return nil, err
		}
	}
	return app.Drain(who.actor, request)
}

// detached is the context of work that must not stop with its request.
func detached(r *http.Request) context.Context { return context.WithoutCancel(r.Context()) }

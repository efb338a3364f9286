package admin

import (
	"net/http"

	"sofiacall.com/bluegreen/switcher"
)

// instant decodes a body and has the app do what is no operation: it is over at
// once, and to ask twice is to ask once.
type instant func(app *switcher.App, who identity, body []byte) (switcher.Answer, error)

func (s *Server) control(do instant) handler {
	return s.withApp(func(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
		body, err := readBody(w, r)
		if err != nil {
			return err
		}
		answer, err := do(app, caller(r.Context()), body)
		if err != nil {
			return err
		}
		return writeJSON(w, answer)
	})
}

func pause(app *switcher.App, who identity, body []byte) (switcher.Answer, error) {
	var request switcher.PauseRequest
	if err := decode(body, &request); err != nil {
		return switcher.Answer{}, err
	}
	return app.Pause(who.actor, request)
}

func maintenance(app *switcher.App, who identity, body []byte) (switcher.Answer, error) {
	var request switcher.MaintenanceRequest
	if err := decode(body, &request); err != nil {
		return switcher.Answer{}, err
	}
	return app.Maintenance(who.actor, request)
}

func resume(app *switcher.App, who identity, body []byte) (switcher.Answer, error) {
	if err := decode(body, &struct{}{}); err != nil {
		return switcher.Answer{}, err
	}
	return app.Resume(who.actor)
}

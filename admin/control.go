package admin

import (
	"net/http"

	"sofiacall.com/bluegreen/switcher"
)

// control has the app do what is no operation: it is over at once, and to ask
// twice is to ask once.
func control[T any](s *Server, do func(*switcher.App, switcher.Actor, T) (switcher.Answer, error)) handler {
	return s.withApp(func(app *switcher.App, w http.ResponseWriter, r *http.Request) error {
		request, err := readRequest[T](w, r)
		if err != nil {
			return err
		}
		answer, err := do(app, caller(r.Context()).actor, request)
		if err != nil {
			return err
		}
		return writeJSON(w, answer)
	})
}

func resume(app *switcher.App, who switcher.Actor, _ struct{}) (switcher.Answer, error) {
	return app.Resume(who)
}

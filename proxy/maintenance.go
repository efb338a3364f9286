package proxy

import "net/http"

// Maintenance has the requests of a route answered with a 503 page, but for
// probes and for clients with a signed link (Policy.Links).
type Maintenance struct {
	// Message is plain text that takes the place of the page's own; empty
	// leaves that. An own page (Policy.Pages) called maintenance is shown as
	// it is.
	Message string
}

const maintenanceRetrySeconds = "60"

// shut reports whether the route's maintenance keeps the request out.
func (f *flight) shut(r *http.Request) bool {
	return f.route.Maintenance != nil && !f.probe && !f.isInvited(r)
}

// showMaintenance answers a request that maintenance keeps out.
func (s *Server) showMaintenance(f *flight, r *http.Request) {
	f.Header().Set("Retry-After", maintenanceRetrySeconds)
	f.giveUp(FailureMaintenance)
	notice{
		status: http.StatusServiceUnavailable, language: f.language, text: f.route.Maintenance.words,
		name: "maintenance", own: f.route.Policy.Pages,
	}.write(f, r)
}

// words are the page in one language.
func (m *Maintenance) words(language string) page {
	p := page{"Down for maintenance", "We are working on the service. Please try again in a few minutes."}
	if language == "es" {
		p = page{"En mantenimiento", "Estamos trabajando en el servicio. Vuelva a intentarlo en unos minutos."}
	}
	if m.Message != "" {
		p.Text = m.Message
	}
	return p
}

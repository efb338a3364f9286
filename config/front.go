package config

import "time"

// Limits bound what one client may ask of a route of the app. Those that are not given
// do not exist.
type Limits struct {
	// Rate is the number of requests a second that each client address may make on
	// each route; an IPv6 client is its /64 network.
	Rate Rate `yaml:"rate"`
	// Burst is the number of requests that may come at once; default twice the rate.
	Burst int `yaml:"burst" jsonschema:"minimum=1"`
	// Body is the most bytes that the body of a request may have, written like 100MB.
	Body Bytes `yaml:"body"`
}

// Rate is a number of requests a second. In the file it is a number such as 50 or 0.5.
type Rate float64

// HSTS tells browsers to use nothing but HTTPS (RFC 6797), on all hosts of the app.
type HSTS struct {
	// MaxAge is how long a browser remembers it; default 8760h, a year. What it has
	// remembered ends early only by a visit under a shorter one, such as 1s.
	MaxAge time.Duration `yaml:"max_age"`
	// IncludeSubdomains extends it to every host below; default false.
	IncludeSubdomains bool `yaml:"include_subdomains"`
	// Preload consents to the lists that browsers ship, which takes months to undo;
	// default false.
	Preload bool `yaml:"preload"`
}

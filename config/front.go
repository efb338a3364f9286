package config

import "time"

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

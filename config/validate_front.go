package config

import (
	"slices"
	"time"
)

// preloadAge is what the operators of the browsers' list demand (hstspreload.org).
const preloadAge = 365 * 24 * time.Hour

// validateFront checks what the edge does for an app by itself. The hosts of the app
// are in their normal form by now.
func validateFront(a *App, key string, r *report) {
	validateCanonical(a, key+".canonical", r)
	validateHSTS(a.HSTS, key+".hsts", r)
	validatePaths(a, key+".paths", r)
	validateLimits(a.Limits, key+".limits", r)
}

func validateCanonical(a *App, key string, r *report) {
	if a.Canonical == "" {
		return
	}
	if normalHost(r, key, &a.Canonical); !slices.Contains(a.Production, a.Canonical) {
		r.key(key, "%s is not one of the app's production hosts, so nothing would be served there: list it under production, or name one of those", r.shown(key, a.Canonical))
	}
}

func validateLimits(l Limits, key string, r *report) {
	if r.at.given(key) && !r.at.given(key+".rate") && !r.at.given(key+".burst") && !r.at.given(key+".body") {
		r.key(key, "says nothing: write rate, burst or body, or remove it")
	}
	if !r.at.given(key + ".burst") {
		return
	}
	if l.Burst < 1 {
		r.key(key+".burst", "must be at least 1, is %s", r.number(key+".burst", l.Burst))
	}
	if !r.at.given(key + ".rate") {
		r.key(key+".burst", "means nothing without a rate: give limits.rate as well, or remove it")
	}
}

func validateHSTS(h HSTS, key string, r *report) {
	if h.MaxAge%time.Second != 0 {
		r.key(key+".max_age", "must be whole seconds, is %s", r.shown(key+".max_age", h.MaxAge))
	}
	if !h.Preload {
		return
	}
	if !h.IncludeSubdomains {
		r.key(key+".preload", "needs include_subdomains, for browsers list domains with everything below them only: set include_subdomains: true if every subdomain has HTTPS, or remove preload")
	}
	if h.MaxAge < preloadAge {
		r.key(key+".max_age", "is too short for preload, for browsers list nothing below a year: make it at least 8760h, or remove preload")
	}
}

package main

import (
	"testing"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/switcher"
)

func TestFrontKeysReachTheirRoutes(t *testing.T) {
	p := policies(&config.App{Canonical: "a.example.com", HSTS: config.HSTS{MaxAge: time.Minute}, Compression: true, Limits: config.Limits{Rate: 1, Burst: 2, Body: 3}})
	production, internal := p[switcher.Production], p[switcher.Internal]
	if production.Canonical != "a.example.com" || internal.Canonical != "" {
		t.Errorf("canonical: %q, %q", production.Canonical, internal.Canonical)
	}
	if production.HSTS != "max-age=60" || internal.HSTS != "max-age=60" {
		t.Errorf("hsts: %q, %q", production.HSTS, internal.HSTS)
	}
	if !production.Compress || !internal.Compress {
		t.Error("compression is off")
	}
	if production.Rate == nil || internal.Rate == nil || production.Rate == internal.Rate || production.BodyLimit != 3 || internal.BodyLimit != 3 {
		t.Error("each route must have its own rate, and the limit of bodies")
	}
}

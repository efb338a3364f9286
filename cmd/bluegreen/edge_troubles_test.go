package main

import (
	"maps"
	"testing"
	"time"

	"sofiacall.com/bluegreen/config"
	"sofiacall.com/bluegreen/proxy"
	"sofiacall.com/bluegreen/switcher"
)

func TestOnlyARequestOfProductionCountsForItsErrorRate(t *testing.T) {
	e := &edge{metrics: newMetrics("test")}
	for _, route := range []switcher.RouteName{switcher.Production, switcher.Internal} {
		for _, release := range []string{"r1", "r2"} {
			r := recorder{e.metrics.Route("chat", string(route), "blue", release)}
			r.Request(proxy.Observation{Status: 200, Proxied: true})
			r.Request(proxy.Observation{Status: 502, Proxied: true})
		}
	}
	now := time.Now()
	if requests, errors := e.productionOf("chat", switcher.Blue, "r1", now.Add(-time.Minute), now); requests != 2 || errors != 1 {
		t.Errorf("%d requests, %d errors, want 2 and 1", requests, errors)
	}
}

func TestACertificateIsOfTheAppWithItsHost(t *testing.T) {
	got := appsOfHosts(&config.Config{Apps: map[string]*config.App{
		"chat": {Production: []string{"chat.example.com"}, Internal: []string{"next.example.com"}},
		"shop": {Production: []string{"shop.example.com"}},
	}})
	if want := map[string]string{"chat.example.com": "chat", "next.example.com": "chat", "shop.example.com": "shop"}; !maps.Equal(got, want) {
		t.Errorf("the hosts are of %v, want %v", got, want)
	}
}

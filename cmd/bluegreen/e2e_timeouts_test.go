package main

import (
	"crypto/tls"
	"io"
	"testing"
	"time"
)

func TestAClientThatStandsStillIsGivenUpAsConfigured(t *testing.T) {
	t.Parallel()
	e := newTestEdge(t, "")
	e.edit("edge: { ", "edge: { timeouts: { header: 300ms, body: 300ms, idle: 300ms }, ")
	e.start()
	e.deploy("a")
	for name, sent := range map[string]string{
		"in the header": "GET / HTTP/1.1\r\nHost: app.localhost\r\n",
		"in the body":   "POST /echo HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 5\r\n\r\nab",
		"after one":     "GET /release HTTP/1.1\r\nHost: app.localhost\r\n\r\n",
	} {
		c, err := tls.Dial("tcp", e.HTTPS, &tls.Config{ServerName: "app.localhost", InsecureSkipVerify: true}) // the edge's own CA is not the point
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(8 * time.Second)) // the defaults are longer
		io.WriteString(c, sent)
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		c.Close()
	}
	e.edit("body: 300ms", "body: 400ms")
	e.fails(3, []string{"a running edge cannot change edge.timeouts"}, "reload")
}

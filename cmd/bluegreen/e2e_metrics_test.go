package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// metricsEdge is an edge that answers plain scrapes, and where.
func metricsEdge(t *testing.T) (*testEdge, string) {
	t.Helper()
	e := newTestEdge(t, "")
	address := loopback(freePorts(t, 1)[0])
	e.Apps = fmt.Sprintf("metrics: { listen: %q }\n", address)
	e.configure()
	return e, address
}

func scraped(t *testing.T, address string) string {
	t.Helper()
	answer, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("scraping: %s, %v", answer.Status, err)
	}
	return string(body)
}

// Whatever clients send, the series are those of the configuration.
func TestClientsCannotMakeSeries(t *testing.T) {
	t.Parallel()
	e, address := metricsEdge(t)
	e.start()
	e.deploy("a")
	e.deploy("b")
	const mark = "zq7" // in everything that is made up
	roots := e.roots()
	send := func(n int) {
		for range n {
			token := fmt.Sprintf("%s%x", mark, rand.Uint32())
			host := []string{"app.localhost", "internal.app.localhost", token + ".localhost"}[rand.IntN(3)]
			method := []string{"GET", "POST", strings.ToUpper(token), token, "PROPFIND"}[rand.IntN(5)]
			conn, err := tls.Dial("tcp", e.HTTPS, &tls.Config{RootCAs: roots, ServerName: host, InsecureSkipVerify: true})
			if err != nil {
				continue // a name without a certificate
			}
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(conn, "%s /%s/%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nConnection: close\r\n%s: %[3]s\r\n\r\n",
				method, []string{token, "release", "slow"}[rand.IntN(3)], token, host, token)
			_, _ = http.ReadResponse(bufio.NewReader(conn), nil)
			conn.Close()
		}
	}
	send(200)
	first := strings.Count(scraped(t, address), "\n"+"bluegreen_")
	send(300)
	text := scraped(t, address)
	if strings.Contains(text, mark) || strings.Contains(text, strings.ToUpper(mark)) {
		t.Errorf("what clients have sent is told:\n%s", regexp.MustCompile(`(?i).*`+mark+`.*`).FindString(text))
	}
	// A route has at most a series for each of six classes and eight methods.
	if second := strings.Count(text, "\n"+"bluegreen_"); second > first+50 || second > 1500 {
		t.Errorf("%d series after 200 requests, %d after 500", first, second)
	}
	if !regexp.MustCompile(`(?m)^bluegreen_requests_total\{app="chat",code="\dxx",colour="blue",method="OTHER",route="production"\} \d+$`).MatchString(text) {
		t.Errorf("odd methods are not counted:\n%s", text)
	}
}

func TestMetricsAreReadAndNothingElse(t *testing.T) {
	t.Parallel()
	e, address := metricsEdge(t)
	e.start()
	e.deploy("a")
	if got := e.release("app.localhost"); got != "a" {
		t.Fatalf("production shows %q", got)
	}
	for request, want := range map[string]int{"GET /metrics": 200, "POST /metrics": 405, "GET /": 404, "GET /v1/apps": 404, "POST /v1/reload": 404} {
		method, path, _ := strings.Cut(request, " ")
		r, _ := http.NewRequest(method, "http://"+address+path, nil)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s answered %d, want %d", request, answer.StatusCode, want)
		}
	}
	text := scraped(t, address)
	for _, line := range []string{
		`bluegreen_requests_total{app="chat",code="2xx",colour="blue",method="GET",route="production"} 1`,
		`bluegreen_request_duration_seconds_count{app="chat",colour="blue",route="production"} 1`,
		`bluegreen_operations_total{app="chat",operation="deploy",result="ok"} 1`,
		`bluegreen_operations_total{app="chat",operation="switch",result="ok"} 0`,
		`bluegreen_route_slot{app="chat",colour="blue",route="production"} 1`,
		`bluegreen_slot_state{app="chat",colour="blue",state="active"} 1`,
		`bluegreen_health{app="chat",colour="blue",status="healthy"} 1`,
		`bluegreen_phase{app="chat",phase="steady"} 1`,
		`bluegreen_certificate_ok{host="app.localhost"} 1`,
	} {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("not told: %s", line)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestATakenMetricsPortIsToldAtTheStart(t *testing.T) {
	t.Parallel()
	e, address := metricsEdge(t)
	taken, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	e.fails(1, []string{"listening on " + address, "`metrics.listen`"}, "serve", "--config", e.config())
}

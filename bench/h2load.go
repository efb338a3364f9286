package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// h2load is a fixed load of that program: so many connections with so many
// requests in flight on each, the next being sent when one is answered.
type h2load struct {
	h1                   bool
	connections, streams int
	path                 string
	body                 int // bytes to post; 0 is a GET
}

// warmUp is how long a load runs before anything is measured: the handshakes
// and the first requests on each connection.
const warmUp = 300 * time.Millisecond

// slack lets the load begin before what is measured, and end after it.
const slack = 150 * time.Millisecond

func (h2load) unit() string { return "request" }

// measure puts the load on a contender and measures from outside while it runs
// evenly.
func (h h2load) measure(ctx context.Context, l *lab, c *contender) (sample, error) {
	logFile := filepath.Join(l.dir, "requests.log")
	defer os.Remove(logFile)
	args := []string{
		"h2load", "-t1", fmt.Sprintf("-c%d", h.connections), fmt.Sprintf("-m%d", h.streams),
		"--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=X25519",
		fmt.Sprintf("--warm-up-time=%dms", warmUp.Milliseconds()),
		fmt.Sprintf("-D%dms", (l.options.duration() + 2*slack).Milliseconds()),
		"--log-file=" + logFile, "--connect-to=" + c.site.Address,
	}
	if h.h1 {
		args = append(args, "--h1")
	}
	if h.body > 0 {
		file := filepath.Join(l.dir, "body")
		if err := os.WriteFile(file, make([]byte, h.body), 0o600); err != nil {
			return sample{}, err
		}
		args = append(args, "-d"+file, "-H:method: POST")
	}
	cmd := pinned(l.options.clientCPU, append(args, "https://"+c.site.Hosts[0]+h.path)...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return sample{}, fmt.Errorf("starting h2load: %w", err)
	}
	window, err := c.windowOf(ctx, logFile, l.options.duration())
	if err != nil {
		_ = cmd.Process.Kill()
	}
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return sample{}, fmt.Errorf("h2load: %w; its output:\n%s", err, output.String())
	}
	file, err := os.Open(logFile)
	if err != nil {
		return sample{}, err
	}
	defer file.Close()
	requests, err := parseLog(file)
	if err != nil {
		return sample{}, err
	}
	failures, err := parseFailures(output.String())
	if err != nil {
		return sample{}, err
	}
	s, err := window.sample(requests)
	s.Failures = max(s.Failures, failures) // its own count includes requests that never ended
	return s, err
}

// windowOf opens a window soon after the log has its first line: h2load logs
// no request of the warm-up.
func (c *contender) windowOf(ctx context.Context, logFile string, duration time.Duration) (window, error) {
	const patience = 5 * time.Second
	for began := time.Now(); ; {
		if info, err := os.Stat(logFile); err == nil && info.Size() > 0 {
			return c.window(ctx, slack, duration)
		}
		if time.Since(began) > patience {
			return window{}, errUneven
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return window{}, err
		}
	}
}

// request is what a client has seen of a request.
type request struct {
	start  time.Time
	took   time.Duration
	failed bool
}

// parseLog reads h2load's log: start in microseconds since the epoch, status,
// duration in microseconds.
func parseLog(r io.Reader) ([]request, error) {
	var requests []request
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 {
			return nil, fmt.Errorf("h2load's log has the line %q", lines.Text())
		}
		var numbers [3]int64
		for i := range numbers {
			n, err := strconv.ParseInt(fields[i], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("h2load's log has the line %q", lines.Text())
			}
			numbers[i] = n
		}
		requests = append(requests, request{
			start:  time.UnixMicro(numbers[0]),
			took:   time.Duration(numbers[2]) * time.Microsecond,
			failed: numbers[1] != 200,
		})
	}
	return requests, lines.Err()
}

// parseFailures reads the number of requests that did not succeed from what
// h2load prints at its end.
func parseFailures(output string) (int, error) {
	for line := range strings.Lines(output) {
		counts, ok := strings.CutPrefix(line, "requests: ")
		if !ok {
			continue
		}
		sum := 0
		for count := range strings.SplitSeq(strings.TrimSpace(counts), ", ") {
			number, what, _ := strings.Cut(count, " ")
			switch what {
			case "failed", "timeout": // errored ones are among the failed
				n, err := strconv.Atoi(number)
				if err != nil {
					return 0, fmt.Errorf("h2load printed %q", line)
				}
				sum += n
			}
		}
		return sum, nil
	}
	return 0, fmt.Errorf("h2load printed no count of requests:\n%s", output)
}

package proxy

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fullListener returns the address of a socket that accepts nothing and whose
// queue is full, so that connecting to it is never answered.
func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	t.Cleanup(func() { _ = file.Close() })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	address := l.Addr().String()
	for range 64 {
		c, err := net.DialTimeout("tcp", address, 50*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	t.Fatal("the queue of the listener is never full")
	return ""
}

func TestBackendThatCannotBeDialledInTimeIsAGatewayTimeout(t *testing.T) {
	b := backendAt(t, fullListener(t), func(o *BackendOptions) { o.DialTimeout = 50 * time.Millisecond })
	e := startEdge(t, b)
	response, _ := e.get(false, "https://"+appHost+"/")
	if response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("status %d", response.StatusCode)
	}
	if o := e.recorder.only(t); o.Failure != FailureDial || o.Status != http.StatusGatewayTimeout {
		t.Errorf("recorded %+v", o)
	}
}

// A response that has begun has no time limit of its own, but it ends with its
// client, and with a drain.
func TestResponseThatStandsStillEndsWithItsClientOrADrain(t *testing.T) {
	broken := make(chan struct{}, 2)
	b := startBackend(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		broken <- struct{}{}
	})
	e := startEdge(t, b, func(o *Options) { o.BodyIdle = 20 * time.Millisecond })
	for _, h2 := range []bool{false, true} {
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		begin := func(ctx context.Context) *http.Response {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+appHost+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := e.client(h2).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			return response
		}
		response := begin(ctx)
		time.Sleep(5 * e.bodyIdle) // nothing may happen in this time
		select {
		case <-broken:
			t.Fatal("the response was broken off by itself")
		default:
		}
		leave()
		receive(t, "the client's leaving reaches the backend", broken)
		_ = response.Body.Close()

		response = begin(t.Context())
		if result, err := b.Drain(t.Context(), DrainLimits{Requests: time.Millisecond}); err != nil || result.Requests != 1 {
			t.Errorf("drain: %+v, %v", result, err)
		}
		receive(t, "the drain reaches the backend", broken)
		if _, err := io.ReadAll(response.Body); err == nil {
			t.Error("the client was told that half a response is whole")
		}
		_ = response.Body.Close()
	}
}

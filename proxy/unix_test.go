package proxy

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// unixBackend runs h behind a backend on a Unix socket.
func unixBackend(t *testing.T, h http.HandlerFunc, protocol func(*http.Protocols, bool), adjust ...func(*BackendOptions)) *Backend {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backend.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(h)
	_ = srv.Listener.Close()
	srv.Listener = l
	srv.Config.Protocols = new(http.Protocols)
	protocol(srv.Config.Protocols, true)
	srv.Start()
	t.Cleanup(srv.Close)
	return backendAt(t, "unix:"+path, adjust...)
}

func TestUnixSocketBackendServesRequestsWithAndWithoutBody(t *testing.T) {
	handler := func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Asked", r.Proto+" "+r.Host)
		_, _ = w.Write(append(body, '!'))
	}
	for proto, b := range map[string]*Backend{
		"HTTP/1.1": unixBackend(t, handler, (*http.Protocols).SetHTTP1),
		"HTTP/2.0": unixBackend(t, handler, (*http.Protocols).SetUnencryptedHTTP2, func(o *BackendOptions) { o.H2C = true }),
	} {
		e := startEdge(t, b)
		for method, body := range map[string]string{http.MethodGet: "", http.MethodPost: "hello"} {
			for range 2 {
				response, text := e.do(true, method, "https://"+appHost+"/", strings.NewReader(body))
				if response.StatusCode != 200 || text != body+"!" || response.Header.Get("X-Asked") != proto+" "+appHost {
					t.Errorf("%s %s: %d %q, asked %q", proto, method, response.StatusCode, text, response.Header.Get("X-Asked"))
				}
			}
		}
	}
}

func TestUnixSocketBackendServesWebSockets(t *testing.T) {
	e := startEdge(t, unixBackend(t, echo(nil, nil), (*http.Protocols).SetHTTP1))
	exchange(t, e.open(), []byte("hello"))
}

func TestUnixSocketKeepsItsConnections(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "backend.sock"))
	if err != nil {
		t.Fatal(err)
	}
	s := startScriptedOn(t, l, answers(answer))
	b := s.backend(t)
	for range 3 {
		mustAsk(t, b, http.MethodGet)
	}
	if n := s.accepted.Load(); n != 1 {
		t.Errorf("%d connections for 3 requests", n)
	}
	b.Close()
	eventually(t, "the connection is closed", func() bool { return s.open.Load() == 0 })
}

func TestMissingSocketIsAwaitedForAMomentAndGivenUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "backend.sock")
	b := backendAt(t, "unix:"+path)
	if _, _, err := ask(t, b, http.MethodGet); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	e := startEdge(t, b)
	if response, _ := e.get(false, "https://"+appHost+"/"); response.StatusCode != http.StatusBadGateway {
		t.Errorf("status %d", response.StatusCode)
	}
	b.dialer.pause = patience / 20
	timer := time.AfterFunc(firstDialPause, func() {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Error(err)
			return
		}
		startScriptedOn(t, l, answers(answer))
	})
	defer timer.Stop()
	if body := mustAsk(t, b, http.MethodPost); body != "ok" {
		t.Errorf("body %q", body)
	}
	b.Close() // else the backend waits for the idle time
}

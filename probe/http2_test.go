package probe

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func TestH2CBackendIsAskedInHTTP2(t *testing.T) {
	status := http.StatusOK
	var asked *http.Request
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.WriteHeader(status)
	}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	target := Target{Address: server.Listener.Addr().String(), H2C: true, Host: "chat.example.com", Path: "/health?deep=1", Timeout: 20 * time.Second}
	if err := new(Prober).Backend(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if asked.Method != "GET" || asked.Host != "chat.example.com" || asked.RequestURI != "/health?deep=1" || asked.UserAgent() != UserAgent || asked.ProtoMajor != 2 {
		t.Errorf("asked %s %s of %s as %s in %s", asked.Method, asked.RequestURI, asked.Host, asked.UserAgent(), asked.Proto)
	}
	status = http.StatusServiceUnavailable
	wantError(t, new(Prober).Backend(t.Context(), target), "/health answered 503")
}

func TestBackendThatSpeaksHTTP1IsNotHealthyOverH2C(t *testing.T) {
	target := backend(t, func(http.ResponseWriter, *http.Request) {})
	target.H2C = true
	if err := new(Prober).Backend(t.Context(), target); err == nil {
		t.Error("healthy")
	}
}

func TestGRPCBackendIsAskedForItsHealth(t *testing.T) {
	server := grpc.NewServer()
	state := health.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	healthpb.RegisterHealthServer(server, state)
	go server.Serve(l)
	t.Cleanup(server.Stop)
	target := Target{Address: l.Addr().String(), H2C: true, Host: "chat.example.com", Path: GRPCHealth, Timeout: 20 * time.Second}
	if err := new(Prober).Backend(t.Context(), target); err != nil {
		t.Error(err)
	}
	state.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	wantError(t, new(Prober).Backend(t.Context(), target), GRPCHealth+" does not say SERVING")
}

func TestGRPCBackendWithoutHealthServiceIsNotHealthy(t *testing.T) {
	server := grpc.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go server.Serve(l)
	t.Cleanup(server.Stop)
	target := Target{Address: l.Addr().String(), H2C: true, Path: GRPCHealth, Host: "chat.example.com", Timeout: 20 * time.Second}
	wantError(t, new(Prober).Backend(t.Context(), target), GRPCHealth+` answered with grpc-status "12"`)
}

func TestPublicListenerIsAskedForGRPCHealthInHTTP2(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Method != http.MethodPost || r.Header.Get("Te") != "trailers" || r.Header.Get(HeaderSecret) != "secret" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set(HeaderRoute, "green")
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		w.Write([]byte{0, 0, 0, 0, 2, 8, 1})
		w.Header().Set("Grpc-Status", "0")
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	target := Target{Address: server.Listener.Addr().String(), Host: "chat.example.com", Path: GRPCHealth, Timeout: 20 * time.Second}
	if label, err := new(Prober).Public(t.Context(), target, "secret"); label != "green" || err != nil {
		t.Errorf("%q, %v", label, err)
	}
}

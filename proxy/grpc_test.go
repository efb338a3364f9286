package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// grpcBackend answers the calls of the gRPC project's own test service.
type grpcBackend struct {
	pb.UnimplementedTestServiceServer
	ended chan error // how the context of a call that waits ended
}

func (b *grpcBackend) UnaryCall(ctx context.Context, r *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	in, _ := metadata.FromIncomingContext(ctx)
	_ = grpc.SetHeader(ctx, metadata.Pairs("x-header", strings.Join(in["x-ask"], ",")))
	_ = grpc.SetTrailer(ctx, metadata.Pairs("x-trailer-bin", string([]byte{0, 1, 255})))
	if s := r.ResponseStatus; s != nil {
		return nil, status.Error(codes.Code(s.Code), s.Message)
	}
	if r.ResponseSize < 0 {
		<-ctx.Done()
		b.ended <- ctx.Err()
		return nil, ctx.Err()
	}
	return &pb.SimpleResponse{Payload: r.Payload}, nil
}

func (b *grpcBackend) StreamingOutputCall(r *pb.StreamingOutputCallRequest, s pb.TestService_StreamingOutputCallServer) error {
	for _, p := range r.ResponseParameters {
		if err := s.Send(&pb.StreamingOutputCallResponse{Payload: &pb.Payload{Body: make([]byte, p.Size)}}); err != nil {
			return err
		}
	}
	return status.Error(codes.DataLoss, "the end is in the trailer")
}

func (b *grpcBackend) StreamingInputCall(s pb.TestService_StreamingInputCallServer) error {
	sum := int32(0)
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return s.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: sum})
		}
		if err != nil {
			return err
		}
		sum += int32(len(r.Payload.Body))
	}
}

func (b *grpcBackend) FullDuplexCall(s pb.TestService_FullDuplexCallServer) error {
	for {
		r, err := s.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			b.ended <- s.Context().Err()
			return err
		}
		if err := s.Send(&pb.StreamingOutputCallResponse{Payload: r.Payload}); err != nil {
			return err
		}
	}
}

// startGRPC returns a client of a gRPC server behind the edge.
func startGRPC(t *testing.T, adjust ...func(*Options)) (*edge, *grpcBackend, pb.TestServiceClient) {
	t.Helper()
	b := &grpcBackend{ended: make(chan error, 1)}
	server := grpc.NewServer()
	pb.RegisterTestServiceServer(server, b)
	l := listen(t)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	e := startEdge(t, backendAt(t, l.Addr().String(), func(o *BackendOptions) { o.H2C = true }), adjust...)
	conn, err := grpc.NewClient("passthrough:///"+appHost,
		grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(e.roots, appHost)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", e.https)
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return e, b, pb.NewTestServiceClient(conn)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func payload(size int) *pb.Payload { return &pb.Payload{Body: bytes.Repeat([]byte("x"), size)} }

func TestGRPCUnaryCallKeepsMetadataAndTrailer(t *testing.T) {
	e, _, client := startGRPC(t)
	var header, trailer metadata.MD
	ctx := metadata.AppendToOutgoingContext(within(t), "x-ask", "me")
	for _, size := range []int{0, 1, 100_000} {
		response, err := client.UnaryCall(ctx, &pb.SimpleRequest{Payload: payload(size)}, grpc.Header(&header), grpc.Trailer(&trailer))
		if err != nil || len(response.GetPayload().GetBody()) != size {
			t.Fatalf("%d bytes: %d, %v", size, len(response.GetPayload().GetBody()), err)
		}
	}
	if !slices.Equal(header["x-header"], []string{"me"}) || !slices.Equal(trailer["x-trailer-bin"], []string{"\x00\x01\xff"}) {
		t.Errorf("header %v, trailer %v", header, trailer)
	}
	eventually(t, "nothing is in flight", func() bool { return e.service.Route().Backend.InFlight() == 0 })
}

func TestGRPCStatusArrivesInTheTrailer(t *testing.T) {
	_, _, client := startGRPC(t)
	_, err := client.UnaryCall(within(t), &pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: int32(codes.FailedPrecondition), Message: "no, ñ\n"}})
	if s := status.Convert(err); s.Code() != codes.FailedPrecondition || s.Message() != "no, ñ\n" {
		t.Errorf("status of a call without a message: %v", err)
	}
	if _, err := client.EmptyCall(within(t), new(pb.Empty)); status.Code(err) != codes.Unimplemented {
		t.Errorf("call that is not implemented: %v", err)
	}
	stream, err := client.StreamingOutputCall(within(t), &pb.StreamingOutputCallRequest{ResponseParameters: []*pb.ResponseParameters{{Size: 1}, {Size: 200_000}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 200_000} {
		if r, err := stream.Recv(); err != nil || len(r.Payload.Body) != size {
			t.Fatalf("message of %d bytes: %v", size, err)
		}
	}
	if _, err := stream.Recv(); status.Code(err) != codes.DataLoss {
		t.Errorf("status after messages: %v", err)
	}
}

func TestGRPCClientStreamIsSummedUp(t *testing.T) {
	_, _, client := startGRPC(t)
	stream, err := client.StreamingInputCall(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 70_000, 0, 9} {
		if err := stream.Send(&pb.StreamingInputCallRequest{Payload: payload(size)}); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := stream.CloseAndRecv(); err != nil || r.AggregatedPayloadSize != 70_010 {
		t.Errorf("%v, %v", r, err)
	}
}

// Each message is answered before the next is sent, so that nothing may be held
// back in either direction; and a quiet stream outlives the idle time of
// bodies.
func TestGRPCStreamIsDuplexAndMayRest(t *testing.T) {
	const idle = 300 * time.Millisecond
	_, _, client := startGRPC(t, func(o *Options) { o.BodyIdle = idle })
	stream, err := client.FullDuplexCall(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{50_000, 3} {
		if err := stream.Send(&pb.StreamingOutputCallRequest{Payload: payload(size)}); err != nil {
			t.Fatal(err)
		}
		if r, err := stream.Recv(); err != nil || len(r.Payload.Body) != size {
			t.Fatalf("message of %d bytes: %v", size, err)
		}
		time.Sleep(idle + idle/2)
	}
	_ = stream.CloseSend()
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("the end: %v", err)
	}
}

func TestGRPCDeadlineAndCancellationReachTheBackend(t *testing.T) {
	_, b, client := startGRPC(t)
	if _, err := client.UnaryCall(within(t), new(pb.SimpleRequest)); err != nil { // connected
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(within(t), 500*time.Millisecond)
	defer cancel()
	// The backend, which is told the deadline, may reset the call before the
	// client itself gives up; that is a 502 then.
	if _, err := client.UnaryCall(ctx, &pb.SimpleRequest{ResponseSize: -1}); status.Code(err) != codes.DeadlineExceeded && status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
	receive(t, "the backend's context ends", b.ended)

	ctx, cancel = context.WithCancel(within(t))
	defer cancel()
	stream, err := client.FullDuplexCall(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&pb.StreamingOutputCallRequest{Payload: payload(1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := receive(t, "the backend's stream ends", b.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// h2cBackend runs h behind a backend that speaks only HTTP/2 without TLS.
func h2cBackend(t *testing.T, h http.HandlerFunc) *Backend {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	return backendAt(t, srv.Listener.Addr().String(), func(o *BackendOptions) { o.H2C = true })
}

func TestH2CBackendServesEveryClient(t *testing.T) {
	e := startEdge(t, h2cBackend(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Proto", r.Proto+" "+r.Host)
		w.Header().Set(http.TrailerPrefix+"X-Sum", "42")
		_ = http.NewResponseController(w).Flush() // with a length HTTP/1.1 has no trailer
		_, _ = w.Write(append(body, '!'))
	}))
	eachProtocol(t, func(t *testing.T, h2 bool) {
		for method, body := range map[string]string{http.MethodGet: "", http.MethodPost: "hello"} {
			response, text := e.do(h2, method, "https://"+appHost+"/", strings.NewReader(body))
			if response.StatusCode != 200 || text != body+"!" || response.Header.Get("X-Proto") != "HTTP/2.0 "+appHost || response.Trailer.Get("X-Sum") != "42" {
				t.Errorf("%s: %d %q, header %v, trailer %v", method, response.StatusCode, text, response.Header, response.Trailer)
			}
		}
	})
}

func TestH2CBackendFailuresMapToTheirStatus(t *testing.T) {
	h2c := func(o *BackendOptions) { o.H2C, o.HeaderTimeout = true, 100*time.Millisecond }
	http1 := startScripted(t, answers(answer))
	slow := h2cBackend(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	for _, c := range []struct {
		name    string
		backend *Backend
		status  int
		failure Failure
	}{
		{"refused", backendAt(t, refusing(t), h2c), 502, FailureDial},
		{"speaks HTTP/1.1", http1.backend(t, h2c), 502, FailureReset},
		{"silent", backendAt(t, slow.Address(), h2c), 504, FailureTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t, c.backend)
			if response, _ := e.get(false, "https://"+appHost+"/"); response.StatusCode != c.status {
				t.Errorf("status %d, want %d", response.StatusCode, c.status)
			}
			if o := e.recorder.only(t); o.Failure != c.failure {
				t.Errorf("recorded %+v, want %v", o, c.failure)
			}
		})
	}
}

func TestRequestTrailersReachTheBackend(t *testing.T) {
	got := make(chan http.Header, 1)
	handler := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		got <- r.Trailer
	}
	for name, b := range map[string]*Backend{"http1": startBackend(t, handler), "h2c": h2cBackend(t, handler)} {
		eachProtocol(t, func(t *testing.T, h2 bool) {
			e := startEdge(t, b)
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+appHost+"/", io.MultiReader(strings.NewReader("body")))
			if err != nil {
				t.Fatal(err)
			}
			r.Trailer = http.Header{"X-Sum": {"42"}, "X-Forwarded-For": {"6.6.6.6"}, ProbeHeader: {"guess"}, "X-Two": {"a", "b"}}
			response, err := e.client(h2).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			trailer := receive(t, "the backend is asked", got)
			if len(trailer) != 2 || trailer.Get("X-Sum") != "42" || !slices.Equal(trailer["X-Two"], []string{"a", "b"}) {
				t.Errorf("%s: trailer %v", name, trailer)
			}
		})
	}
}

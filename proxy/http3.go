package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

const (
	// h3KeepAlive keeps the mappings of home routers, h3Silence ends the
	// connection of a client that has gone.
	h3KeepAlive = 25 * time.Second
	h3Silence   = 60 * time.Second
	// h3ControlStreams are the three of HTTP/3 and a few that say nothing
	// (RFC 9114 §6.2, §7.2.8).
	h3ControlStreams   = 8
	h3StreamWindow     = 1 << 20
	h3ConnectionWindow = 2 << 20

	// h3Unverified is how many handshakes with addresses that nobody has
	// verified may go on at once; beyond it clients prove theirs first.
	h3Unverified = 100
	// h3Handshakes is how long, at the end, handshakes may still end.
	h3Handshakes = time.Second
	// h3Goodbye is how long a client has to close its connection after its
	// last response. Closing it for the client could cut that response.
	h3Goodbye = 3 * time.Second
	h3Poll    = 10 * time.Millisecond
)

// errUnannounced refuses the HTTP/3 connection of a peer that has to announce
// its clients by a PROXY header, which datagrams do not carry.
var errUnannounced = errors.New("a peer that announces its clients cannot do so over HTTP/3")

// quicServer serves HTTP/3 on one socket, with the methods of an http.Server.
type quicServer struct {
	server    *Server
	socket    net.PacketConn
	transport *quic.Transport
	listener  *quic.Listener
	http      *http3.Server

	accepting context.Context // of new connections
	deafen    context.CancelFunc
	served    chan struct{}

	handshakes atomic.Int64 // with addresses that are not verified
	requests   atomic.Int64
}

// altService is the value of Alt-Svc (RFC 7838 §3) that leads to HTTP/3 on the
// port of the socket, for a day.
func altService(socket net.PacketConn) []string {
	udp, ok := socket.LocalAddr().(*net.UDPAddr)
	if !ok {
		return nil
	}
	return []string{`h3=":` + strconv.Itoa(udp.Port) + `"; ma=86400`}
}

func (s *Server) newQUIC(socket net.PacketConn, config *tls.Config) (*quicServer, error) {
	q := &quicServer{server: s, socket: socket, served: make(chan struct{})}
	q.accepting, q.deafen = context.WithCancel(context.Background())
	ids, err := newConnectionIDs(s.generation)
	if err != nil {
		return nil, err
	}
	// Without a StatelessResetKey: after an upgrade it would end the
	// connections of the generation before.
	q.transport = &quic.Transport{
		Conn:                  socket,
		ConnectionIDGenerator: ids,
		VerifySourceAddress:   q.mustVerify,
		ConnContext:           q.admit,
	}
	q.http = &http3.Server{
		Handler:        s.counted(http.HandlerFunc(q.serveHTTP)),
		MaxHeaderBytes: s.maxHeaderBytes,
		ConnContext:    q.begin,
		Logger:         slog.New(errorsOnly{s.log.Handler()}),
	}
	q.listener, err = q.transport.Listen(http3.ConfigureTLSConfig(config), &quic.Config{
		HandshakeIdleTimeout:       s.header / 2, // quic-go allows twice this for all of it
		MaxIdleTimeout:             h3Silence,
		KeepAlivePeriod:            h3KeepAlive,
		MaxIncomingStreams:         h2Streams, // a stream that was reset counts until its request has ended
		MaxIncomingUniStreams:      h3ControlStreams,
		MaxStreamReceiveWindow:     h3StreamWindow,
		MaxConnectionReceiveWindow: h3ConnectionWindow,
	})
	if err != nil {
		_ = q.transport.Close()
		return nil, err
	}
	return q, nil
}

// Accept serves http3.QUICListener. It ends with the server's own context, so
// that what has shaken hands is accepted before the rest is told to go away.
func (q *quicServer) Accept(context.Context) (*quic.Conn, error) {
	return q.listener.Accept(q.accepting)
}

// Addr serves http3.QUICListener.
func (q *quicServer) Addr() net.Addr { return q.listener.Addr() }

// serve accepts until Shutdown.
func (q *quicServer) serve() error {
	defer close(q.served)
	err := q.http.ServeListener(q)
	if q.server.stopping.Load() {
		return http.ErrServerClosed
	}
	return err
}

// Shutdown accepts no more, tells clients to go away (GOAWAY), and waits until
// their requests have ended and they have closed their connections, for which
// they have a moment. The end of ctx cuts what is left.
func (q *quicServer) Shutdown(ctx context.Context) error {
	go func() { _ = q.listener.Close() }() // waits for handshakes
	select {
	case <-q.served:
	case <-time.After(h3Handshakes):
	case <-ctx.Done():
	}
	q.deafen()
	<-q.served
	over, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		defer end()
		q.farewell(ctx)
	}()
	if err := q.http.Shutdown(over); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if q.server.ended.Load() > 0 {
		return ctx.Err()
	}
	return nil
}

// farewell returns when no client needs its connection any more, or at the end
// of ctx.
func (q *quicServer) farewell(ctx context.Context) {
	poll := time.NewTicker(h3Poll)
	defer poll.Stop()
	for quiet := time.Now(); time.Since(quiet) < h3Goodbye; {
		if q.requests.Load() > 0 {
			quiet = time.Now()
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			q.server.ended.Store(q.requests.Load())
			return
		}
	}
}

// Close ends everything at once and closes the socket.
func (q *quicServer) Close() error {
	q.deafen()
	err := q.http.Close()
	return errors.Join(err, q.transport.Close(), q.socket.Close())
}

// arrival is a connection from its first packet on.
type arrival struct {
	server *quicServer
	conn   *quic.Conn // after the handshake

	mu     sync.Mutex
	active int // requests
	idle   *time.Timer
	// unverified says that it counts as a handshake with an address that
	// may be anybody's.
	unverified atomic.Bool
}

type arrivalKey struct{}

// mustVerify says whether a client has to prove that it is at its address
// before anything is kept for it: when many have not done so, or when the
// address is nearly out of connections, which could be someone else's doing.
func (q *quicServer) mustVerify(a net.Addr) bool {
	if q.handshakes.Load() >= h3Unverified {
		return true
	}
	from := addressOf(a)
	if from.IsLoopback() || !from.IsValid() {
		return false
	}
	return q.server.clients.count(networkOf(from)) >= q.server.table.Load().connections/2
}

// admit counts a connection with its first packet.
func (q *quicServer) admit(ctx context.Context, client *quic.ClientInfo) (context.Context, error) {
	from := addressOf(client.RemoteAddr)
	if contains(q.server.table.Load().announcers, from) {
		return nil, errUnannounced
	}
	taken, ok := q.server.admit(from)
	if !ok {
		return nil, errCrowded
	}
	a := &arrival{server: q}
	if !client.AddrVerified {
		a.unverified.Store(true)
		q.handshakes.Add(1)
	}
	context.AfterFunc(ctx, func() {
		a.verified()
		taken.leave()
	})
	return context.WithValue(ctx, arrivalKey{}, a), nil
}

// verified ends the handshake of an unverified address.
func (a *arrival) verified() {
	if a.unverified.CompareAndSwap(true, false) {
		a.server.handshakes.Add(-1)
	}
}

// begin follows the handshake.
func (q *quicServer) begin(ctx context.Context, conn *quic.Conn) context.Context {
	a := ctx.Value(arrivalKey{}).(*arrival)
	a.verified()
	a.mu.Lock()
	a.conn = conn
	a.idle = time.AfterFunc(q.server.idle, a.expire)
	a.mu.Unlock()
	context.AfterFunc(ctx, func() { a.idle.Stop() })
	// ReverseProxy looks for a server before it breaks a response off.
	return context.WithValue(ctx, http.ServerContextKey, new(http.Server))
}

// expire closes a connection that carries no request; one whose header does not
// arrive is none.
func (a *arrival) expire() {
	a.mu.Lock()
	idle := a.active == 0
	a.mu.Unlock()
	if idle {
		_ = a.conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "idle")
	}
}

func (a *arrival) enter() {
	a.server.requests.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.active++
	a.idle.Stop()
}

func (a *arrival) leave() {
	a.server.requests.Add(-1)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.active--; a.active == 0 {
		a.idle.Reset(a.server.server.idle)
	}
}

// errorsOnly keeps from the log what http3 says of every request, which names
// its query.
type errorsOnly struct{ slog.Handler }

// Enabled serves slog.Handler.
func (h errorsOnly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && h.Handler.Enabled(ctx, level)
}

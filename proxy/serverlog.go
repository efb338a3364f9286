package proxy

import (
	"log"
	"log/slog"
	"strings"
)

// serverErrors returns the error log of an http.Server.
func serverErrors(to *slog.Logger) *log.Logger { return log.New(serverLog{to}, "", 0) }

// serverLog takes what net/http has to say, which has no levels. What any
// client can provoke is no news; that no connection could be accepted, or that
// a handler panicked, is.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if isClientNoise(text) {
		l.log.Debug(text)
	} else {
		l.log.Error(text)
	}
	return len(line), nil
}

// isClientNoise reports whether a message of net/http tells of a client that
// does not keep to TLS or HTTP/2, or that has fallen silent.
func isClientNoise(text string) bool {
	for _, beginning := range [...]string{
		"http: TLS handshake error from ",
		"http2: server: error reading preface from client ",
		"http2: server connection error from ",
		"http2: server closing client connection",
		"http2: received GOAWAY ",
		"timeout waiting for SETTINGS frames from ",
		"timeout waiting for PING response",
	} {
		if strings.HasPrefix(text, beginning) {
			return true
		}
	}
	return false
}

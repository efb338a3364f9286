package proxy

import (
	"bytes"
	"log/slog"
)

// serverLog takes what net/http has to say. Clients that give up a handshake
// are no news; that no connection could be accepted, or that a handler
// panicked, is.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	text := string(bytes.TrimSpace(line))
	if bytes.Contains(line, []byte("TLS handshake error")) {
		l.log.Debug(text)
	} else {
		l.log.Error(text)
	}
	return len(line), nil
}

package proxy

import (
	"crypto/rand"

	"github.com/quic-go/quic-go"
)

// connectionIDLength leaves seven random bytes beside the generation.
const connectionIDLength = 8

// connectionIDs makes the connection IDs of this process (RFC 9000 §5.1). Byte
// 0 is the generation of the process, the other seven are random. Two edges
// that share the socket during an upgrade tell by that byte whose a packet with
// a short header is: the newer one forwards what bears an older generation.
// The ID in the very first packets of a client is the client's choice and says
// nothing.
type connectionIDs struct{ generation byte }

// newConnectionIDs returns the IDs of a generation; 0 chooses one at random,
// which is as good for a process that replaces no other.
func newConnectionIDs(generation byte) (connectionIDs, error) {
	for generation == 0 {
		var b [1]byte
		if _, err := rand.Read(b[:]); err != nil {
			return connectionIDs{}, err
		}
		generation = b[0]
	}
	return connectionIDs{generation}, nil
}

// GenerateConnectionID serves quic.Transport.
func (c connectionIDs) GenerateConnectionID() (quic.ConnectionID, error) {
	var id [connectionIDLength]byte
	id[0] = c.generation
	if _, err := rand.Read(id[1:]); err != nil {
		return quic.ConnectionID{}, err
	}
	return quic.ConnectionIDFromBytes(id[:]), nil
}

// ConnectionIDLen serves quic.Transport.
func (connectionIDs) ConnectionIDLen() int { return connectionIDLength }

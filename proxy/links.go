package proxy

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// LinkParameter is the query parameter that carries a signed link.
	LinkParameter = "bluegreen_link"
	// LinkCookie is the cookie that a signed link is exchanged for. Its
	// prefix binds it to one host (RFC 6265bis §4.1.3.2).
	LinkCookie = "__Host-bluegreen"
	// LinkKeySize is the size of a LinkKey in bytes.
	LinkKeySize = 32
)

// LinkKey is the secret with which the links of one installation are signed.
// It is safe for concurrent use.
type LinkKey struct {
	create func() ([]byte, error)
	making sync.Mutex
	key    atomic.Pointer[[LinkKeySize]byte]
}

// NewLinkKey returns the key that has been kept, LinkKeySize bytes, or with nil one
// that create makes, and keeps, when the first link is signed. Until then no
// link is valid, for none has been given out.
func NewLinkKey(kept []byte, create func() ([]byte, error)) (*LinkKey, error) {
	k := &LinkKey{create: create}
	if kept != nil {
		return k, k.set(kept)
	}
	return k, nil
}

func (k *LinkKey) set(key []byte) error {
	if len(key) != LinkKeySize {
		return fmt.Errorf("the key of signed links has %d bytes, not %d", len(key), LinkKeySize)
	}
	fixed := [LinkKeySize]byte(key)
	k.key.Store(&fixed)
	return nil
}

// make makes the key unless there is one.
func (k *LinkKey) make() error {
	k.making.Lock()
	defer k.making.Unlock()
	if k.key.Load() != nil {
		return nil
	}
	if k.create == nil {
		return errors.New("there is no key to sign links with")
	}
	key, err := k.create()
	if err != nil {
		return err
	}
	return k.set(key)
}

// Links returns the links of an app.
func (k *LinkKey) Links(app string) *Links { return &Links{key: k, app: app} }

// Links signs and checks the links of one app. A link lets whoever has it into
// one host until it expires: past the access rules of a Policy that says
// Signed, and past Maintenance. A nil *Links has none.
type Links struct {
	key *LinkKey
	app string
}

// Sign returns the value of LinkParameter that opens host until expires, which
// counts in whole seconds. An error means that no key could be made.
func (l *Links) Sign(host string, expires time.Time) (string, error) {
	if err := l.key.make(); err != nil {
		return "", fmt.Errorf("making the key of signed links: %w", err)
	}
	return l.seal(inLink, normalHost(host), expires.Unix()), nil
}

// active reports whether any link can be valid.
func (l *Links) active() bool { return l != nil && l.key.key.Load() != nil }

// carrier is where a token stands. What is good in one place is not in
// another.
type carrier byte

const (
	inLink   carrier = 'l'
	inCookie carrier = 'c'
)

// A token is version, expiry in Unix seconds, nonce, and the HMAC of these and
// of where it stands and what it opens.
const (
	tokenVersion = 1
	tokenHead    = 1 + 8 + 8
	tokenSize    = tokenHead + sha256.Size
)

var tokenText = base64.RawURLEncoding.Strict()

func (l *Links) seal(c carrier, host string, expires int64) string {
	token := make([]byte, tokenHead, tokenSize)
	token[0] = tokenVersion
	binary.BigEndian.PutUint64(token[1:], uint64(expires))
	_, _ = rand.Read(token[9:]) // never fails
	return tokenText.EncodeToString(append(token, l.mac(c, host, token)...))
}

// open checks a token for host and returns its expiry. The clock is looked at
// last, so that it tells nothing about a token that is not ours.
func (l *Links) open(c carrier, host, text string, now time.Time) (expires int64, ok bool) {
	if !l.active() || len(text) != tokenText.EncodedLen(tokenSize) {
		return 0, false
	}
	token, err := tokenText.DecodeString(text)
	if err != nil || token[0] != tokenVersion {
		return 0, false
	}
	head, mac := token[:tokenHead], token[tokenHead:]
	if !hmac.Equal(mac, l.mac(c, host, head)) {
		return 0, false
	}
	expires = int64(binary.BigEndian.Uint64(head[1:]))
	return expires, now.Unix() < expires
}

func (l *Links) mac(c carrier, host string, head []byte) []byte {
	h := hmac.New(sha256.New, l.key.key.Load()[:])
	h.Write([]byte("bluegreen "))
	h.Write([]byte{byte(c)})
	for _, part := range [...]string{l.app, host} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(part)))
		h.Write(size[:])
		h.Write([]byte(part))
	}
	h.Write(head)
	return h.Sum(nil)
}

package chat

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

const (
	maxTransfer = 256 << 20
	chunk       = 16 << 10
)

// Content returns the endless bytes of a seed: the same everywhere, so that
// both ends of a transfer can tell whether all of them are right.
func Content(seed uint64) io.Reader {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	return rand.NewChaCha8(key)
}

// Receipt is the answer to an upload.
type Receipt struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"` // hexadecimal
}

// download sends ?bytes=N of the content of ?seed=S, at ?rate=R bytes a second
// (default: at once).
func (c *chat) download(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	size, err := strconv.ParseInt(query.Get("bytes"), 10, 64)
	if err != nil || size < 0 || size > maxTransfer {
		refuse(w, http.StatusBadRequest, "bytes must be between 0 and 268435456")
		return
	}
	seed, err := strconv.ParseUint(cmp.Or(query.Get("seed"), "0"), 10, 64)
	if err != nil {
		refuse(w, http.StatusBadRequest, "seed must be a number")
		return
	}
	rate, err := strconv.ParseInt(cmp.Or(query.Get("rate"), "0"), 10, 64)
	if err != nil || rate < 0 {
		refuse(w, http.StatusBadRequest, "rate must be a number of bytes a second")
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	if send(r.Context(), w, io.LimitReader(Content(seed), size), rate) != nil {
		panic(http.ErrAbortHandler) // so that a short answer cannot be taken for a whole one
	}
}

// send copies to w, no faster than rate bytes a second unless that is 0.
func send(ctx context.Context, w http.ResponseWriter, from io.Reader, rate int64) error {
	if rate == 0 {
		_, err := io.Copy(w, from)
		return err
	}
	stream := http.NewResponseController(w)
	piece := min(chunk, max(1, rate/20))
	pace := time.NewTicker(max(time.Millisecond, time.Duration(piece)*time.Second/time.Duration(rate)))
	defer pace.Stop()
	for {
		if _, err := io.CopyN(w, from, piece); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.Flush(); err != nil {
			return err
		}
		select {
		case <-pace.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// upload answers what it got.
func (c *chat) upload(w http.ResponseWriter, r *http.Request) {
	hash := sha256.New()
	n, err := io.Copy(hash, http.MaxBytesReader(w, r.Body, maxTransfer))
	if err != nil {
		refuse(w, http.StatusBadRequest, "the body broke off or is too large")
		return
	}
	answer(w, http.StatusOK, Receipt{Bytes: n, SHA256: fmt.Sprintf("%x", hash.Sum(nil))})
}

// slow answers after ?for=DURATION (default 1s).
func (c *chat) slow(w http.ResponseWriter, r *http.Request) {
	timer := time.NewTimer(duration(r, "for", time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
		answer(w, http.StatusOK, c.identity())
	case <-r.Context().Done():
	}
}

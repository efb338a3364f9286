package edgetls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/caddyserver/certmagic"
)

// storage is certmagic's file layout with two differences. Locks live in memory, since one process
// owns the state directory: a lock file left by a killed process would block its successor. And
// writes reach the disk before they count, the previous private key being kept, because key and
// certificate are two files and a crash may come between them.
type storage struct {
	certmagic.FileStorage
	mu    sync.Mutex
	locks map[string]chan struct{}
}

func newStorage(dir string) *storage {
	return &storage{FileStorage: certmagic.FileStorage{Path: dir}, locks: map[string]chan struct{}{}}
}

// Lock waits for the lock named name.
func (s *storage) Lock(ctx context.Context, name string) error {
	select {
	case s.lock(name) <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// TryLock takes the lock named name if it is free.
func (s *storage) TryLock(_ context.Context, name string) (bool, error) {
	select {
	case s.lock(name) <- struct{}{}:
		return true, nil
	default:
		return false, nil
	}
}

// Unlock gives the lock named name back.
func (s *storage) Unlock(_ context.Context, name string) error {
	select {
	case <-s.lock(name):
		return nil
	default:
		return fmt.Errorf("lock %q is not held", name)
	}
}

func (s *storage) lock(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.locks[name] == nil {
		s.locks[name] = make(chan struct{}, 1)
	}
	return s.locks[name]
}

// Store writes value at key.
func (s *storage) Store(_ context.Context, key string, value []byte) error {
	path := s.Filename(key)
	if strings.HasSuffix(key, ".key") {
		if err := keepPrevious(path); err != nil {
			return err
		}
	}
	return writeFile(path, value)
}

// pair loads what is stored for name by the issuer. The error wraps fs.ErrNotExist when nothing is.
func (s *storage) pair(issuerKey, name string) (*tls.Certificate, error) {
	chain, err := os.ReadFile(s.Filename(certmagic.StorageKeys.SiteCert(issuerKey, name)))
	if err != nil {
		return nil, err
	}
	keyPath := s.Filename(certmagic.StorageKeys.SitePrivateKey(issuerKey, name))
	cert, err := parsePair(chain, keyPath)
	if err != nil {
		if earlier, earlierErr := parsePair(chain, previous(keyPath)); earlierErr == nil {
			cert, err = earlier, nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the stored certificate is unusable: %w", hideAbsence(err))
	}
	if err := cert.Leaf.VerifyHostname(name); err != nil {
		return nil, fmt.Errorf("the stored certificate is unusable: %w", err)
	}
	return cert, nil
}

func parsePair(chain []byte, keyPath string) (*tls.Certificate, error) {
	key, err := os.ReadFile(keyPath)
	if err != nil {
		return nil, err
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &cert, nil
}

// hideAbsence keeps a missing private key from looking like a missing certificate.
func hideAbsence(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("its private key is missing")
	}
	return err
}

func previous(path string) string { return path + ".previous" }

func keepPrevious(path string) error {
	if err := os.Remove(previous(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(path, previous(path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// writeFile replaces the file at path, readable by its owner only, whole or not at all. Once the
// rename has happened the new content counts, whatever syncing the directory says.
func writeFile(path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	syncDir(filepath.Dir(path))
	return nil
}

// writeTemp writes data, synced, to a new file beside path.
func writeTemp(path string, data []byte) (name string, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // made with mode 0600
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}

package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Guestbook returns the path of a static build of the program in guestbook/, an
// application on PostgreSQL in many versions, to be run or put into images.
func Guestbook(t testing.TB) string {
	t.Helper()
	program, err := guestbook()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "guestbook")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// guestbook is compiled once in the life of a test binary.
var guestbook = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "pgtest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "guestbook")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "sofiacall.com/bluegreen/internal/pgtest/guestbook")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the guestbook: %w\n%s", err, said)
	}
	return os.ReadFile(path)
})

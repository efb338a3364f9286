package postgres

import (
	"os"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		child()
	}
	pgtest.Main(m)
}

package backup

import (
	"os"
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childFolder); folder != "" {
		child(folder)
	}
	pgtest.Main(m)
}

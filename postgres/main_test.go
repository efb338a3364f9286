package postgres

import (
	"testing"

	"sofiacall.com/bluegreen/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

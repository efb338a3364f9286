package config

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testEnv is the environment of the tests. The value of SECRET must never be seen.
func testEnv(name string) (string, bool) {
	value, ok := map[string]string{
		"GREEN_PORT": "4002",
		"TITLE":      "two words: [x, y]",
		"INHERITED":  "from outside",
		"BLANK":      "",
		"SECRET":     "hunter2-hunter2",
		"OWNER_URL":  "postgres://owner:hunter2@db.example.com/chat",
	}[name]
	return value, ok
}

package switcher

import "testing"

func TestMaskHidesTheValuesOfAnEnvironment(t *testing.T) {
	m := NewMask([]string{
		"DB_PASSWORD=hunter22", "DB_URL=postgres://chat:hunter22@db/chat", "KEY=-----BEGIN-----\r\nMIIEvQ\r\n", "DEBUG=true", "EMPTY=",
		"PATH=/usr/bin", "PORT=30000", "BLUEGREEN_COLOUR=green",
	})
	for text, want := range map[string]string{
		"password hunter22, hunter22":             "password …, …",
		"to postgres://chat:hunter22@db/chat now": "to … now",
		"-----BEGIN-----":                         "…",
		"key MIIEvQ":                              "key …",
		"true: green listens on 30000, /usr/bin":  "true: green listens on 30000, /usr/bin",
	} {
		if got := m.Line(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}

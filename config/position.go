package config

// position is where a key's value stands, and the value as it is written there,
// before any variable is expanded.
type position struct {
	line, column int
	raw          string
}

// positions are the values of a file by dotted path.
type positions map[string]position

package language

// english says what the edge says, as it says it.
func english() *Language {
	return &Language{code: "en", point: ".", thousands: ",", together: 1000, units: units{days: "days", ago: "%s ago", now: "just now"}}
}

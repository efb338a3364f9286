package notify

import "sofiacall.com/bluegreen/switcher"

// Cause is a reason that the switcher gives, in the language, as far as it is
// known there: "en" or "es".
func Cause(language, text string) string {
	if language == "es" {
		return spanishCause(text)
	}
	return text
}

// Finding is what a rule has measured, in the language: "en" or "es".
func Finding(language string, f switcher.Finding) string {
	if language == "es" {
		return spanishFinding(f)
	}
	return f.Text
}

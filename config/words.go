package config

import (
	"errors"
	"strings"
)

// splitWords splits a command line like a POSIX shell does (quotes, backslashes,
// blanks) but runs nothing: what only a shell could do is an error.
func splitWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quoted rune
	inWord, escaped := false, false
	for _, c := range line {
		switch {
		case escaped:
			if quoted == '"' && !strings.ContainsRune(`"\`, c) {
				word.WriteByte('\\')
			}
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quoted != '\'':
			escaped, inWord = true, true
		case quoted != 0 && c == quoted:
			quoted = 0
		case quoted != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quoted, inWord = c, true
		case strings.ContainsRune(" \t\r\n", c):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		case strings.ContainsRune("|&;<>()`", c):
			return nil, errors.New("no shell runs it, so " + string(c) + " has no meaning here: quote it, or write [sh, -c, \"…\"]")
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quoted != 0 || escaped {
		return nil, errors.New("a quote or an escape is not closed")
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 {
		return nil, errors.New("there is no program in it")
	}
	return words, nil
}

package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// dollar matches what may follow from a dollar sign on; the last alternative is the error.
var dollar = regexp.MustCompile(`\$\$|\$\{[A-Za-z_][A-Za-z0-9_]*\}|\$`)

var errDollar = errors.New("has a $ that is neither ${NAME} nor $$: only ${NAME} is expanded, and $$ is a literal dollar sign")

// expand replaces ${NAME} by the variable's value and $$ by a dollar sign. It tells
// whether a variable was used. An error names the variable and shows no value.
func expand(text string, env func(string) (string, bool)) (expanded string, used bool, err error) {
	expanded = dollar.ReplaceAllStringFunc(text, func(match string) string {
		switch match {
		case "$$":
			return "$"
		case "$":
			if !errors.Is(err, errDollar) {
				err = errors.Join(err, errDollar)
			}
			return ""
		}
		name := strings.Trim(match, "${}")
		value, ok := env(name)
		if !ok {
			err = errors.Join(err, unset(name))
		}
		used = true
		return value
	})
	return expanded, used, err
}

func unset(name string) error {
	return fmt.Errorf("the variable %s is not set in the environment: set it, or write $$ for a literal dollar sign", name)
}

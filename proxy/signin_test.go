package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
)

// A sign-in form is guessed at like basic authentication is, and must be
// bounded like it.
func TestSignInTellsWhyAndLimitsGuesses(t *testing.T) {
	u := users(t, NewPasswords())
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if err := u.SignIn(t.Context(), here, "maria", password); err != nil {
		t.Fatalf("the right password: %v", err)
	}
	for i := range failureBurst {
		if err := u.SignIn(t.Context(), here, "nobody", fmt.Sprint(i)); !errors.Is(err, ErrWrongPassword) {
			t.Fatalf("guess %d: %v, want %v", i, err, ErrWrongPassword)
		}
	}
	if err := u.SignIn(t.Context(), here, "maria", "another guess"); !errors.Is(err, ErrTooManyGuesses) {
		t.Errorf("after %d guesses: %v, want %v", failureBurst, err, ErrTooManyGuesses)
	}
	if err := u.SignIn(t.Context(), there, "maria", "another guess"); !errors.Is(err, ErrWrongPassword) {
		t.Errorf("from another address: %v, want %v", err, ErrWrongPassword)
	}
}

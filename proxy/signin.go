package proxy

import (
	"context"
	"errors"
	"net/netip"
)

// Why Users.SignIn lets nobody in.
var (
	ErrWrongPassword  = errors.New("wrong user or password")
	ErrTooManyGuesses = errors.New("too many wrong passwords from this address")
	ErrPasswordsBusy  = errors.New("too many others have their passwords checked")
)

// SignIn says whether password is the user's, outside of any route: nil, or one
// of the errors above. It takes turns and counts failures together with basic
// authentication, and costs the same for a user whom nobody knows.
func (u *Users) SignIn(ctx context.Context, client netip.Addr, user, password string) error {
	switch u.check(ctx, client, user, password) {
	case right:
		return nil
	case tooMany:
		return ErrTooManyGuesses
	case busy:
		return ErrPasswordsBusy
	}
	return ErrWrongPassword
}

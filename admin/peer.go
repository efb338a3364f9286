package admin

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"sofiacall.com/bluegreen/switcher"
)

// identity is who asks, and what they may do.
type identity struct {
	actor switcher.Actor
	scope Scope
}

type identityKey struct{}

func withIdentity(ctx context.Context, who identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

// caller returns who asks; somebody unknown has ScopeNone.
func caller(ctx context.Context) identity {
	who, _ := ctx.Value(identityKey{}).(identity)
	return who
}

// identifyPeer adds the identity of the process at the other end of a unix
// socket to the context of its requests. The kernel vouches for it (unix(7),
// SO_PEERCRED). Names and groups are looked up for each connection, so that
// taking somebody out of the group has effect at once.
func (s *Server) identifyPeer(ctx context.Context, conn net.Conn) context.Context {
	cred, err := peerCredentials(conn)
	if err != nil {
		s.log.Warn("admin: who is at the other end of the socket is not known", "error", err)
		return ctx
	}
	return withIdentity(ctx, identity{actor: s.actor(cred), scope: s.scope(cred)})
}

func peerCredentials(conn net.Conn) (*unix.Ucred, error) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("%T is not a unix socket", conn)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	var cred *unix.Ucred
	var failed error
	if err := raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return nil, err
	}
	return cred, failed
}

// scope grants admin to root and to the user the edge itself runs as, who can
// do anything to it anyway, and operate to the members of the group.
func (s *Server) scope(cred *unix.Ucred) Scope {
	switch {
	case cred.Uid == 0, int(cred.Uid) == os.Geteuid():
		return ScopeAdmin
	case s.isMember(cred):
		return ScopeOperate
	}
	return ScopeNone
}

func (s *Server) isMember(cred *unix.Ucred) bool {
	group, err := user.LookupGroup(s.options.Group)
	if err != nil {
		return false
	}
	if group.Gid == strconv.FormatUint(uint64(cred.Gid), 10) {
		return true
	}
	member, err := user.LookupId(strconv.FormatUint(uint64(cred.Uid), 10))
	if err != nil {
		return false
	}
	groups, err := member.GroupIds()
	return err == nil && slices.Contains(groups, group.Gid)
}

// actor is user@host, with the number of a user who has no name.
func (s *Server) actor(cred *unix.Ucred) switcher.Actor {
	name := strconv.FormatUint(uint64(cred.Uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return switcher.Actor(name + "@" + s.options.Hostname)
}

package proxy

import (
	"net"
	"net/netip"
)

// clientPrefix is the part of an IPv6 address that a network gives to one
// customer at the least.
const clientPrefix = 64

// networkOf returns the address that stands for all that a client may own: an
// IPv4 address, or an IPv6 network.
func networkOf(client netip.Addr) netip.Addr {
	if !client.Is6() {
		return client
	}
	network, _ := client.Prefix(clientPrefix) // so many bits always fit
	return network.Addr()
}

// addressOf returns the IP address of a, or an invalid one.
func addressOf(a net.Addr) netip.Addr {
	switch a := a.(type) {
	case *net.TCPAddr:
		return plain(a.AddrPort().Addr())
	case *net.UDPAddr:
		return plain(a.AddrPort().Addr())
	default:
		return netip.Addr{}
	}
}

// peerOf returns the address of an http.Request's RemoteAddr, or an invalid
// one.
func peerOf(remoteAddr string) netip.Addr {
	peer, _ := netip.ParseAddrPort(remoteAddr)
	return plain(peer.Addr())
}

// plain returns an address without what is particular to this machine.
func plain(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// contains reports whether one of the ranges holds a.
func contains(ranges []netip.Prefix, a netip.Addr) bool {
	for _, r := range ranges {
		if r.Contains(a) {
			return true
		}
	}
	return false
}

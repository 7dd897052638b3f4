package notifications

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbiddenAddress: a URL leads to an address that must not be called.
var ErrForbiddenAddress = errors.New("the endpoint's address is private, loopback or link-local, which is not allowed here")

// dialer connects to public addresses only, unless private ones are allowed.
// The check sits behind the resolver, so that no name can lead around it.
func dialer(allowPrivate bool) *net.Dialer {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if allowPrivate {
		return d
	}
	d.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !public(at.Addr()) {
			return ErrForbiddenAddress
		}
		return nil
	}
	return d
}

// nat64 embeds an IPv4 address in its last four bytes (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// shared is carrier-grade NAT's address space (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

func public(a netip.Addr) bool {
	a = a.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !shared.Contains(a)
}

// Package guard keeps requests that somebody else's URL leads to away from what
// is not public: webhooks, and files that are imported.
package guard

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// ErrForbiddenAddress: a URL leads to an address that must not be called.
var ErrForbiddenAddress = errors.New("the endpoint's address is private, loopback or link-local, which is not allowed here")

// Dialer connects to public addresses only, unless private ones are allowed.
// The check sits behind the resolver, so that no name can lead around it.
func Dialer(allowPrivate bool) *net.Dialer {
	d := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if allowPrivate {
		return d
	}
	d.Control = func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !Public(at.Addr()) {
			return ErrForbiddenAddress
		}
		return nil
	}
	return d
}

// embedding are the IPv6 ranges whose addresses stand for IPv4 addresses, and
// where in them these are. What stands for a private one is private.
var embedding = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, // NAT64, RFC 6052
	{netip.MustParsePrefix("::/96"), 12},        // IPv4-compatible, RFC 4291 § 2.5.5.1
	{netip.MustParsePrefix("2002::/16"), 2},     // 6to4, RFC 3056
}

// reserved are the ranges beside those that netip knows that lead to nobody
// else's public host (IANA special-purpose address registries).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network, RFC 791
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments, RFC 6890
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation, RFC 5737
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // documentation
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, RFC 1112
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64, RFC 8215
	netip.MustParsePrefix("100::/64"),        // discard, RFC 6666
	netip.MustParsePrefix("2001::/23"),       // protocols, Teredo among them
	netip.MustParsePrefix("2001:db8::/32"),   // documentation, RFC 3849
	netip.MustParsePrefix("fec0::/10"),       // site-local, RFC 3879
}

// Public reports whether an address may be somebody else's public host.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("") // a prefix contains no address with a zone
	for _, e := range embedding {
		if e.prefix.Contains(a) {
			b := a.As16()
			a = netip.AddrFrom4([4]byte(b[e.at : e.at+4]))
			break
		}
	}
	for _, p := range reserved {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsGlobalUnicast() && !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast()
}

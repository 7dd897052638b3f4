package notifications

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/guard"
)

func TestPublic(t *testing.T) {
	for _, a := range []string{
		"127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "192.0.2.1",
		"::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "ff02::1", "fec0::1", "2001:db8::1", "100::1",
		"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
		"::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe%x", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378::1",
	} {
		if guard.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s may be called", a)
		}
	}
	for _, a := range []string{"1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:8.8.8.8", "2002:808:808::1"} {
		if !guard.Public(netip.MustParseAddr(a)) {
			t.Errorf("%s may not be called", a)
		}
	}
}

// refused sends to a URL with a guarded dialer and returns the reason.
func refused(t *testing.T, d *net.Dialer, url string) string {
	t.Helper()
	s := newSender(d, nil, time.Now)
	_, err := s.send(context.Background(), Destination{URL: url}, delivery{ID: "x", ContentType: "application/json", Body: []byte("{}")})
	if err == nil {
		t.Fatalf("%s was called", url)
	}
	return err.Error()
}

func TestGuard_refusesAddresses(t *testing.T) {
	rc := newReceiver(t, nil)
	_, port, _ := net.SplitHostPort(rc.Listener.Addr().String())
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "10.1.2.3", "169.254.169.254", "[fe80::1]", "[64:ff9b::7f00:1]", "0.0.0.0"} {
		if got := refused(t, guard.Dialer(false), "http://"+host+":"+port+"/"); got != ErrForbiddenAddress.Error() {
			t.Errorf("%s: %s", host, got)
		}
	}
	none(t, rc.got, "a request")
}

// The name is harmless; where it leads is not. The check sits behind the
// resolver, so that an answer that changes between two look-ups (rebinding)
// changes nothing.
func TestGuard_refusesNames(t *testing.T) {
	rc := newReceiver(t, nil)
	_, port, _ := net.SplitHostPort(rc.Listener.Addr().String())
	for _, to := range []string{"127.0.0.1", "10.0.0.7", "169.254.169.254"} {
		d := guard.Dialer(false)
		d.Resolver = resolver(netip.MustParseAddr(to))
		if got := refused(t, d, "http://hooks.example.org:"+port+"/"); got != ErrForbiddenAddress.Error() {
			t.Errorf("a name of %s: %s", to, got)
		}
	}
	none(t, rc.got, "a request")
}

func TestGuard_nameUnknown(t *testing.T) {
	d := guard.Dialer(true)
	d.Resolver = resolver(netip.Addr{})
	got := refused(t, d, "http://hooks.example.org/")
	if got != "the name of the endpoint's host cannot be resolved" {
		t.Error(got)
	}
}

// resolver answers every question for an address with a, or that there is no
// such name.
func resolver(a netip.Addr) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return &nameServer{address: a}, nil
	}}
}

// nameServer is a connection to a name server (RFC 1035), as TCP.
type nameServer struct {
	net.Conn
	address netip.Addr
	answer  bytes.Buffer
}

func (n *nameServer) Write(p []byte) (int, error) {
	q := p[2:] // behind the length
	end := 12 + bytes.IndexByte(q[12:], 0) + 5
	isA := q[end-3] == 1
	r := append([]byte(nil), q[:end]...)
	r[2], r[3] = 0x81, 0x80
	copy(r[6:12], make([]byte, 6)) // no answers yet
	switch {
	case !n.address.IsValid():
		r[3] |= 3 // no such name
	case isA:
		r[7] = 1
		r = append(r, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
		r = append(r, n.address.AsSlice()...)
	}
	n.answer.Write([]byte{byte(len(r) >> 8), byte(len(r))})
	n.answer.Write(r)
	return len(p), nil
}

func (n *nameServer) Read(p []byte) (int, error)       { return n.answer.Read(p) }
func (n *nameServer) Close() error                     { return nil }
func (n *nameServer) SetDeadline(time.Time) error      { return nil }
func (n *nameServer) SetReadDeadline(time.Time) error  { return nil }
func (n *nameServer) SetWriteDeadline(time.Time) error { return nil }

func TestDestination_Validate(t *testing.T) {
	good := Destination{ID: "d", Name: "App", URL: "https://app.example.org/hook?tenant=1"}
	for _, c := range []struct {
		name   string
		change func(*Destination)
		rules  Rules
		field  string
	}{
		{"good", func(*Destination) {}, Rules{Environment: Production}, ""},
		{"http in Development", func(d *Destination) { d.URL = "http://app.example.org" }, Rules{Environment: Development}, ""},
		{"http in a sandbox", func(d *Destination) { d.URL = "http://127.0.0.1:1" }, Rules{Environment: Production, Sandbox: true}, ""},
		{"http in Production", func(d *Destination) { d.URL = "http://app.example.org" }, Rules{Environment: Production}, "url"},
		{"http in Staging", func(d *Destination) { d.URL = "http://app.example.org" }, Rules{Environment: Staging}, "url"},
		{"another scheme", func(d *Destination) { d.URL = "file:///etc/passwd" }, Rules{}, "url"},
		{"gopher", func(d *Destination) { d.URL = "gopher://app.example.org" }, Rules{}, "url"},
		{"no host", func(d *Destination) { d.URL = "https:///x" }, Rules{}, "url"},
		{"relative", func(d *Destination) { d.URL = "/hook" }, Rules{}, "url"},
		{"a password", func(d *Destination) { d.URL = "https://a:b@app.example.org" }, Rules{}, "url"},
		{"line break in the URL", func(d *Destination) { d.URL = "https://app.example.org/\r\nX: 1" }, Rules{}, "url"},
		{"no name", func(d *Destination) { d.Name = "" }, Rules{}, "name"},
		{"header injection", func(d *Destination) { d.VerificationToken = "a\r\nX-Evil: 1" }, Rules{}, "verificationToken"},
		{"a NUL", func(d *Destination) { d.VerificationToken = "a\x00" }, Rules{}, "verificationToken"},
		{"not ASCII", func(d *Destination) { d.VerificationToken = "tökn" }, Rules{}, "verificationToken"},
		{"spaces around", func(d *Destination) { d.VerificationToken = " a" }, Rules{}, "verificationToken"},
		{"a slash in the id", func(d *Destination) { d.ID = "a/b" }, Rules{}, "id"},
		{"a long id", func(d *Destination) { d.ID = strings.Repeat("x", 129) }, Rules{}, "id"},
		{"timeout", func(d *Destination) { d.TimeoutSeconds = 121 }, Rules{}, "timeoutSeconds"},
		{"method", func(d *Destination) { d.VerificationMethod = "PUT" }, Rules{}, "verificationMethod"},
		{"secret", func(d *Destination) { d.Secret = "hunter2" }, Rules{}, "secret"},
	} {
		d := good
		c.change(&d)
		err := d.Validate(c.rules)
		field := ""
		if f, ok := errors.AsType[*FieldError](err); ok {
			field = f.Field
		}
		if field != c.field || (err == nil) != (c.field == "") {
			t.Errorf("%s: %v, want an error of %q", c.name, err, c.field)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Error("the error holds the secret")
		}
	}
}

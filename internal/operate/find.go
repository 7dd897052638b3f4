package operate

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/fhirfacade/fhirfacade/internal/server"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// Place says where a store is: behind a server, or in a folder or MongoDB.
type Place struct {
	// Server is a server's scheme and host; "" to find out.
	Server string
	Token  string
	// Config is what a server on this machine is started with.
	Config server.Config
}

// find returns a client of the server that has the store, or, when none runs,
// the store itself.
func (p Place) find(ctx context.Context) (*Client, *server.Offline, error) {
	if p.Server != "" {
		return &Client{URL: p.Server, Token: p.Token}, nil, nil
	}
	c := Client{URL: ServerURL("", p.Config.Listen), Token: p.Token}
	if p.Config.MongoDBURI != "" && c.Alive(ctx) {
		return &c, nil, nil
	}
	offline, err := server.OpenOffline(ctx, p.Config)
	if !errors.Is(err, pebble.ErrLocked) {
		return nil, offline, err
	}
	if !c.Alive(ctx) {
		return nil, nil, unanswered(p.Config.Data, c.URL)
	}
	return &c, nil, nil
}

// unanswered: the store is open, and where its server should be there is none.
func unanswered(data, url string) error {
	return fmt.Errorf("%s: %w; if it is a server, say where it listens with --server: there is none at %s", data, pebble.ErrLocked, url)
}

// ServerURL is where a server is: the one that is named, or the one on this
// machine by the address that it listens on.
func ServerURL(server, listen string) string {
	if server != "" {
		return server
	}
	return "http://" + local(listen)
}

// local is the address by which this machine reaches what listens.
func local(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

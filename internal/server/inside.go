package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/store"
)

// Base is a tenant's FHIR base.
func (o *Offline) Base(t store.Tenant) string { return o.core.base(t) }

// Serve serves the FHIR API to this process alone and does jobs until stop is
// called. The client's requests, to whatever host, go through pipes in memory,
// so that nobody else on the machine reaches what needs no credentials here.
func (o *Offline) Serve(ctx context.Context) (client *http.Client, stop func(), err error) {
	if err := o.core.runner.Check(ctx); err != nil {
		return nil, nil, err
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	o.core.api.Register(e)
	in := &pipes{connections: make(chan net.Conn), closed: make(chan struct{})}
	s := &http.Server{Handler: e, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)} //nolint:gosec // no stranger sends headers slowly here
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var all sync.WaitGroup
	all.Add(2)
	go func() {
		defer all.Done()
		_ = s.Serve(in) // ends with the pipes
	}()
	go func() {
		defer all.Done()
		o.core.runner.Run(work)
	}()
	transport := &http.Transport{DialContext: in.dial}
	return &http.Client{Transport: transport}, func() {
		_ = s.Close()
		cancel()
		all.Wait()
		transport.CloseIdleConnections()
	}, nil
}

// pipes is a listener whose connections are pipes in memory.
type pipes struct {
	connections chan net.Conn
	closed      chan struct{}
	once        sync.Once
}

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	here, there := net.Pipe()
	var err error
	select {
	case p.connections <- there:
		return here, nil
	case <-p.closed:
		err = net.ErrClosed
	case <-ctx.Done():
		err = ctx.Err()
	}
	return nil, errors.Join(err, here.Close(), there.Close())
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.connections:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

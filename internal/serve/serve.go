// Package serve runs the small HTTP servers of the tools.
package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// HTTP serves h until ctx ends. ready is called with the URL once it listens.
func HTTP(ctx context.Context, listen string, h http.Handler, ready func(url string)) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; choose another address with --listen", listen, errors.Unwrap(err))
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	ready("http://" + l.Addr().String())
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.Shutdown(limit)
}

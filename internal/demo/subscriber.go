package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/fhirfacade/fhirfacade/internal/receiver"
)

// subscriber is a receiver process.
type subscriber struct {
	name, url, dir string
	id             string // of its subscription
	// seen is how many accepted deliveries the demo has spoken of.
	seen int
}

// Agreed on by the subscribers and the server.
const (
	token        = "demo-verification-token"
	signedSecret = "whsec_ZmhpcmZhY2FkZS1kZW1vLXNpZ25pbmcta2V5LTAx"
)

func (d *demo) startSubscriber(ctx context.Context, name string) (*subscriber, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	s := &subscriber{name: name, url: "http://" + address, dir: d.path("received-" + name)}
	return s, d.run("subscriber-"+name, "receive", "--listen", address, "--name", name,
		"--token", token, "--secret", signedSecret, "--dir", s.dir)
}

// deliveries lists everything that came, accepted or not.
func (s *subscriber) deliveries(ctx context.Context) ([]receiver.Delivery, error) {
	var all []receiver.Delivery
	return all, call(ctx, http.MethodGet, s.url+"/control/received", nil, &all)
}

// accepted lists what came and was accepted.
func (s *subscriber) accepted(ctx context.Context) ([]receiver.Delivery, error) {
	all, err := s.deliveries(ctx)
	var ok []receiver.Delivery
	for _, d := range all {
		if d.Status == http.StatusOK {
			ok = append(ok, d)
		}
	}
	return ok, err
}

// next waits until exactly the named events came since the demo last looked.
func (s *subscriber) next(ctx context.Context, events ...string) ([]receiver.Delivery, error) {
	var fresh []receiver.Delivery
	err := until(ctx, fmt.Sprintf("%s to get %s", s.name, strings.Join(events, ", ")), func() (bool, string, error) {
		all, err := s.accepted(ctx)
		if err != nil {
			return false, "", err
		}
		fresh = all[s.seen:]
		return len(fresh) >= len(events), names(fresh), nil
	})
	if err != nil {
		return nil, err
	}
	return fresh, s.only(fresh, events...)
}

// only checks that deliveries are the named events, each once, in order.
func (s *subscriber) only(fresh []receiver.Delivery, events ...string) error {
	if names(fresh) != strings.Join(events, ", ") {
		return fmt.Errorf("%s got %s, want exactly %s", s.name, names(fresh), strings.Join(events, ", "))
	}
	s.seen += len(fresh)
	return nil
}

func names(ds []receiver.Delivery) string {
	all := make([]string, len(ds))
	for i, d := range ds {
		all[i] = d.Event
	}
	return strings.Join(all, ", ")
}

// body reads a stored delivery.
func (s *subscriber) body(d receiver.Delivery, into any) error {
	b, err := os.ReadFile(filepath.Join(s.dir, d.File))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

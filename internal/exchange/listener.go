package exchange

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fhirfacade/fhirfacade/internal/exchange/mllp"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// listeners are the MLLP listeners of all tenants' connections.
type listeners struct {
	x *Exchange

	mu  sync.Mutex
	all map[string]*listener // by the connection's name
}

// listener is one connection that listens.
type listener struct {
	config  string // what it was started with
	address string
	failed  atomic.Pointer[string] // why it does not listen
	stop    context.CancelFunc
	done    chan struct{}
}

// Listening says how a connection's listener does.
type Listening struct {
	Connection string `json:"connection"`
	// Address is where it listens.
	Address string `json:"address,omitempty"`
	// Error is why it does not.
	Error string `json:"error,omitempty"`
}

// wantedListener is a connection that is to listen.
type wantedListener struct {
	tenant     store.Tenant
	connection Connection
}

func (w wantedListener) config() string {
	b, _ := json.Marshal([]any{w.tenant, w.connection}) // strings and numbers: cannot fail
	return string(b)
}

// apply makes the listeners those that are wanted, by name. One that could not
// listen is tried again.
func (l *listeners) apply(ctx context.Context, wanted map[string]wantedListener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ended []*listener
	for name, r := range l.all {
		if w, ok := wanted[name]; !ok || w.config() != r.config || r.failed.Load() != nil {
			r.stop()
			ended = append(ended, r)
			delete(l.all, name)
		}
	}
	for _, r := range ended {
		<-r.done // the address is free, and what was taken is answered
	}
	for name, w := range wanted {
		if l.all[name] == nil {
			l.all[name] = l.start(ctx, w)
		}
	}
}

func (l *listeners) start(ctx context.Context, w wantedListener) *listener {
	r := &listener{config: w.config(), stop: func() {}, done: make(chan struct{})}
	log := l.x.o.Logger.With("tenant", w.tenant, "connection", w.connection.ID)
	fail := func(err error) *listener {
		why := "it cannot listen: " + reasonOf(err)
		r.failed.Store(&why)
		log.ErrorContext(ctx, "an MLLP listener cannot listen", "error", err)
		close(r.done)
		return r
	}
	c := w.connection.hl7v2()
	options := mllp.ServerOptions{
		Now: l.x.o.Now, NewID: l.controlID, Logger: log, Read: hl7v2.Options{Charset: c.Charset},
		Handler: func(ctx context.Context, m mllp.Received) error {
			src, err := l.x.sources.Get(ctx, w.tenant, w.connection.Source)
			if err != nil {
				return err
			}
			_, err = l.x.IngestHL7v2(ctx, w.tenant, src, c, m.Raw, m.Message)
			return err
		},
	}
	if c.TLS != nil {
		var err error
		if options.TLS, err = c.TLS.config(); err != nil {
			return fail(err)
		}
	}
	allowed, err := c.networks()
	if err != nil {
		return fail(err)
	}
	at, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fail(err)
	}
	if len(allowed) > 0 {
		at = &allowing{at, allowed, func(a net.Addr) { log.Warn("connection refused: its network is not allowed", "remote", a) }}
	}
	r.address = at.Addr().String()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go func() {
		defer close(r.done)
		if err := mllp.NewServer(options).Serve(serving, at); err != nil {
			log.Error("an MLLP listener has ended", "error", err)
			// Its place in the list is kept; the next look starts it again.
			why := "it has stopped listening"
			r.failed.Store(&why)
		}
	}()
	log.InfoContext(ctx, "an MLLP listener listens", "address", r.address)
	return r
}

// controlID is a control id for an answer: 20 characters at most.
func (l *listeners) controlID() string {
	return strings.ReplaceAll(l.x.o.NewID(), "-", "")[:20]
}

// reasonOf words why an address cannot be listened on.
func reasonOf(err error) string {
	var op *net.OpError
	if errors.As(err, &op) && op.Err != nil {
		return op.Err.Error()
	}
	return err.Error()
}

func (l *listeners) status(t store.Tenant) []Listening {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := []Listening{}
	for n, r := range l.all {
		if id, ok := strings.CutPrefix(n, name(t, "")); ok {
			s := Listening{Connection: id, Address: r.address}
			if why := r.failed.Load(); why != nil {
				s.Error = *why
			}
			mine = append(mine, s)
		}
	}
	return mine
}

// retryListening is how often those that cannot listen are tried again.
const retryListening = 10 * time.Second

// Run keeps the listeners going until ctx ends, and ends them then: what they
// are handling is still committed and answered.
func (cs *Connections) Run(ctx context.Context) {
	tick := time.NewTicker(retryListening)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			cs.listeners.apply(ctx, nil)
			return
		case <-tick.C:
			if !cs.listeners.failing() {
				continue
			}
			if err := cs.Apply(ctx); err != nil && ctx.Err() == nil {
				cs.x.o.Logger.ErrorContext(ctx, "connections cannot be read", "error", err)
			}
		}
	}
}

func (l *listeners) failing() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.all {
		if r.failed.Load() != nil {
			return true
		}
	}
	return false
}

// listen checks a connection that listens and gives it its defaults.
func (c Connection) listens() error {
	switch {
	case c.Kind != KindMLLP:
		return &notifications.FieldError{Field: "kind", Rule: "must be " + KindMLLP + ", or left out for a vendor's API"}
	case c.HL7v2 == nil:
		return &notifications.FieldError{Field: "hl7v2", Rule: "is required of a connection of kind " + KindMLLP}
	case c.Vendor != "" || c.BaseURL != "" || len(c.Actions) > 0:
		return &notifications.FieldError{Field: "vendor", Rule: "is of connections to a vendor's API, and baseUrl and actions too"}
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		return &notifications.FieldError{Field: "timeZone", Rule: `must be a time zone such as "America/Chicago"`}
	}
	return c.HL7v2.Validate()
}

// allowing takes connections from some networks only.
type allowing struct {
	net.Listener
	networks []netip.Prefix
	refused  func(net.Addr)
}

func (a *allowing) Accept() (net.Conn, error) {
	for {
		conn, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
		if err == nil {
			for _, n := range a.networks {
				if n.Contains(from.Addr().Unmap()) {
					return conn, nil
				}
			}
		}
		a.refused(conn.RemoteAddr())
		conn.Close()
	}
}

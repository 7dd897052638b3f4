package mllp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// The identities of what can keep a message from being delivered.
var (
	ErrConnection = errors.New("mllp: no connection")
	ErrNoAnswer   = errors.New("mllp: no acknowledgement in time")
	ErrAnswer     = errors.New("mllp: the answer is no acknowledgement")
)

// ClientOptions say where messages go. Address and Now are required.
type ClientOptions struct {
	Address string // host:port
	TLS     *tls.Config
	// Connect is how long connecting may take (10 s), Answer how long the
	// acknowledgement (30 s).
	Connect, Answer time.Duration
	Now             func() time.Time
	// Dial makes connections; nil is the network's.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Client sends messages to one receiver over one connection, which is kept.
// One message is under way at a time; others wait, in no order of theirs.
type Client struct {
	o     ClientOptions
	turn  chan struct{}
	conn  net.Conn
	frame hl7v2.Framer
}

// NewClient makes a client. It connects when it has something to send.
func NewClient(o ClientOptions) *Client {
	o.Connect, o.Answer = orDuration(o.Connect, 10*time.Second), orDuration(o.Answer, 30*time.Second)
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	return &Client{o: o, turn: make(chan struct{}, 1)}
}

// Answer is what the receiver made of a message.
type Answer struct {
	Code    string // of table 0008: AA, AE, AR, CA, CE, CR
	Message *hl7v2.Message
}

// Accepted tells whether the receiver has taken the message.
func (a Answer) Accepted() bool {
	return a.Code == hl7v2.ApplicationAccept || a.Code == hl7v2.CommitAccept
}

// Rejected tells whether it cannot be taken, whatever the content.
func (a Answer) Rejected() bool {
	return a.Code == hl7v2.ApplicationReject || a.Code == hl7v2.CommitReject
}

// Conditions are the codes of table 0357 in the answer's ERR segments. They
// are codes and no texts, since texts may quote what the message said.
func (a Answer) Conditions() []string {
	var codes []string
	for _, s := range a.Message.Segments() {
		if s.Is("ERR") {
			code := s.Field(3).Component(1).String()
			if code == "" {
				code = s.Field(1).Component(4).Subcomponent(1).String() // before 2.5
			}
			if code != "" && len(code) <= 20 {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// Send sends a message and waits for the acknowledgement whose MSA-2 is its
// control id. A kept connection that turns out to be dead is made anew, once,
// and the same message is sent again, which receivers recognise by MSH-10.
// After an error the message may have arrived; it is to be sent again as it
// is.
func (c *Client) Send(ctx context.Context, controlID string, message []byte) (Answer, error) {
	select {
	case c.turn <- struct{}{}:
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
	defer func() { <-c.turn }()
	kept := c.conn != nil
	answer, err := c.exchange(ctx, controlID, message)
	if kept && errors.Is(err, ErrConnection) && ctx.Err() == nil {
		answer, err = c.exchange(ctx, controlID, message)
	}
	return answer, err
}

func (c *Client) exchange(ctx context.Context, controlID string, message []byte) (Answer, error) {
	if err := c.connect(ctx); err != nil {
		return Answer{}, err
	}
	answer, err := c.roundTrip(ctx, controlID, message)
	if err != nil {
		// An acknowledgement that comes late must not be taken for another's.
		c.drop()
	}
	return answer, err
}

func (c *Client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.o.Connect)
	defer cancel()
	conn, err := c.o.Dial(ctx, "tcp", c.o.Address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConnection, err)
	}
	if c.o.TLS != nil {
		config := c.o.TLS.Clone()
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(c.o.Address)
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return fmt.Errorf("%w: %w", ErrConnection, err)
		}
		conn = secure
	}
	c.conn, c.frame = conn, hl7v2.Framer{Max: 1 << 20}
	return nil
}

func (c *Client) drop() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *Client) roundTrip(ctx context.Context, controlID string, message []byte) (Answer, error) {
	if err := c.conn.SetDeadline(c.o.Now().Add(c.o.Answer)); err != nil {
		return Answer{}, fmt.Errorf("%w: %w", ErrConnection, err)
	}
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := c.conn.Write(hl7v2.AppendFrame(make([]byte, 0, len(message)+3), message)); err != nil {
		return Answer{}, c.failed(ctx, err)
	}
	buf := make([]byte, 4<<10)
	for {
		frame, err := c.frame.Next()
		if err != nil {
			return Answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		if frame == nil {
			n, err := c.conn.Read(buf)
			_, _ = c.frame.Write(buf[:n])
			if err == nil || n > 0 {
				continue
			}
			if frame, _ = c.frame.Pause(); frame == nil {
				return Answer{}, c.failed(ctx, err)
			}
		}
		m, err := hl7v2.Parse(frame, hl7v2.Options{})
		if err != nil {
			return Answer{}, fmt.Errorf("%w: %w", ErrAnswer, err)
		}
		msa := m.Segment("MSA", 0)
		if !msa.Exists() {
			return Answer{}, fmt.Errorf("%w: MSA is missing", ErrAnswer)
		}
		// One that could not read MSH names no message, and can mean this one
		// alone.
		if of := msa.Field(2).String(); of != controlID && of != "" {
			continue
		}
		switch code := msa.Field(1).String(); code {
		case hl7v2.ApplicationAccept, hl7v2.ApplicationError, hl7v2.ApplicationReject,
			hl7v2.CommitAccept, hl7v2.CommitError, hl7v2.CommitReject:
			return Answer{Code: code, Message: m}, nil
		}
		return Answer{}, fmt.Errorf("%w: MSA-1 is not of table 0008", ErrAnswer)
	}
}

// failed words an error of the connection.
func (c *Client) failed(ctx context.Context, err error) error {
	var timeout net.Error
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &timeout) && timeout.Timeout():
		return ErrNoAnswer
	}
	return fmt.Errorf("%w: %w", ErrConnection, err)
}

// Close ends the connection.
func (c *Client) Close() {
	c.turn <- struct{}{}
	defer func() { <-c.turn }()
	c.drop()
}

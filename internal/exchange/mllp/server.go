package mllp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// Received is one message as it came.
type Received struct {
	Raw     []byte // without its frame
	Message *hl7v2.Message
	Header  hl7v2.Header
	Remote  net.Addr
	// Peer is the sender's certificate, where TLS asked for one.
	Peer *tls.ConnectionState
}

// Handler takes a message. When it returns nil, the message is stored, and the
// answer says so. An error of package hl7v2 is answered with its condition;
// any other is an internal one: the sender is told to try again.
type Handler func(context.Context, Received) error

// ServerOptions say how messages are taken. Handler, Now and NewID are
// required.
type ServerOptions struct {
	Handler Handler
	Now     func() time.Time
	// NewID makes the control ids of answers, at most 20 characters long.
	NewID func() string
	// TLS is the configuration of encrypted connections; nil for plain ones.
	TLS *tls.Config
	// Read says how messages are read, and the largest one.
	Read hl7v2.Options
	// Idle is how long a connection may be silent between messages (10 min),
	// Frame how long a message may take to come (1 min), Write how long its
	// answer may take to go (30 s).
	Idle, Frame, Write time.Duration
	// Connections is how many there may be at once (100).
	Connections int
	Logger      *slog.Logger
}

// Server takes messages from any number of connections.
type Server struct {
	o    ServerOptions
	seen *answers
}

// NewServer makes a server.
func NewServer(o ServerOptions) *Server {
	o.Idle, o.Frame, o.Write = orDuration(o.Idle, 10*time.Minute), orDuration(o.Frame, time.Minute), orDuration(o.Write, 30*time.Second)
	if o.Connections <= 0 {
		o.Connections = 100
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Server{o: o, seen: newAnswers(4096)}
}

func orDuration(d, none time.Duration) time.Duration {
	if d <= 0 {
		return none
	}
	return d
}

// Serve takes connections until the context ends or the listener fails. A
// message that is being handled then gets its answer before Serve returns.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.o.TLS != nil {
		l = tls.NewListener(l, s.o.TLS)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	defer wait.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	places := make(chan struct{}, s.o.Connections)
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil // it was closed because the context ended
			}
			return fmt.Errorf("mllp: %w", err)
		}
		select {
		case places <- struct{}{}:
		default:
			s.o.Logger.Warn("connection refused: there are as many as allowed", "remote", conn.RemoteAddr(), "allowed", s.o.Connections)
			conn.Close()
			continue
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			defer func() { <-places }()
			s.connection(ctx, conn)
		}()
	}
}

// connection handles what one sender sends until it closes.
func (s *Server) connection(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	log := s.o.Logger.With("remote", conn.RemoteAddr())
	// Reading ends with the context; what was read is still answered.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	r := &receiver{conn: conn, o: &s.o, ctx: ctx, framer: hl7v2.Framer{Max: s.o.Read.MaxBytes}}
	for {
		frame, err := r.next()
		if r.framer.Dropped > 0 {
			log.Warn("a frame was dropped: another one began in it", "frames", r.framer.Dropped)
			r.framer.Dropped = 0
		}
		switch {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, io.EOF) && !r.framer.Open():
			return
		case errors.Is(err, hl7v2.ErrSize):
			// The rest of the frame cannot be told from what follows it.
			log.Warn("connection closed: a frame is larger than the limit")
			_ = s.reject(conn, hl7v2.Header{}, err)
			return
		default:
			log.Warn("connection closed", "error", err, "frameOpen", r.framer.Open())
			return
		}
		if !s.frame(context.WithoutCancel(ctx), conn, frame, log) {
			return
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// receiver reads frames under the deadlines.
type receiver struct {
	conn   net.Conn
	o      *ServerOptions
	ctx    context.Context // the connection's own
	framer hl7v2.Framer
	buf    [16 << 10]byte
	began  time.Time // when the open frame began; zero without one
}

// ending is how long a frame waits for the carriage return behind its end.
const ending = 250 * time.Millisecond

func (r *receiver) next() ([]byte, error) {
	for {
		frame, err := r.framer.Next()
		if frame != nil || err != nil {
			r.began = time.Time{}
			return frame, err
		}
		now := r.o.Now()
		deadline := now.Add(r.o.Idle)
		if r.framer.Open() {
			if r.began.IsZero() {
				r.began = now
			}
			deadline = r.began.Add(r.o.Frame)
		}
		pausing := r.framer.Ending() && now.Add(ending).Before(deadline)
		if pausing {
			deadline = now.Add(ending)
		}
		if err := r.conn.SetReadDeadline(deadline); err != nil {
			return nil, err
		}
		if r.ctx.Err() != nil { // whose end set a deadline of its own
			return nil, r.ctx.Err()
		}
		n, err := r.conn.Read(r.buf[:])
		_, _ = r.framer.Write(r.buf[:n])
		if err == nil || n > 0 {
			continue
		}
		if pausing && errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, io.EOF) {
			if frame, wrong := r.framer.Pause(); frame != nil || wrong != nil {
				r.began = time.Time{}
				return frame, wrong
			}
		}
		if pausing && errors.Is(err, os.ErrDeadlineExceeded) {
			continue
		}
		return nil, err
	}
}

// frame handles what one frame holds: a message, or the messages of a batch.
// It tells whether the connection can go on.
func (s *Server) frame(ctx context.Context, conn net.Conn, raw []byte, log *slog.Logger) bool {
	m, err := hl7v2.Parse(raw, s.o.Read)
	if err != nil {
		log.Warn("a message cannot be read", "error", err, "bytes", len(raw))
		return s.reject(conn, hl7v2.Header{}, err) == nil
	}
	if !m.Batched() {
		if m.Count("MSH") > 1 {
			err := &hl7v2.Error{Kind: hl7v2.ErrFrame, Path: hl7v2.Path{Segment: "MSH", Occurrence: 2}, Rule: "a frame holds one message, or a batch with its header"}
			log.Warn("a message was refused", "error", err)
			return s.reject(conn, m.Header(), err) == nil
		}
		return s.message(ctx, conn, raw, m, log)
	}
	for _, text := range m.Batch() {
		one, err := hl7v2.Parse(text, hl7v2.Options{MaxBytes: s.o.Read.MaxBytes, Decoded: true})
		if err != nil {
			log.Warn("a message of a batch cannot be read", "error", err)
			if s.reject(conn, hl7v2.Header{}, err) != nil {
				return false
			}
			continue
		}
		if !s.message(ctx, conn, text, one, log) {
			return false
		}
	}
	return true
}

func (s *Server) message(ctx context.Context, conn net.Conn, raw []byte, m *hl7v2.Message, log *slog.Logger) bool {
	h := m.Header()
	log = log.With("type", word(h.Type), "event", word(h.Event))
	if m.Segment("MSA", 0).Exists() {
		log.Info("an acknowledgement came unasked; it is not acknowledged")
		return true
	}
	key := keyOf(h, raw)
	if again, ok := s.seen.get(key); ok {
		log.Info("a message came again; its answer is repeated")
		return s.send(conn, again) == nil
	}
	err := required(h)
	if err == nil {
		r := Received{Raw: raw, Message: m, Header: h, Remote: conn.RemoteAddr()}
		if secure, ok := conn.(*tls.Conn); ok {
			state := secure.ConnectionState()
			r.Peer = &state
		}
		err = s.handle(ctx, r)
	}
	if err != nil {
		log.Warn("a message was not taken", "error", err)
	}
	answers := s.answersTo(h, err, m.Warnings)
	if err == nil && h.ControlID != "" {
		s.seen.put(key, answers)
	}
	if err := s.send(conn, answers); err != nil {
		log.Warn("an answer could not be sent", "error", err)
		return false
	}
	return true
}

// word is a code of the header for the log: nothing longer than codes are.
func word(code string) string { return code[:min(len(code), 8)] }

// required checks what no message can be handled without.
func required(h hl7v2.Header) error {
	switch {
	case h.Type == "":
		return &hl7v2.Error{Kind: hl7v2.ErrRequired, Path: hl7v2.Path{Segment: "MSH", Field: 9}, Rule: "MSH-9 is required"}
	case h.ControlID == "":
		return &hl7v2.Error{Kind: hl7v2.ErrRequired, Path: hl7v2.Path{Segment: "MSH", Field: 10}, Rule: "MSH-10 is required"}
	}
	return nil
}

// handle calls the handler; a panic in it is an internal error and no more.
func (s *Server) handle(ctx context.Context, r Received) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic (%T)", v) // its value may be a patient's
		}
	}()
	return s.o.Handler(ctx, r)
}

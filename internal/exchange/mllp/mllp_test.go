package mllp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fhirfacade/fhirfacade/internal/exchange/mllp"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

func adt(id, rest string) string {
	return "MSH|^~\\&|ADT1|GOOD|US|HOME|20260302090000-0500||ADT^A08^ADT_A01|" + id + "|P|2.5.1" + rest + "\rEVN||20260302090000\rPID|1||4711^^^GOOD^MR\r"
}

// heard is what a server's handler was given.
type heard struct {
	mu   sync.Mutex
	ids  []string
	fail func(mllp.Received) error
}

func (h *heard) handle(_ context.Context, r mllp.Received) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ids = append(h.ids, r.Header.ControlID)
	if h.fail != nil {
		return h.fail(r)
	}
	return nil
}

func (h *heard) list() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.ids, " ")
}

// serve runs a server until the test ends.
func serve(t testing.TB, o mllp.ServerOptions) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var n atomic.Int64
	o.Now, o.NewID = time.Now, func() string { return fmt.Sprint("A", n.Add(1)) }
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mllp.NewServer(o).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func client(t testing.TB, address string) *mllp.Client {
	c := mllp.NewClient(mllp.ClientOptions{Address: address, Now: time.Now})
	t.Cleanup(c.Close)
	return c
}

func TestMessagesAreHandledInOrderAndAcknowledged(t *testing.T) {
	h := &heard{}
	c := client(t, serve(t, mllp.ServerOptions{Handler: h.handle}))
	var want []string
	for i := range 50 {
		id := fmt.Sprint("M", i)
		want = append(want, id)
		a, err := c.Send(t.Context(), id, []byte(adt(id, "")))
		if err != nil || !a.Accepted() {
			t.Fatal(a, err)
		}
	}
	if diff := cmp.Diff(strings.Join(want, " "), h.list()); diff != "" {
		t.Error(diff)
	}
}

func TestFailuresAreAnswered(t *testing.T) {
	for _, c := range []struct {
		name, code, condition string
		err                   error
	}{
		{"a required field", "AE", "101", &hl7v2.Error{Kind: hl7v2.ErrRequired, Path: hl7v2.Path{Segment: "PID", Field: 3}}},
		{"an event that is not supported", "AR", "201", hl7v2.Errors{{Kind: hl7v2.ErrEvent}}},
		{"the store", "AR", "207", errors.New("disk full: of Anna Muster")},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &heard{fail: func(mllp.Received) error { return c.err }}
			a, err := client(t, serve(t, mllp.ServerOptions{Handler: h.handle})).Send(t.Context(), "M1", []byte(adt("M1", "")))
			if err != nil || a.Code != c.code || strings.Join(a.Conditions(), " ") != c.condition {
				t.Error(a.Code, a.Conditions(), err)
			}
			if strings.Contains(string(a.Message.Text()), "Muster") {
				t.Error("the answer tells what went wrong inside")
			}
		})
	}
	h := &heard{fail: func(mllp.Received) error { panic("of Anna Muster") }}
	a, err := client(t, serve(t, mllp.ServerOptions{Handler: h.handle})).Send(t.Context(), "M1", []byte(adt("M1", "")))
	if err != nil || a.Code != "AR" {
		t.Error("a panic: ", a.Code, err)
	}
}

// talk writes bytes to a server and reads as many answers as wanted, or until
// the server closes.
func talk(t *testing.T, address, bytes string, answers int) (codes []string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, bytes); err != nil {
		t.Fatal(err)
	}
	f, buf := &hl7v2.Framer{}, make([]byte, 4096)
	for len(codes) < answers {
		frame, err := f.Next()
		if err != nil {
			t.Fatal(err)
		}
		if frame == nil {
			n, err := conn.Read(buf)
			_, _ = f.Write(buf[:n])
			if n == 0 && err != nil {
				return codes, true
			}
			continue
		}
		m, err := hl7v2.Parse(frame, hl7v2.Options{})
		if err != nil {
			t.Fatal(err)
		}
		codes = append(codes, m.Get("MSA-1").String()+":"+m.Get("MSA-2").String()+":"+m.Get("ERR-3").String())
	}
	return codes, false
}

func frame(message string) string { return "\x0b" + message + "\x1c\r" }

func TestBadInputIsAnsweredOrClosed(t *testing.T) {
	for _, c := range []struct {
		name, bytes string
		want        string // answers
		closed      bool
		handled     string
	}{
		{"two messages in one write", frame(adt("M1", "")) + frame(adt("M2", "")), "AA:M1: AA:M2:", false, "M1 M2"},
		{"no HL7", frame("hello"), "AR::100", false, ""},
		{"wrong delimiters", frame("MSH|^^\\&|x\r"), "AR::102", false, ""},
		{"no MSH-9", frame("MSH|^~\\&|A|B|C|D|2026|||M1|P|2.5.1\r"), "AE:M1:101", false, ""},
		{"no MSH-10", frame("MSH|^~\\&|A|B|C|D|2026||ADT^A08||P|2.5.1\r"), "AE::101", false, ""},
		{"two messages in one frame", frame(adt("M1", "") + adt("M2", "")), "AR:M1:207", false, ""},
		{"a batch", frame("FHS|^~\\&|A\rBHS|^~\\&|A\r" + adt("M1", "") + adt("M2", "") + "BTS|2\rFTS|1\r"), "AA:M1: AA:M2:", false, "M1 M2"},
		{"an acknowledgement", frame("MSH|^~\\&|A|B|C|D|2026||ACK|M1|P|2.5.1\rMSA|AA|X\r") + frame(adt("M2", "")), "AA:M2:", false, "M2"},
		{"a frame that begins in another", "\x0bMSH|^~\\&|cut" + frame(adt("M1", "")), "AA:M1:", false, "M1"},
		{"no start and no carriage return", adt("M1", "") + "\x1c", "AA:M1:", false, "M1"},
		{"too large", "\x0b" + strings.Repeat("x", 5000), "AR::207 closed", true, ""},
		{"control characters", frame("MSH|^~\\&|\x00\x01|B|C|D|2026||ADT^A08|M1|P|2.5.1\rPID|\x02\x1c\x7f\r"), "AA:M1:", false, "M1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &heard{}
			address := serve(t, mllp.ServerOptions{Handler: h.handle, Read: hl7v2.Options{MaxBytes: 4000}})
			want := strings.Fields(c.want)
			codes, closed := talk(t, address, c.bytes, len(want))
			if closed {
				codes = append(codes, "closed")
			}
			if diff := cmp.Diff(want, codes); diff != "" {
				t.Error(diff)
			}
			if h.list() != c.handled {
				t.Error("handled", h.list())
			}
		})
	}
}

// TestSlowSendersAreCutOff: a frame has to come in its time, however often a
// byte of it comes.
func TestSlowSendersAreCutOff(t *testing.T) {
	h := &heard{}
	address := serve(t, mllp.ServerOptions{Handler: h.handle, Frame: 50 * time.Millisecond, Idle: time.Hour})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.ReadAll(conn)
	}()
	for i := 0; ; i++ {
		select {
		case <-gone:
			if i == 0 || h.list() != "" {
				t.Error(i, h.list())
			}
			return
		default:
			if _, err := io.WriteString(conn, "\x0bMSH|^~\\&|A"[min(i, 10):min(i, 10)+1]); err != nil {
				<-gone
				return
			}
		}
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	address := serve(t, mllp.ServerOptions{Handler: (&heard{}).handle, Idle: 20 * time.Millisecond})
	if codes, closed := talk(t, address, "", 1); !closed {
		t.Error(codes)
	}
}

func TestAMessageThatComesAgainIsNotHandledAgain(t *testing.T) {
	h := &heard{}
	address := serve(t, mllp.ServerOptions{Handler: h.handle})
	codes, _ := talk(t, address, frame(adt("M1", ""))+frame(adt("M1", ""))+frame(adt("M1", "|seq")), 3)
	if diff := cmp.Diff([]string{"AA:M1:", "AA:M1:", "AA:M1:"}, codes); diff != "" {
		t.Error(diff)
	}
	if h.list() != "M1 M1" { // the third is another message of the same number
		t.Error(h.list())
	}
}

func TestFailedMessagesMayComeAgain(t *testing.T) {
	h := &heard{}
	h.fail = func(mllp.Received) error {
		h.fail = nil
		return errors.New("not now")
	}
	codes, _ := talk(t, serve(t, mllp.ServerOptions{Handler: h.handle}), frame(adt("M1", ""))+frame(adt("M1", "")), 2)
	if diff := cmp.Diff([]string{"AR:M1:207", "AA:M1:"}, codes); diff != "" {
		t.Error(diff)
	}
}

func TestEnhancedMode(t *testing.T) {
	wrong := &hl7v2.Error{Kind: hl7v2.ErrTable, Path: hl7v2.Path{Segment: "PID", Field: 8}}
	for _, c := range []struct {
		name, accept, application string
		err                       error
		want                      string
	}{
		{"both always", "AL", "AL", nil, "CA:M1: AA:M1:"},
		{"both always, wrong content", "AL", "AL", wrong, "CA:M1: AE:M1:103"},
		{"accept only", "AL", "NE", nil, "CA:M1:"},
		{"accept only, wrong content", "AL", "NE", wrong, "CE:M1:103"},
		{"errors only, none", "ER", "ER", nil, ""},
		{"errors only, wrong content", "ER", "ER", wrong, "AE:M1:103"},
		{"not stored", "AL", "AL", errors.New("disk full"), "CR:M1:207"},
		{"application only", "NE", "AL", nil, "AA:M1:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &heard{fail: func(r mllp.Received) error {
				if r.Header.ControlID == "END" {
					return nil
				}
				return c.err
			}}
			address := serve(t, mllp.ServerOptions{Handler: h.handle})
			want := append(strings.Fields(c.want), "AA:END:")
			codes, _ := talk(t, address, frame(adt("M1", "|||"+c.accept+"|"+c.application))+frame(adt("END", "")), len(want))
			if diff := cmp.Diff(want, codes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConnectionsHaveALimit(t *testing.T) {
	address := serve(t, mllp.ServerOptions{Handler: (&heard{}).handle, Connections: 1})
	first := client(t, address)
	if _, err := first.Send(t.Context(), "M1", []byte(adt("M1", ""))); err != nil {
		t.Fatal(err)
	}
	if _, closed := talk(t, address, "", 1); !closed {
		t.Error("the second connection was not closed")
	}
}

// receiver is an MLLP server by hand: it does with each connection what the
// test says.
func receiver(t *testing.T, connections ...func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, handle := range connections {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func readOne(conn net.Conn) string {
	f, buf := &hl7v2.Framer{}, make([]byte, 4096)
	for {
		if m, err := f.Next(); m != nil || err != nil {
			return string(m)
		}
		n, err := conn.Read(buf)
		_, _ = f.Write(buf[:n])
		if n == 0 && err != nil {
			return ""
		}
	}
}

func ack(code, of string) string {
	return frame("MSH|^~\\&|A|B|C|D|2026||ACK|X|P|2.5.1\rMSA|" + code + "|" + of + "\r")
}

func TestClientTakesItsOwnAnswerOnly(t *testing.T) {
	address := receiver(t, func(conn net.Conn) {
		readOne(conn)
		_, _ = io.WriteString(conn, ack("AE", "OLD")+ack("AA", "M1"))
		readOne(conn)
	})
	c := client(t, address)
	a, err := c.Send(t.Context(), "M1", []byte(adt("M1", "")))
	if err != nil || !a.Accepted() {
		t.Error(a.Code, err)
	}
	c.Close()
}

func TestClientConnectsAgain(t *testing.T) {
	resent := make(chan string, 1)
	address := receiver(t,
		func(conn net.Conn) { readOne(conn); _, _ = io.WriteString(conn, ack("AA", "M1")) }, // and is gone
		func(conn net.Conn) { resent <- readOne(conn); _, _ = io.WriteString(conn, ack("AA", "M2")) },
	)
	c := client(t, address)
	for _, id := range []string{"M1", "M2"} {
		if a, err := c.Send(t.Context(), id, []byte(adt(id, ""))); err != nil || !a.Accepted() {
			t.Fatal(id, a.Code, err)
		}
	}
	if got := <-resent; got != adt("M2", "") {
		t.Error(got)
	}
}

func TestClientErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		does func(net.Conn)
		want error
	}{
		{"no answer", func(conn net.Conn) { readOne(conn); readOne(conn) }, mllp.ErrNoAnswer},
		{"closed", func(conn net.Conn) { readOne(conn) }, mllp.ErrConnection},
		{"no HL7", func(conn net.Conn) { readOne(conn); _, _ = io.WriteString(conn, frame("OK")) }, mllp.ErrAnswer},
		{"no MSA", func(conn net.Conn) { readOne(conn); _, _ = io.WriteString(conn, frame(adt("M1", ""))) }, mllp.ErrAnswer},
		{"a code of its own", func(conn net.Conn) { readOne(conn); _, _ = io.WriteString(conn, ack("OK", "M1")) }, mllp.ErrAnswer},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := mllp.NewClient(mllp.ClientOptions{Address: receiver(t, c.does), Now: time.Now, Answer: 100 * time.Millisecond})
			_, err := client.Send(t.Context(), "M1", []byte(adt("M1", "")))
			if !errors.Is(err, c.want) {
				t.Error(err)
			}
			client.Close()
		})
	}
	_, err := client(t, receiver(t)+"0").Send(t.Context(), "M1", nil)
	if !errors.Is(err, mllp.ErrConnection) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	address := receiver(t, func(conn net.Conn) { readOne(conn); cancel(); readOne(conn) })
	if _, err := client(t, address).Send(ctx, "M1", []byte(adt("M1", ""))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// BenchmarkRoundTrip sends over 8 connections at once and waits for each
// answer.
func BenchmarkRoundTrip(b *testing.B) {
	address := serve(b, mllp.ServerOptions{Handler: (&heard{}).handle})
	var number atomic.Int64
	b.SetParallelism(4) // 8 on two cores
	b.RunParallel(func(pb *testing.PB) {
		c := mllp.NewClient(mllp.ClientOptions{Address: address, Now: time.Now})
		defer c.Close()
		for pb.Next() {
			id := fmt.Sprint("M", number.Add(1))
			if a, err := c.Send(context.Background(), id, []byte(adt(id, ""))); err != nil || !a.Accepted() {
				b.Error(a.Code, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

func TestTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	defer web.Close()
	h := &heard{}
	h.fail = func(r mllp.Received) error {
		if r.Peer == nil || !r.Peer.HandshakeComplete {
			return errors.New("not encrypted")
		}
		return nil
	}
	address := serve(t, mllp.ServerOptions{Handler: h.handle, TLS: &tls.Config{Certificates: web.TLS.Certificates, MinVersion: tls.VersionTLS12}})
	trusting := web.Client().Transport.(*http.Transport).TLSClientConfig
	for _, c := range []struct {
		config *tls.Config
		want   error
	}{{trusting, nil}, {&tls.Config{MinVersion: tls.VersionTLS12}, mllp.ErrConnection}} {
		client := mllp.NewClient(mllp.ClientOptions{Address: address, Now: time.Now, TLS: c.config})
		a, err := client.Send(t.Context(), "M1", []byte(adt("M1", "")))
		if !errors.Is(err, c.want) || err == nil && !a.Accepted() {
			t.Error(a.Code, err)
		}
		client.Close()
	}
}

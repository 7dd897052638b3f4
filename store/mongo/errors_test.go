package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

func TestDriverErrorsGetAnIdentity(t *testing.T) {
	secret := "name=Mustermann"
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"network", mongo.CommandError{Message: secret, Labels: []string{"NetworkError"}}, store.ErrUnavailable},
		{"not the primary", mongo.CommandError{Code: 10107, Message: secret}, store.ErrUnavailable},
		{"shutting down", mongo.CommandError{Code: 91, Message: secret}, store.ErrUnavailable},
		{"not replicated in time", mongo.WriteException{WriteConcernError: &mongo.WriteConcernError{Code: 64, Message: secret}}, store.ErrUnavailable},
		{"out of time", mongo.CommandError{Code: 50, Message: secret}, store.ErrTimeout},
		{"too large", mongo.WriteException{WriteErrors: mongo.WriteErrors{{Code: 10334, Message: secret}}}, store.ErrTooLarge},
		{"disconnected", mongo.ErrClientDisconnected, store.ErrClosed},
		{"connection", fmt.Errorf("dial %s: %w", secret, io.ErrUnexpectedEOF), store.ErrUnavailable},
	} {
		got := wrap(context.Background(), c.err)
		if !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if strings.Contains(got.Error(), secret) {
			t.Errorf("%s: the error names somebody: %v", c.name, got)
		}
	}
	// What no repetition helps has no identity that asks for one.
	if err := wrap(context.Background(), mongo.CommandError{Code: 2, Message: secret}); errors.Is(err, store.ErrUnavailable) || strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close() // nobody listens on this port
	for _, c := range []struct {
		name, uri, want string
	}{
		{"no URI", "", "no URI"},
		{"not a URI", "postgres://user:s3cret@host", "not a valid MongoDB connection string"},
		{"nobody there", "mongodb://user:s3cret@" + listener.Addr().String() + "/?directConnection=true&serverSelectionTimeoutMS=200", "no server of the URI can be reached"},
	} {
		_, err := Open(testContext(t), Options{URI: c.uri})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// proxy stands between the store and the server and can lose a reply.
type proxy struct {
	listener net.Listener
	server   string
	// lose is the number of inserts into the log whose replies get lost,
	// the connection with them.
	lose atomic.Int32
	lost atomic.Int32
}

func newProxy(t *testing.T) (*proxy, string) {
	uri := testURI(t)
	hosts := options.Client().ApplyURI(uri).Hosts
	if len(hosts) != 1 || strings.Contains(uri, "+srv") || strings.Contains(uri, "tls=true") {
		t.Skip("the test's proxy needs a MongoDB at one address without TLS")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, server: hosts[0]}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	uri = strings.Replace(uri, hosts[0], listener.Addr().String(), 1)
	if !strings.Contains(uri, "directConnection") {
		t.Skip("the test's proxy needs a URI with directConnection")
	}
	return p, uri
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	var losing atomic.Bool
	go func() {
		defer server.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := client.Read(buffer)
			if err != nil {
				return
			}
			if bytes.Contains(buffer[:n], []byte("\x02insert\x00\x04\x00\x00\x00log\x00")) && p.lose.Add(-1) >= 0 {
				losing.Store(true)
			}
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		if losing.Load() {
			p.lost.Add(1)
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// A commit whose append was done and whose reply got lost has happened once.
func TestLostReplyOfAnAppend(t *testing.T) {
	p, uri := newProxy(t)
	opts := testOptions(t)
	direct := openTest(t, opts)
	opts.URI = uri
	e := openTest(t, opts)
	commit(t, e, put("0", ""))
	p.lose.Store(2)
	entry, err := e.Commit(testContext(t), tenant, store.Commit{Changes: []store.Change{
		{Ref: store.Ref{Type: "Patient", ID: "1"}, Expect: store.Absent(), Render: put("1", "once").Render},
	}})
	if err != nil || entry.Seq != 2 {
		t.Errorf("entry %d, %v", entry.Seq, err)
	}
	if p.lost.Load() == 0 {
		t.Error("no reply got lost")
	}
	for _, on := range []*engine{e, direct} {
		head, err := on.Head(testContext(t), tenant)
		if err != nil || head != 2 {
			t.Errorf("head %d, %v", head, err)
		}
		if d, err := on.Get(testContext(t), tenant, store.Ref{Type: "Patient", ID: "1"}); err != nil || d.Version != 1 {
			t.Errorf("version %d, %v", d.Version, err)
		}
	}
}

func TestSearchEndsWithItsTime(t *testing.T) {
	e := openTest(t, testOptions(t))
	commit(t, e, put("1", "", "k"))
	ctx, cancel := context.WithDeadline(testContext(t), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := (&searcher{e, scopeFor(t, e, tenant), e.bounds.reads}).search(ctx, store.Query{Where: store.Exactly("k"), Limit: 1}); !errors.Is(err, store.ErrTimeout) {
		t.Errorf("error is %v", err)
	}
}

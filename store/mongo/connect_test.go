package mongo

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// pretender answers commands as no server at hand does: one that is too old,
// or refuses credentials.
type pretender map[string]bson.D

func (p pretender) listen(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return l.Addr().String()
}

const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

// serve speaks as much of the wire protocol as a driver's first words need.
func (p pretender) serve(c net.Conn) {
	defer c.Close()
	for {
		var header [16]byte
		if _, err := io.ReadFull(c, header[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(header[:])-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		op, command := binary.LittleEndian.Uint32(header[12:]), bson.Raw(nil)
		front := []byte{0, 0, 0, 0, 0} // flags, and a section with one document
		switch op {
		case opMsg:
			command = bson.Raw(body[5:])
		case opQuery:
			command = bson.Raw(body[4+strings.IndexByte(string(body[4:]), 0)+1+8:])
			op, front = opReply, append(make([]byte, 16), 1, 0, 0, 0)
		}
		first, err := command.IndexErr(0)
		if err != nil {
			return
		}
		answer, known := p[first.Key()]
		if !known {
			answer = bson.D{{Key: "ok", Value: 1}}
		}
		document, err := bson.Marshal(answer)
		if err != nil {
			return
		}
		out := binary.LittleEndian.AppendUint32(nil, uint32(16+len(front)+len(document)))
		out = append(out, 0, 0, 0, 0)
		out = append(out, header[4:8]...)
		out = binary.LittleEndian.AppendUint32(out, op)
		if _, err := c.Write(append(append(out, front...), document...)); err != nil {
			return
		}
	}
}

// What keeps a server from being used is said in one line that helps, without
// the password.
func TestServersThatCannotBeUsed(t *testing.T) {
	hello := func(wire int) bson.D {
		return bson.D{
			{Key: "ok", Value: 1}, {Key: "isWritablePrimary", Value: true}, {Key: "ismaster", Value: true},
			{Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: wire},
			{Key: "saslSupportedMechs", Value: bson.A{"SCRAM-SHA-256"}},
		}
	}
	failure := func(code int, text string) bson.D {
		return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: text}}
	}
	for name, c := range map[string]struct {
		server pretender
		user   string
		want   string
	}{
		"an old one": {pretender{"hello": hello(6), "isMaster": hello(6)}, "", "too old"},
		"an old one that the driver takes": {pretender{"hello": hello(21), "isMaster": hello(21),
			"buildInfo": bson.D{{Key: "ok", Value: 1}, {Key: "version", Value: "4.0.28"}, {Key: "versionArray", Value: bson.A{4, 0, 28, 0}}}}, "", "MongoDB 4.0.28, which is too old: 4.2"},
		"a wrong password": {pretender{"hello": hello(21), "isMaster": hello(21),
			"saslStart": failure(18, "Authentication failed.")}, "clerk:s3cret@", "refuses the credentials"},
		"no rights": {pretender{"hello": hello(21), "isMaster": hello(21),
			"buildInfo": failure(13, "not authorized on admin to execute command for clerk")}, "", "refuses the credentials"},
	} {
		uri := "mongodb://" + c.user + c.server.listen(t) + "/?directConnection=true&serverSelectionTimeoutMS=2000"
		_, err := Open(testContext(t), Options{URI: uri})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "clerk") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

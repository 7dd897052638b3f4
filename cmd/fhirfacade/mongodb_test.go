package main

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// fakeMongoDB speaks as much of MongoDB's protocol as a client hears before
// it gives up: it answers each command with what reply says.
type fakeMongoDB struct {
	reply func(command string) bson.D
	all   sync.WaitGroup
}

// start listens until the test ends, and returns the address.
func (f *fakeMongoDB) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.all.Go(func() { f.serve(c) })
			context.AfterFunc(ctx, func() { _ = c.Close() })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		f.all.Wait()
	})
	return l.Addr().String()
}

// Opcodes of the protocol.
const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

func (f *fakeMongoDB) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		var head [16]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		opcode := binary.LittleEndian.Uint32(head[12:])
		var command bson.Raw
		switch opcode {
		case opQuery: // flags, the collection's name, skip, limit, the command
			name := strings.IndexByte(string(body[4:]), 0)
			command = body[4+name+1+8:]
		case opMsg: // flags, the kind of the section, the command
			command = body[5:]
		default:
			return
		}
		elements, err := command[:binary.LittleEndian.Uint32(command)].Elements()
		if err != nil || len(elements) == 0 {
			return
		}
		reply := f.reply(elements[0].Key())
		if reply == nil {
			continue // silence
		}
		answer, err := bson.Marshal(reply)
		if err != nil {
			return
		}
		prefix, answerCode := make([]byte, 5), uint32(opMsg)
		if opcode == opQuery { // flags, cursor, from, how many documents
			prefix, answerCode = make([]byte, 20), opReply
			prefix[16] = 1
		}
		out := make([]byte, 16, 16+len(prefix)+len(answer))
		binary.LittleEndian.PutUint32(out, uint32(cap(out)))
		copy(out[8:12], head[4:8])
		binary.LittleEndian.PutUint32(out[12:], answerCode)
		if _, err := c.Write(append(append(out, prefix...), answer...)); err != nil {
			return
		}
	}
}

// wires is a server that says hello with a version of the protocol, and
// answers other commands as more says.
func wires(version int, more map[string]bson.D) func(string) bson.D {
	return func(command string) bson.D {
		if command == "hello" || command == "isMaster" || command == "ismaster" {
			return bson.D{
				{Key: "ismaster", Value: true}, {Key: "isWritablePrimary", Value: true}, {Key: "helloOk", Value: true},
				{Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: version},
				{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48_000_000}, {Key: "maxWriteBatchSize", Value: 100_000},
				{Key: "saslSupportedMechs", Value: bson.A{"SCRAM-SHA-256"}},
				{Key: "ok", Value: 1.0},
			}
		}
		if r, ok := more[command]; ok {
			return r
		}
		return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: 59}, {Key: "errmsg", Value: "no such command"}}
	}
}

func refusal(code int, text string) bson.D {
	return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: code}, {Key: "errmsg", Value: text}}
}

const secretPassword = "s3cr3t-4711"

// What is wrong with a MongoDB or its URI is said in one line, which does not
// have the password, and the program ends with a code other than 0.
func TestMongoDBRefusals(t *testing.T) {
	old := map[string]bson.D{"buildInfo": {{Key: "version", Value: "4.0.28"}, {Key: "versionArray", Value: bson.A{4, 0, 28, 0}}, {Key: "ok", Value: 1.0}}}
	newer := bson.D{{Key: "v", Value: 99}, {Key: "_id", Value: "layout"}}
	of := func(reply func(string) bson.D) string { return (&fakeMongoDB{reply: reply}).start(t) }
	for name, c := range map[string]struct {
		uri, database, says string
	}{
		"no connection string":           {"postgres://user:" + secretPassword + "@h/", "", "not a valid MongoDB connection string"},
		"a password that is not escaped": {"mongodb://user:" + secretPassword + "@/x@h/", "", "not a valid MongoDB connection string"},
		"an option that is wrong":        {"mongodb://user:" + secretPassword + "@h/?w=soon&readPreference=sometimes", "", "not a valid MongoDB connection string"},
		"options that contradict":        {"mongodb://user:" + secretPassword + "@a,b/?directConnection=true", "", "store/mongo"},
		"no acknowledgement":             {"mongodb://user:" + secretPassword + "@h/?w=0", "", "w=0"},
		"a name that DNS does not have":  {"mongodb+srv://user:" + secretPassword + "@nowhere.invalid/", "", "DNS"},
		"nothing that listens":           {"mongodb://user:" + secretPassword + "@127.0.0.1:1/?serverSelectionTimeoutMS=200", "", "no server of the URI can be reached"},
		"something that does not answer": {"mongodb://user:" + secretPassword + "@" + of(func(string) bson.D { return nil }) + "/?serverSelectionTimeoutMS=300&connectTimeoutMS=300", "", "no server of the URI can be reached"},
		"a protocol too old":             {"mongodb://" + of(wires(6, nil)) + "/?serverSelectionTimeoutMS=2000", "", "too old"},
		"a version too old":              {"mongodb://" + of(wires(21, old)) + "/?serverSelectionTimeoutMS=2000", "", "MongoDB 4.0.28, which is too old"},
		"wrong credentials": {"mongodb://user:" + secretPassword + "@" + of(wires(21, map[string]bson.D{
			"saslStart": refusal(18, "Authentication failed for user"),
		})) + "/?serverSelectionTimeoutMS=2000", "", "refuses the credentials"},
		"a user without rights": {"mongodb://" + of(wires(21, map[string]bson.D{
			"buildInfo": refusal(13, "not authorized on admin to execute command"),
		})) + "/?serverSelectionTimeoutMS=2000", "", "refuses the credentials"},
		"a newer layout": {"mongodb://" + of(wires(21, map[string]bson.D{
			"buildInfo": {{Key: "version", Value: "8.0.1"}, {Key: "versionArray", Value: bson.A{8, 0, 1, 0}}, {Key: "ok", Value: 1.0}},
			"find":      {{Key: "cursor", Value: bson.D{{Key: "firstBatch", Value: bson.A{newer}}, {Key: "id", Value: int64(0)}, {Key: "ns", Value: "x.meta"}}}, {Key: "ok", Value: 1.0}},
		})) + "/?serverSelectionTimeoutMS=2000", "", "layout version 99, made by a newer program"},
		"a database with a slash":      {"mongodb://h/", "a/b", "a/b"},
		"a database with a dot":        {"mongodb://h/", "a.b", "a.b"},
		"a database that is MongoDB's": {"mongodb://h/", "admin", "MongoDB's own"},
		"a database with a long name":  {"mongodb://h/", strings.Repeat("x", 64), "63 bytes"},
	} {
		for _, command := range [][]string{{"serve", "--sandbox", "--listen", "127.0.0.1:0"}, {"mongodb", "prepare"}} {
			t.Run(name+", "+command[0], func(t *testing.T) {
				t.Parallel()
				args := slices.Concat(command, []string{"--mongodb-uri", c.uri})
				if c.database != "" {
					args = append(args, "--mongodb-database", c.database)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, built(t), args...)
				cmd.Env = environment()
				var said, out strings.Builder
				cmd.Stderr, cmd.Stdout = &said, &out
				err := cmd.Run()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.ExitCode() <= 0 {
					t.Fatalf("ended with %v: %s", err, said.String())
				}
				line := said.String()
				if strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "fhirfacade: ") || !strings.Contains(line, c.says) {
					t.Errorf("says: %s", line)
				}
				if strings.Contains(line+out.String(), secretPassword) || strings.Contains(line, "goroutine") {
					t.Errorf("says too much: %s", line)
				}
			})
		}
	}
}

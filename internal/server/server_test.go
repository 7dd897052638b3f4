package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

// engines are the stores that every test here runs on.
func engines(t *testing.T, test func(t *testing.T, config server.Config)) {
	t.Run("pebble", func(t *testing.T) {
		test(t, server.Config{Data: t.TempDir(), Sandbox: true})
	})
	t.Run("mongo", func(t *testing.T) {
		test(t, server.Config{MongoDBURI: mongoURI(t), MongoDBDatabase: database(t), Sandbox: true})
	})
}

func mongoURI(t *testing.T) string {
	for _, name := range []string{"FHIRFACADE_TEST_MONGODB_URI", "MONGODB_URI"} {
		if uri := os.Getenv(name); uri != "" {
			return uri
		}
	}
	if os.Getenv("MONGODB") == "require" {
		t.Fatal("MONGODB=require, but neither FHIRFACADE_TEST_MONGODB_URI nor MONGODB_URI is set")
	}
	t.Skip("no MongoDB: set FHIRFACADE_TEST_MONGODB_URI, or run make test, which gets one where it can")
	return ""
}

// database is a database of this test alone, dropped at its end.
func database(t *testing.T) string {
	name := "fhirfacade_test_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	t.Cleanup(func() {
		c, err := mongo.Connect(options.Client().ApplyURI(mongoURI(t)))
		if err != nil {
			t.Error(err)
			return
		}
		if err := c.Database(name).Drop(context.Background()); err != nil {
			t.Error(err)
		}
		_ = c.Disconnect(context.Background())
	})
	return name
}

// running is a server that was started for a test.
type running struct {
	t    *testing.T
	url  string
	auth string
	logs *lockedBuffer
}

func start(t *testing.T, c server.Config) *running {
	t.Helper()
	r, stop := startStoppable(t, c)
	t.Cleanup(stop)
	return r
}

// startStoppable starts a server that the test stops, once or more often.
func startStoppable(t *testing.T, c server.Config) (*running, func()) {
	t.Helper()
	r := &running{t: t, logs: &lockedBuffer{}}
	c.Listen, c.Version = "127.0.0.1:0", "test"
	c.Logger = slog.New(slog.NewTextHandler(r.logs, nil))
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, c)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	r.url = s.URL()
	return r, sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("the server stopped with", err)
		}
	})
}

// log is what the server has logged.
func (r *running) log() string { return r.logs.String() }

// answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (r *running) send(method, path, body string, headers ...string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	if r.auth != "" {
		req.Header.Set("Authorization", "Bearer "+r.auth)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, b}
}

// want checks the status and that the body holds all texts.
func (r *running) want(a answer, status int, texts ...string) answer {
	r.t.Helper()
	if a.status != status {
		r.t.Fatalf("status %d, want %d: %.600s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !bytes.Contains(a.body, []byte(text)) {
			r.t.Fatalf("the answer does not hold %q: %.600s", text, a.body)
		}
	}
	return a
}

const (
	fhirBase = "/fhir/R4/sandbox/Development"
	admin    = "/exchange/sandbox/Development"
)

// search returns the resources that a search matches.
func (r *running) search(query string) []map[string]any {
	r.t.Helper()
	a := r.want(r.send("GET", fhirBase+"/"+query, ""), http.StatusOK)
	var b struct {
		Entry []struct{ Resource map[string]any }
	}
	a.decode(r.t, &b)
	var found []map[string]any
	for _, e := range b.Entry {
		found = append(found, e.Resource)
	}
	return found
}

// one is the only match of a search.
func (r *running) one(query string) map[string]any {
	r.t.Helper()
	found := r.search(query)
	if len(found) != 1 {
		r.t.Fatalf("%s found %d, want 1", query, len(found))
	}
	return found[0]
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("%v: %.400s", err, a.body)
	}
}

// at walks into decoded JSON: at(x, "Meta", "Errors", 0, "Text").
func at(v any, path ...any) any {
	for _, p := range path {
		switch key := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[key]
		case int:
			l, _ := v.([]any)
			if key >= len(l) {
				return nil
			}
			v = l[key]
		}
	}
	return v
}

func decoded(t *testing.T, a answer) any {
	t.Helper()
	var v any
	a.decode(t, &v)
	return v
}

// edited is a JSON text with one place set; nil removes it.
func edited(t *testing.T, text []byte, value any, path ...any) string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	parent := at(doc, path[:len(path)-1]...)
	switch last := path[len(path)-1].(type) {
	case string:
		m := parent.(map[string]any)
		if value == nil {
			delete(m, last)
		} else {
			m[last] = value
		}
	case int:
		parent.([]any)[last] = value
	}
	out, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func text(v any) string { return fmt.Sprint(v) }

package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/internal/server"
)

var (
	resources = flag.Int("resources", 13_000, "resources in the store before anything is measured")
	folder    = flag.String("folder", "", "where the store stays, so that searches can be measured again without loading")
)

// workers are the clients that ask at once.
const workers = 8

// loaded is a server with data.
type loaded struct {
	url    string // of the FHIR base
	client *http.Client
	loading
}

// loading is what loading took.
type loading struct {
	resources int
	bytes     int64
	took      time.Duration
}

// serve starts a server on Pebble and loads it with two posters.
func serve(b *testing.B, c *corpus, n int) *loaded {
	b.Helper()
	data, kept := b.TempDir(), false
	if *folder != "" {
		data = *folder
		_, err := os.Stat(data)
		kept = err == nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	s, err := server.Open(ctx, server.Config{
		Listen: "127.0.0.1:0", Data: data, Sandbox: true, Version: "bench", Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		cancel()
		b.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	l := &loaded{url: s.URL() + "/fhir/R4/sandbox/Development", client: newClient()}
	if !kept {
		l.load(b, c, n)
	}
	return l
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * workers}}
}

// load posts bundles until n resources are stored.
func (l *loaded) load(b *testing.B, c *corpus, n int) {
	b.Helper()
	var next, stored, sent atomic.Int64
	var all sync.WaitGroup
	start := time.Now()
	for range 2 {
		all.Go(func() {
			var buf []byte
			for stored.Load() < int64(n) {
				body, entries := c.bundle(int(next.Add(1))-1, buf)
				buf = body
				if err := l.post(body); err != nil {
					b.Error(err)
					return
				}
				stored.Add(int64(entries))
				sent.Add(int64(len(body)))
			}
		})
	}
	all.Wait()
	l.loading = loading{resources: int(stored.Load()), bytes: sent.Load(), took: time.Since(start)}
	if b.Failed() {
		b.FailNow()
	}
}

func (l *loaded) post(body []byte) error {
	req, err := http.NewRequest(http.MethodPost, l.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	req.Header.Set("Prefer", "return=minimal")
	res, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.300s", res.Status, answer)
	}
	return err
}

// get reads a path below a base, and returns what came.
func get(client *http.Client, base, path string) ([]byte, error) {
	res, err := client.Get(base + "/" + path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.300s", path, res.Status, body)
	}
	return body, err
}

// bare serves bytes from memory by gin alone, under the same paths.
func bare(b *testing.B, answers map[string][]byte) string {
	b.Helper()
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.GET("/*any", func(c *gin.Context) {
		body, ok := answers[strings.TrimPrefix(c.Request.URL.RequestURI(), "/")]
		if !ok {
			c.Status(http.StatusNotFound)
			return
		}
		c.Data(http.StatusOK, "application/fhir+json; charset=utf-8", body)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(listener) }()
	b.Cleanup(func() { _ = s.Close() })
	return "http://" + listener.Addr().String()
}

// ids are resources of a type, spread over the store.
func (l *loaded) ids(b *testing.B, search string, n int) []string {
	b.Helper()
	var found []string
	path := search + "&_elements=id&_count=1000"
	for len(found) < n {
		body, err := get(l.client, l.url, path)
		if err != nil {
			b.Fatal(err)
		}
		var page struct {
			Entry []struct{ Resource struct{ ID string } }
			Link  []struct{ Relation, URL string }
		}
		if err := json.Unmarshal(body, &page); err != nil {
			b.Fatal(err)
		}
		for _, e := range page.Entry {
			found = append(found, e.Resource.ID)
		}
		path = ""
		for _, link := range page.Link {
			if link.Relation == "next" {
				path = strings.TrimPrefix(link.URL, l.url+"/")
			}
		}
		if path == "" {
			break
		}
	}
	return found
}

package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Subscriptions are listed, paused, resumed, retried, replayed and skipped by
// the program, on a server that runs.
func TestSubscriptionsCommand(t *testing.T) {
	s := startServer(t, nil, "--sandbox", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	var told, answer atomic.Int64
	answer.Store(http.StatusOK)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			told.Add(1)
			w.WriteHeader(int(answer.Load()))
		}
	}))
	defer hook.Close()
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !ok(); {
			if time.Now().After(deadline) {
				t.Fatal("waited in vain for ", what)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	post := func(typ, body string) string {
		t.Helper()
		res, err := http.Post(s.url+"/fhir/R4/sandbox/Production/"+typ, "application/fhir+json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", res.StatusCode, b)
		}
		location := res.Header.Get("Location")
		id, _, _ := strings.Cut(location[strings.Index(location, typ+"/")+len(typ)+1:], "/")
		return id
	}
	run := func(want string, args ...string) {
		t.Helper()
		out, err := command(t, append([]string{"subscriptions", "--server", s.url}, args...)...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	run("no subscriptions", "list")
	id := "Subscription:" + post("Subscription", `{"resourceType":"Subscription","status":"requested","reason":"test","criteria":"Patient","channel":{"type":"rest-hook","endpoint":"`+hook.URL+`"}}`)
	run("", "list")
	await("the Subscription", func() bool {
		out, _ := command(t, "subscriptions", "--server", s.url, "list")
		return strings.Contains(out, id)
	})
	post("Patient", `{"resourceType":"Patient"}`)
	await("a delivery", func() bool { return told.Load() == 1 })
	run("Paused", "pause", id)
	run("paused", "list")
	post("Patient", `{"resourceType":"Patient"}`)
	run("Resumed", "resume", id)
	await("the one that waited", func() bool { return told.Load() == 2 })
	run("from log entry 1 on", "replay", id, "--seq", "1")
	await("the replay", func() bool { return told.Load() == 4 })
	if out, err := command(t, "subscriptions", "--server", s.url, "skip", id, "--reason", "x"); err == nil {
		t.Errorf("skipped what does not wait: %s", out)
	}
	answer.Store(http.StatusTeapot)
	post("Patient", `{"resourceType":"Patient"}`)
	await("two attempts", func() bool { return told.Load() >= 6 })
	run("tried again", "retry", id)
	await("a third", func() bool { return told.Load() >= 7 })
	run("Skipped event 3", "skip", id, "--reason", "a test")
	if out, err := command(t, "subscriptions", "--server", s.url, "replay", id); err == nil {
		t.Errorf("replayed from nowhere: %s", out)
	}
}

package fhirr4_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/mapping/fhirmessage"
	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/api"
	"github.com/fhirfacade/fhirfacade/polling/pollingtest"
	"github.com/fhirfacade/fhirfacade/polling/vendors/fhirr4"
	"github.com/fhirfacade/fhirfacade/polling/vendors/fhirr4/simulator"
	"github.com/fhirfacade/fhirfacade/polling/vendors/simulate"
)

const appointments = "Appointment"

type world struct {
	*pollingtest.World
	sim *simulator.Simulator
}

func build(t testing.TB, o simulator.Options, edit func(*polling.Connection)) *world {
	t.Helper()
	clock := pollingtest.NewClock()
	o.Clock = clock.Now
	sim, err := simulator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	c := polling.Connection{
		BaseURL: "/r4", Preset: o.Flavour, Practice: "195900", ClientID: "client", ClientSecret: "secret", RatePerSecond: 1e6,
		Actions: []polling.ActionConfig{
			{Name: appointments, Schedule: "@every 1h", PageSize: 7, Query: "location=loc1"}, {Name: "Patient", Schedule: "@every 1h"},
		},
	}
	if edit != nil {
		edit(&c)
	}
	return &world{pollingtest.Build(t, clock, sim, fhirr4.Open, messageID, c), sim}
}

func messageID(message []byte) (string, error) {
	if _, err := fhirmessage.Read(message); err != nil {
		return "", err
	}
	var b struct{ ID string }
	err := json.Unmarshal(message, &b)
	return b.ID, err
}

// told is one message taken apart.
type told struct{ event, id, state string }

func (w *world) told() []told {
	w.T.Helper()
	var all []told
	for _, m := range w.Sink.Messages() {
		var b struct {
			Entry []struct {
				FullURL  string
				Resource json.RawMessage
			}
		}
		w.Must(json.Unmarshal(m, &b))
		var head struct{ EventCoding struct{ Code string } }
		w.Must(json.Unmarshal(b.Entry[0].Resource, &head))
		all = append(all, told{head.EventCoding.Code, b.Entry[1].FullURL[strings.LastIndex(b.Entry[1].FullURL, "/")+1:], stateOf(w.T, b.Entry[1].Resource)})
	}
	return all
}

// stateOf is what a resource says, apart from its version.
func stateOf(t testing.TB, resource any) string {
	t.Helper()
	raw, ok := resource.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(resource); err != nil {
			t.Fatal(err)
		}
	}
	var v map[string]any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "meta")
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func flavours() []string { return append([]string{""}, simulator.Flavours()...) }

func TestEventsOfAnAppointment(t *testing.T) {
	for _, flavour := range flavours() {
		t.Run("flavour "+flavour, func(t *testing.T) {
			w := build(t, simulator.Options{Flavour: flavour, Appointments: 20}, nil)
			w.Poll(appointments)
			if n := len(w.Sink.Messages()); n != 0 {
				t.Fatalf("%d messages of what was there before", n)
			}
			id := w.sim.Book()["id"].(string)
			w.Poll(appointments)
			for _, change := range []simulator.Resource{
				{"start": "2026-03-10T10:00:00Z"}, {"comment": "fasting"}, {"start": "2026-03-10T05:00:00-05:00"}, {"status": "cancelled"}, {"status": "booked"}, {"status": "noshow"},
			} {
				_, err := w.sim.Edit(appointments, id, change)
				w.Must(err)
				w.Poll(appointments)
				w.Poll(appointments)
			}
			want := "New Reschedule Modification Modification Cancel New NoShow"
			var got []string
			for _, m := range w.told() {
				if m.id == id {
					got = append(got, strings.TrimPrefix(m.event, "Scheduling:"))
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("told %v, want %s", got, want)
			}
			w.Settle(appointments)
		})
	}
}

func TestContainersHoldWhatTheRecordRefersTo(t *testing.T) {
	w := build(t, simulator.Options{}, nil)
	w.Poll(appointments)
	for range 12 {
		w.sim.Book()
	}
	w.sim.ResetCounters()
	w.Poll(appointments)
	calls := w.sim.Counters().Calls
	if calls["GET Location/{id}"] != 1 || calls["GET Practitioner/{id}"] > 6 {
		t.Errorf("asked more than once a run: %v", calls)
	}
	for _, m := range w.Sink.Messages() {
		said, err := fhirmessage.Read(m)
		w.Must(err)
		if len(said.Entries) != 4 || len(said.Mentioned) != 0 || said.Event.Name != "appointment-booked" {
			t.Errorf("%d entries, %d mentioned, event %s", len(said.Entries), len(said.Mentioned), said.Event.Name)
		}
	}
}

func TestMorePagesThanOneBatch(t *testing.T) {
	for _, flavour := range flavours() {
		t.Run("flavour "+flavour, func(t *testing.T) {
			w := build(t, simulator.Options{Flavour: flavour}, nil)
			w.Poll(appointments)
			for range 60 { // most in one second, so that pages have the same time
				w.sim.Book()
			}
			w.Poll(appointments)
			if n := len(w.Sink.Messages()); n != 60 {
				t.Errorf("%d messages, want 60", n)
			}
			w.Settle(appointments)
		})
	}
}

func TestBackfillTellsWhatWasThereBefore(t *testing.T) {
	for _, flavour := range flavours() {
		w := build(t, simulator.Options{Flavour: flavour, Appointments: 9}, func(c *polling.Connection) { c.Actions[0].Backfill = 24 * time.Hour })
		w.Poll(appointments)
		if n := len(w.Sink.Messages()); n != 9 {
			t.Errorf("%s: %d messages, want 9", flavour, n)
		}
		w.Settle(appointments)
	}
}

// What claims to come from the future does not hide what comes from now.
func TestAResourceFromTheFuture(t *testing.T) {
	w := build(t, simulator.Options{}, nil)
	w.Poll(appointments)
	w.Clock.Advance(48 * time.Hour)
	w.sim.Book()
	w.Clock.Advance(-48 * time.Hour)
	w.Poll(appointments)
	w.sim.Book()
	w.Poll(appointments)
	if n := len(w.Sink.Messages()); n != 2 {
		t.Errorf("%d messages, want 2", n)
	}
}

func TestAuthorization(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded := func(private, public any) (string, string) {
		a, errA := x509.MarshalPKCS8PrivateKey(private)
		b, errB := x509.MarshalPKIXPublicKey(public)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: a})), string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b}))
	}
	rsaPrivate, rsaPublic := encoded(rsaKey, &rsaKey.PublicKey)
	ecPrivate, ecPublic := encoded(ecKey, &ecKey.PublicKey)
	for _, c := range []struct {
		name, public string
		auth         polling.Auth
		refused      bool
	}{
		{"RS384", rsaPublic, polling.Auth{Method: api.PrivateKeyJWT, ClientID: "client", PrivateKey: rsaPrivate, KeyID: "k1"}, false},
		{"ES384", ecPublic, polling.Auth{Method: api.PrivateKeyJWT, ClientID: "client", PrivateKey: ecPrivate}, false},
		{"another key", ecPublic, polling.Auth{Method: api.PrivateKeyJWT, ClientID: "client", PrivateKey: rsaPrivate}, true},
		{"another client", rsaPublic, polling.Auth{Method: api.PrivateKeyJWT, ClientID: "someone", PrivateKey: rsaPrivate}, true},
		{"secret", "", polling.Auth{Method: api.ClientCredentials, ClientID: "client", ClientSecret: "secret"}, false},
		{"secret in the form", "", polling.Auth{Method: api.ClientCredentials, ClientID: "client", ClientSecret: "secret", SecretInBody: true}, false},
		{"wrong secret", "", polling.Auth{Method: api.ClientCredentials, ClientID: "client", ClientSecret: "wrong"}, true},
		{"none", "", polling.Auth{Method: api.None}, true},
		{"basic", "", polling.Auth{Method: api.Basic, Username: "u", Password: "p"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := build(t, simulator.Options{PublicKey: c.public}, func(p *polling.Connection) { p.Auth = c.auth })
			_, err := w.Try("Patient")
			if err == nil {
				_, err = w.Try("Patient")
			}
			if c.refused != errors.Is(err, polling.ErrUnauthorized) || !c.refused && err != nil {
				t.Errorf("got %v, want refused %v", err, c.refused)
			}
		})
	}
}

func TestSettingsThatCannotWork(t *testing.T) {
	good := polling.Connection{BaseURL: "https://ehr.example/r4", TimeZone: "UTC", Auth: polling.Auth{Method: api.None}, Actions: []polling.ActionConfig{{Name: appointments}}}
	for want, edit := range map[string]func(*polling.Connection){
		"preset is none of":           func(c *polling.Connection) { c.Preset = "acme" },
		"needs a practice":            func(c *polling.Connection) { c.Preset = "nextech" },
		"wants one of patient":        func(c *polling.Connection) { c.Preset = "cerner" },
		"must not have _sort":         func(c *polling.Connection) { c.Actions[0].Query = "_sort=date" },
		"base URL is not an absolute": func(c *polling.Connection) { c.BaseURL = "ehr.example" },
		"clientSecret is needed":      func(c *polling.Connection) { c.Auth = polling.Auth{Method: api.ClientCredentials, ClientID: "c"} },
		"private key is not PEM": func(c *polling.Connection) {
			c.Auth = polling.Auth{Method: api.PrivateKeyJWT, ClientID: "c", PrivateKey: "x"}
		},
		"method is none of": func(c *polling.Connection) { c.Auth.Method = "kerberos" },
	} {
		c := good
		c.Actions = append([]polling.ActionConfig(nil), good.Actions...)
		edit(&c)
		if _, err := fhirr4.Open(c, polling.Environment{Now: time.Now}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Whatever the clinic does and whatever fails on the way: what is told of a
// record are states that it had, in their order, none twice in a row, and the
// last one is how it is.
func TestNotificationsAreTheChanges(t *testing.T) {
	seeds := uint64(3)
	if testing.Short() {
		seeds = 1
	}
	for _, flavour := range flavours() {
		for seed := range seeds {
			t.Run(fmt.Sprintf("flavour %s, seed %d", flavour, seed), func(t *testing.T) { storm(t, flavour, seed) })
		}
	}
}

func storm(t *testing.T, flavour string, seed uint64) {
	w := build(t, simulator.Options{Flavour: flavour, Seed: seed, Appointments: 25}, nil)
	r := mathrand.New(mathrand.NewPCG(seed, 9))
	w.Poll(appointments)
	states := map[string][]string{}
	was := map[string]string{}
	for _, a := range w.sim.Resources(appointments) {
		was[a["id"].(string)] = stateOf(t, a)
	}
	kinds := []string{simulate.RateLimit, simulate.Error, simulate.HTML, simulate.JSON, simulate.Token, simulate.Cut, simulate.Drop, simulate.Duplicates, simulate.LostNext}
	if flavour == "epic" || flavour == "cerner" {
		kinds = kinds[:8] // without totals nobody can see that a link is missing
	}
	paths := []string{"", appointments, "Patient/", "Practitioner/", "Location/", "token"}
	for range 30 {
		for range r.IntN(6) {
			a := w.sim.Change()
			id := a["id"].(string)
			states[id] = append(states[id], stateOf(t, a))
		}
		for range r.IntN(4) {
			w.Must(w.sim.Inject(simulate.Fault{Kind: kinds[r.IntN(len(kinds))], Path: paths[r.IntN(len(paths))], Skip: r.IntN(5), Times: 1 + r.IntN(3), Seconds: float64(r.IntN(3))}))
		}
		w.Trouble(r)
		if r.IntN(10) == 0 {
			w.Start() // a new process
		}
		_, _ = w.Try(appointments)
		w.Clock.Advance(time.Duration(r.IntN(20)) * time.Second)
	}
	w.sim.Heal()
	w.Calm()
	w.Settle(appointments)
	got := map[string][]string{}
	for _, m := range w.told() {
		got[m.id] = append(got[m.id], m.state)
	}
	for id := range got {
		if len(states[id]) == 0 {
			t.Errorf("told of %s, which did not change", id)
		}
	}
	for id, had := range states {
		at := 0
		last := was[id]
		for _, state := range got[id] {
			if state == last {
				t.Errorf("%s: the same state was told twice", id)
			}
			last = state
			for at < len(had) && had[at] != state {
				at++
			}
			if at == len(had) {
				t.Fatalf("%s: a state was told that it did not have, or out of order", id)
			}
		}
		if last != had[len(had)-1] {
			t.Errorf("%s: what was told last is not how it is", id)
		}
	}
	if t.Failed() {
		t.Logf("the log:\n%s", w.Log.String())
	}
}

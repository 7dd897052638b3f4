package crashtest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
)

// load is what all writers of a test share.
type load struct {
	t    *testing.T
	book *book
	// shared are resources that all writers update.
	shared []string
	// transactions: the server takes bundles.
	transactions bool
	sample       string // of a Redox message
	unavailable  atomic.Int64
}

func newLoad(t *testing.T) *load {
	sample, ok := redox.Sample("Scheduling", "New")
	if !ok {
		t.Fatal("no sample of Scheduling.New")
	}
	l := &load{t: t, book: newBook(), sample: string(sample)}
	for i := range 6 {
		l.shared = append(l.shared, fmt.Sprint("Patient/shared-", i))
	}
	return l
}

// seedShared makes the shared resources.
func (l *load) seedShared(url string) {
	l.t.Helper()
	w := &writer{load: l, c: newClient(url), random: rand.New(rand.NewPCG(1, 1))}
	defer w.c.close()
	for _, ref := range l.shared {
		u, x := w.one(ref, anyVersion)
		a, err := w.c.send(l.t.Context(), http.MethodPut, base+"/"+ref, x.body)
		if err = w.settle(u, x, a, err); err != nil || x.fate != acknowledged {
			l.t.Fatalf("the first write got status %d, %v: %.300s", a.status, err, a.body)
		}
	}
}

// writer writes to one instance, one request after the other.
type writer struct {
	*load
	c      *client
	random *rand.Rand
	own    []known
}

// known is a resource that belongs to one writer, who therefore knows its
// version.
type known struct {
	ref     string
	version int64
}

// run writes until stop is closed or the server is gone.
func (w *writer) run(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		var err error
		switch n := w.random.IntN(100); {
		case n < 30 || len(w.own) == 0:
			err = w.create(ctx)
		case n < 55:
			err = w.update(ctx)
		case n < 75:
			err = w.contend(ctx)
		case n < 80:
			err = w.remove(ctx)
		case n < 90:
			err = w.message(ctx)
		default:
			err = w.transact(ctx)
		}
		if err != nil {
			return // the process was killed
		}
	}
}

// patient is a body that holds a token and some text, so that bodies differ in
// size.
func (w *writer) patient(ref, token string) []byte {
	id := ""
	if ref != "" {
		_, name, _ := strings.Cut(ref, "/")
		id = fmt.Sprintf(`"id":%q,`, name)
	}
	text := strings.Repeat("Fernsby ", 1+w.random.IntN(60))
	return fmt.Appendf(nil, `{"resourceType":"Patient",%s"identifier":[{"system":"urn:crash","value":%q}],"name":[{"family":"Fernsby","text":%q}],"multipleBirthInteger":%d}`,
		id, token, text, w.random.IntN(9))
}

func (w *writer) one(ref string, base int64) (*unit, *write) {
	token := w.book.token()
	x := &write{token: token, ref: ref, base: base, body: w.patient(ref, token)}
	return w.book.ask(&unit{writes: []*write{x}}), x
}

// settle notes an answer to a unit of one write, and checks what it says.
func (w *writer) settle(u *unit, x *write, a answer, err error) error {
	w.check(a, err)
	if w.book.answered(u, a.status, err) != acknowledged {
		return err
	}
	x.version = a.version()
	if x.ref == "" {
		x.ref = refOf(a.header.Get("Location"))
	}
	if x.version < 1 || x.base != anyVersion && x.base != x.version-1 && x.base != 0 {
		w.t.Errorf("a write on version %d was answered with version %d", x.base, x.version)
	}
	if x.body != nil && !sameContent(a.body, x.body) {
		w.t.Errorf("%s: the answer holds another body than was sent", x.ref)
	}
	return nil
}

// check refuses answers that are never right.
func (w *writer) check(a answer, err error) {
	if err != nil {
		return
	}
	switch {
	case a.status == http.StatusServiceUnavailable:
		w.unavailable.Add(1)
		if a.header.Get("Retry-After") == "" {
			w.t.Errorf("a 503 without Retry-After: %.200s", a.body)
		}
	case a.status >= http.StatusInternalServerError:
		w.t.Errorf("status %d: %.300s", a.status, a.body)
	}
}

func (w *writer) create(ctx context.Context) error {
	u, x := w.one("", 0)
	a, err := w.c.send(ctx, http.MethodPost, base+"/Patient", x.body)
	if err = w.settle(u, x, a, err); err == nil && x.fate == acknowledged {
		w.own = append(w.own, known{x.ref, x.version})
	}
	return err
}

func (w *writer) pick() *known { return &w.own[w.random.IntN(len(w.own))] }

// forget drops a resource whose version is not known any more.
func (w *writer) forget(k *known) {
	w.own = slices.DeleteFunc(w.own, func(o known) bool { return o.ref == k.ref })
}

func etag(version int64) string { return fmt.Sprintf(`W/"%d"`, version) }

func (w *writer) update(ctx context.Context) error {
	k := w.pick()
	u, x := w.one(k.ref, k.version)
	a, err := w.c.send(ctx, http.MethodPut, base+"/"+k.ref, x.body, "If-Match", etag(k.version))
	err = w.settle(u, x, a, err)
	switch {
	case x.fate == acknowledged:
		k.version = x.version
	case x.fate == refused:
		w.t.Errorf("an update of a resource that nobody else writes was refused with %d: %.300s", a.status, a.body)
		w.forget(k)
	default:
		w.forget(k)
	}
	return err
}

func (w *writer) remove(ctx context.Context) error {
	k := w.pick()
	x := &write{ref: k.ref, base: k.version}
	u := w.book.ask(&unit{writes: []*write{x}})
	a, err := w.c.send(ctx, http.MethodDelete, base+"/"+k.ref, nil, "If-Match", etag(k.version))
	err = w.settle(u, x, a, err)
	if x.fate == refused {
		w.t.Errorf("a delete of a resource that nobody else writes was refused with %d: %.300s", a.status, a.body)
	}
	w.forget(k)
	return err
}

// contend reads a resource that all write, and updates it if nobody was
// faster.
func (w *writer) contend(ctx context.Context) error {
	ref := w.shared[w.random.IntN(len(w.shared))]
	a, err := w.c.send(ctx, http.MethodGet, base+"/"+ref, nil)
	w.check(a, err)
	if err != nil || a.status >= http.StatusInternalServerError {
		return err
	}
	version := a.version()
	if a.status != http.StatusOK || version < 1 || refInBody(a.body) != ref {
		w.t.Errorf("a read of %s was answered with status %d, version %d", ref, a.status, version)
		return nil
	}
	u, x := w.one(ref, version)
	a, err = w.c.send(ctx, http.MethodPut, base+"/"+ref, x.body, "If-Match", etag(version))
	return w.settle(u, x, a, err)
}

// message sends a Redox message about a new patient and appointment.
func (w *writer) message(ctx context.Context) error {
	token := w.book.token()
	u := w.book.ask(&unit{message: token, makes: []string{"Patient", "Appointment"}})
	text := strings.NewReplacer("LV-0048213", token, "7b1f3d0a-52c4-4c61-9d9e-0c5a6e3f8b10", "e-"+token, "LV-APT-90021", token).Replace(w.sample)
	a, err := w.c.send(ctx, http.MethodPost, "/endpoint", []byte(text))
	w.check(a, err)
	if w.book.answered(u, a.status, err) == acknowledged {
		var m struct {
			Meta struct{ Logs []struct{ ID string } }
		}
		if err := json.Unmarshal(a.body, &m); err != nil || len(m.Meta.Logs) == 0 {
			w.t.Errorf("a message was answered with %.300s", a.body)
		} else {
			u.record = m.Meta.Logs[0].ID
		}
	}
	return err
}

// transact sends creates and updates as one transaction.
func (w *writer) transact(ctx context.Context) error {
	if !w.transactions {
		return w.create(ctx)
	}
	u := &unit{}
	var entries []string
	for range 2 + w.random.IntN(5) {
		x := &write{token: w.book.token()}
		request := `{"method":"POST","url":"Patient"}`
		if len(w.own) > 0 && w.random.IntN(3) == 0 {
			k := w.pick()
			x.ref, x.base = k.ref, k.version
			request = fmt.Sprintf(`{"method":"PUT","url":%q,"ifMatch":%q}`, k.ref, etag(k.version))
			w.forget(k)
		}
		x.body = w.patient(x.ref, x.token)
		u.writes = append(u.writes, x)
		entries = append(entries, fmt.Sprintf(`{"resource":%s,"request":%s}`, x.body, request))
	}
	w.book.ask(u)
	body := `{"resourceType":"Bundle","type":"transaction","entry":[` + strings.Join(entries, ",") + `]}`
	a, err := w.c.send(ctx, http.MethodPost, base, []byte(body))
	w.check(a, err)
	if w.book.answered(u, a.status, err) == acknowledged {
		var b bundle
		if err := json.Unmarshal(a.body, &b); err != nil || b.Type != "transaction-response" || len(b.Entry) != len(u.writes) {
			w.t.Errorf("a transaction was answered with %.300s", a.body)
			return nil //nolint:nilerr // the test has failed; the writer goes on
		}
		for i, e := range b.Entry {
			x := u.writes[i]
			x.ref, x.version = refOf(e.Response.Location), versionOf(e.Response.Etag)
			w.own = append(w.own, known{x.ref, x.version})
		}
	} else if u.fate == refused {
		w.t.Errorf("a transaction of resources that nobody else writes was refused with %d: %.300s", a.status, a.body)
	}
	return err
}

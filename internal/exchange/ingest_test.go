package exchange

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// watched counts the writes of items and the searches, and lets a test act
// in the place of a commit.
type watched struct {
	store.Store
	puts, searches atomic.Int64
	commit         func(next func() (store.Entry, error)) (store.Entry, error)
}

func (w *watched) PutItem(ctx context.Context, t store.Tenant, it store.Item, expect int64) (store.Item, error) {
	w.puts.Add(1)
	return w.Store.PutItem(ctx, t, it, expect)
}

func (w *watched) Search(ctx context.Context, t store.Tenant, q store.Query) (store.Page, error) {
	w.searches.Add(1)
	return w.Store.Search(ctx, t, q)
}

func (w *watched) Commit(ctx context.Context, t store.Tenant, c store.Commit) (store.Entry, error) {
	next := func() (store.Entry, error) { return w.Store.Commit(ctx, t, c) }
	if w.commit != nil {
		return w.commit(next)
	}
	return next()
}

func watch(t *testing.T) (*Exchange, *watched) {
	w := &watched{}
	x := open(t, func(s store.Store) store.Store { w.Store = s; return w })
	return x, w
}

func sample(t *testing.T) []byte {
	t.Helper()
	raw, ok := redox.Sample("Scheduling", "New")
	if !ok {
		t.Fatal("no sample")
	}
	return raw
}

func ingest(t *testing.T, x *Exchange, raw []byte) Receipt {
	t.Helper()
	rc, err := x.Ingest(context.Background(), testTenant, Source{ID: "s"}, raw)
	if err != nil {
		t.Fatal(err)
	}
	return rc
}

// logged is a message as the log has it, by its id and in the list.
func logged(t *testing.T, x *Exchange, id string) Message {
	t.Helper()
	m, err := x.messages.Get(context.Background(), testTenant, id)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := x.messages.List(context.Background(), testTenant, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.ID == id {
			if fmt.Sprint(l) != fmt.Sprint(m) {
				t.Errorf("the list has %v, the record %v", l, m)
			}
			return m
		}
	}
	t.Error("the list does not have the message")
	return m
}

// A message costs one write of an item beside its commit, and one search for
// each type that is known by identifiers.
func TestRoundTripsOfAMessage(t *testing.T) {
	x, w := watch(t)
	// A tenant's first commit also writes by what its keys are made.
	if _, err := x.o.Repository.Create(t.Context(), testTenant, "Basic", []byte(`{"resourceType":"Basic","code":{"text":"first"}}`)); err != nil {
		t.Fatal(err)
	}
	w.puts.Store(0)
	rc := ingest(t, x, sample(t))
	if n := w.puts.Load(); n != 1 {
		t.Errorf("%d writes of items, want 1", n)
	}
	// Patient, Appointment, Practitioner, Location.
	if n := w.searches.Load(); n != 4 {
		t.Errorf("%d searches, want 4", n)
	}
	m := logged(t, x, rc.Message.ID)
	if m.Status != notifications.Succeeded || m.Seq != rc.Message.Seq || m.Seq == 0 || len(m.Resources) == 0 {
		t.Errorf("the log has %+v", m)
	}
	body, err := x.messages.Body(context.Background(), testTenant, m.ID)
	if err != nil || !bytes.Equal(body, sample(t)) {
		t.Errorf("the text is not what was received (%v)", err)
	}
}

// Whenever the process ends, the log has the message, and its status follows
// from what is committed.
func TestTheLogIsTrueAroundACommit(t *testing.T) {
	x, w := watch(t)
	id := ""
	x.o.NewID = func(next func() string) func() string {
		return func() string {
			made := next()
			if id == "" {
				id = made // the message's is the first
			}
			return made
		}
	}(x.o.NewID)
	var before, after Message
	w.commit = func(next func() (store.Entry, error)) (store.Entry, error) {
		before = logged(t, x, id)
		e, err := next()
		after = logged(t, x, id)
		return e, err
	}
	ingest(t, x, sample(t))
	if before.Status != notifications.Pending || after.Status != notifications.Succeeded || after.Seq != 1 {
		t.Errorf("before the commit %v, after it %v with seq %d", before.Status, after.Status, after.Seq)
	}
}

func TestAFailedCommitIsInTheLog(t *testing.T) {
	x, w := watch(t)
	w.commit = func(func() (store.Entry, error)) (store.Entry, error) { return store.Entry{}, store.ErrUnavailable }
	rc, err := x.Ingest(context.Background(), testTenant, Source{ID: "s"}, sample(t))
	if err == nil {
		t.Fatal("no error")
	}
	if m := logged(t, x, rc.Message.ID); m.Status != notifications.Failed || len(m.Errors) == 0 {
		t.Errorf("the log has %+v", m)
	}
}

func TestARefusedMessageIsInTheLog(t *testing.T) {
	x, w := watch(t)
	for _, raw := range []string{`{`, `{"Meta":{"DataModel":"Scheduling","EventType":"New"}}`} {
		rc, err := x.Ingest(context.Background(), testTenant, Source{ID: "s"}, []byte(raw))
		if err == nil {
			t.Fatalf("%s was taken", raw)
		}
		if m := logged(t, x, rc.Message.ID); m.Status != notifications.Failed || len(m.Errors) == 0 {
			t.Errorf("the log has %+v", m)
		}
		body, err := x.messages.Body(context.Background(), testTenant, rc.Message.ID)
		if err != nil || string(body) != raw {
			t.Errorf("the text is %s (%v)", body, err)
		}
	}
	if n := w.puts.Load(); n != 2 {
		t.Errorf("%d writes for two messages", n)
	}
}

// A text that is too long for its record is kept beside it.
func TestALongTextIsKept(t *testing.T) {
	x, _ := watch(t)
	raw := bytes.Replace(sample(t), []byte(`"Notes": []`), []byte(`"Notes": ["`+strings.Repeat("n", inRecord)+`"]`), 1)
	rc := ingest(t, x, raw)
	body, err := x.messages.Body(context.Background(), testTenant, rc.Message.ID)
	if err != nil || !bytes.Equal(body, raw) {
		t.Errorf("got %d bytes of %d (%v)", len(body), len(raw), err)
	}
	if m := logged(t, x, rc.Message.ID); m.Status != notifications.Succeeded {
		t.Errorf("the log has %+v", m)
	}
}

// A message whose part of the log was trimmed does not hide the others.
func TestATrimmedLogDoesNotHideMessages(t *testing.T) {
	x, w := watch(t)
	old := ingest(t, x, anonymous(t, "V1"))
	ingest(t, x, anonymous(t, "V2"))
	recent := ingest(t, x, anonymous(t, "V3"))
	if err := w.Store.TrimLog(context.Background(), testTenant, recent.Message.Seq); err != nil {
		t.Fatal(err)
	}
	if m := logged(t, x, old.Message.ID); m.Status != notifications.Pending {
		t.Errorf("the trimmed one is %s", m.Status)
	}
	if m := logged(t, x, recent.Message.ID); m.Status != notifications.Succeeded {
		t.Errorf("the recent one is %s", m.Status)
	}
}

// anonymous is a message whose patient has no identifier, which the catalogue
// allows.
func anonymous(t *testing.T, visit string) []byte {
	return []byte(`{"Meta":{"DataModel":"Scheduling","EventType":"New"},
		"Patient":{"Identifiers":[],"Demographics":{"FirstName":"A","LastName":"B"}},
		"Visit":{"VisitNumber":"` + visit + `","VisitDateTime":"2026-03-02T09:00:00Z","Duration":30,"Location":{"Department":"Cardiology"},
		"Diagnoses":[{"Code":"I10","Codeset":"ICD-10"}]}}`)
}

func TestAPatientWithoutIdentifierIsOneOfItsAppointment(t *testing.T) {
	x, _ := watch(t)
	first := ingest(t, x, anonymous(t, "V1"))
	again := ingest(t, x, anonymous(t, "V1"))
	if again.Message.Seq != 0 || len(again.Message.Warnings) == 0 {
		t.Errorf("sent again, it became log entry %d", again.Message.Seq)
	}
	if fmt.Sprint(first.Message.Resources) != fmt.Sprint(again.Message.Resources) {
		t.Errorf("sent again, it speaks of %v instead of %v", again.Message.Resources, first.Message.Resources)
	}
	if m := logged(t, x, again.Message.ID); m.Status != notifications.Succeeded || len(m.Warnings) == 0 {
		t.Errorf("the log has %+v", m)
	}
	other := ingest(t, x, anonymous(t, "V2"))
	for _, r := range first.Message.Resources {
		if strings.HasPrefix(r, "Patient/") && strings.Contains(fmt.Sprint(other.Message.Resources), r) {
			t.Error("the patient of another appointment is the same one")
		}
	}
}

// Identifiers of two stored patients in one message contradict each other; one
// that is new is added to the patient.
func TestIdentifiersOfTwoPatientsAreRefused(t *testing.T) {
	x, _ := watch(t)
	of := func(visit string, ids ...string) []byte {
		var list []string
		for _, id := range ids {
			list = append(list, `{"ID":"`+id+`","IDType":"MR"}`)
		}
		return bytes.Replace(anonymous(t, visit), []byte(`"Identifiers":[]`), []byte(`"Identifiers":[`+strings.Join(list, ",")+`]`), 1)
	}
	a := ingest(t, x, of("V1", "a"))
	ingest(t, x, of("V2", "b"))
	_, err := x.Ingest(context.Background(), testTenant, Source{ID: "s"}, of("V3", "a", "b"))
	var f *Failure
	if !errors.As(err, &f) || !errors.Is(f.cause, errAmbiguous) {
		t.Fatalf("got %v", err)
	}
	joined := ingest(t, x, of("V1", "a", "c"))
	if fmt.Sprint(joined.Message.Resources) != fmt.Sprint(a.Message.Resources) {
		t.Errorf("a further identifier made %v of %v", joined.Message.Resources, a.Message.Resources)
	}
	if known := ingest(t, x, of("V1", "c")); known.Message.Seq != 0 {
		t.Error("the further identifier alone does not lead to the patient")
	}
}

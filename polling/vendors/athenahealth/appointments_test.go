package athenahealth_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
)

var update = flag.Bool("update", false, "write golden files anew")

func TestEachChangeMakesOneMessage(t *testing.T) {
	w := subscribed(t, setup{})
	a := w.book(simulator.Booking{Date: "03/10/2026", StartTime: "09:00", DepartmentID: "150", AppointmentTypeID: "2"})
	id := a.AppointmentID
	if r := w.poll(); r.Changes != 1 || r.Delivered != 1 {
		t.Errorf("first poll: %+v", r)
	}
	w.wantStory(id, "New")

	_, err := w.sim.Reschedule(id, simulator.Move{Date: "03/12/2026", StartTime: "10:30"})
	w.must(err)
	w.poll()
	w.wantStory(id, "New", "Reschedule")
	if v := w.sink.last(id).Visit; v.OldDateTime != "2026-03-10T13:00:00.000Z" || v.VisitDateTime != "2026-03-12T14:30:00.000Z" || v.OldVisitNumber != "" {
		t.Errorf("rescheduled from %q (%q) to %q", v.OldDateTime, v.OldVisitNumber, v.VisitDateTime)
	}

	_, err = w.sim.Update(id, simulator.Booking{Duration: 45})
	w.must(err)
	w.poll()
	w.wantStory(id, "New", "Reschedule", "Modification")

	_, err = w.sim.SetStatus(id, simulator.StatusCheckedIn)
	w.must(err)
	w.poll()
	if got := w.sink.last(id).Visit.Status; got != "Arrived" {
		t.Errorf("status %q of a checked-in appointment", got)
	}

	b, c := w.book(simulator.Booking{}), w.book(simulator.Booking{})
	w.poll()
	_, err = w.sim.Cancel(b.AppointmentID, "MOVED AWAY")
	w.must(err)
	_, err = w.sim.NoShow(c.AppointmentID)
	w.must(err)
	w.poll()
	w.wantStory(b.AppointmentID, "New", "Cancel")
	w.wantStory(c.AppointmentID, "New", "NoShow")
	if got := w.sink.last(b.AppointmentID).Visit.CancelReason; got != "MOVED AWAY" {
		t.Errorf("cancel reason %q", got)
	}
	if got := w.sink.last(c.AppointmentID).Visit.NoShowReason; got != "PATIENT NO SHOW" {
		t.Errorf("no-show reason %q", got)
	}
	w.wantTold()
	w.wantSettled()
}

func TestAReplacedAppointmentNamesTheOld(t *testing.T) {
	for name, between := range map[string]bool{"in one poll": false, "known before": true} {
		t.Run(name, func(t *testing.T) {
			w := subscribed(t, setup{})
			old := w.book(simulator.Booking{Date: "03/10/2026", StartTime: "09:00", DepartmentID: "150"})
			if between {
				w.poll()
			}
			replacement, err := w.sim.Reschedule(old.AppointmentID, simulator.Move{Date: "03/11/2026", Replace: true})
			w.must(err)
			w.poll()
			if between {
				w.wantStory(old.AppointmentID, "New", "Cancel")
			} else {
				w.wantStory(old.AppointmentID, "Cancel")
			}
			w.wantStory(replacement.AppointmentID, "Reschedule")
			if v := w.sink.last(replacement.AppointmentID).Visit; v.OldVisitNumber != old.AppointmentID || v.OldDateTime != "2026-03-10T13:00:00.000Z" {
				t.Errorf("replaced %q at %q", v.OldVisitNumber, v.OldDateTime)
			}
			w.wantSettled()
		})
	}
}

func TestWhatDoesNotDifferMakesNoMessage(t *testing.T) {
	w := subscribed(t, setup{})
	a := w.book(simulator.Booking{Duration: 20})
	w.poll()
	// The feed has it again, but a message would tell nothing new.
	w.clock.advance(time.Minute)
	_, err := w.sim.Update(a.AppointmentID, simulator.Booking{Duration: 20})
	w.must(err)
	if r := w.poll(); r.Changes != 1 || r.Unchanged != 1 || r.Delivered != 0 {
		t.Errorf("an update without a difference: %+v", r)
	}
	// There and back between two polls is no difference either.
	_, err = w.sim.Update(a.AppointmentID, simulator.Booking{Duration: 30})
	w.must(err)
	w.clock.advance(time.Minute)
	_, err = w.sim.Update(a.AppointmentID, simulator.Booking{Duration: 20})
	w.must(err)
	w.poll()
	w.wantStory(a.AppointmentID, "New")
	w.wantSettled()
}

func TestThereAndBackIsToldTwice(t *testing.T) {
	w := subscribed(t, setup{})
	a := w.book(simulator.Booking{Date: "03/10/2026", StartTime: "09:00"})
	w.poll()
	for _, start := range []string{"10:00", "09:00", "10:00"} {
		_, err := w.sim.Reschedule(a.AppointmentID, simulator.Move{Date: "03/10/2026", StartTime: start})
		w.must(err)
		w.poll()
	}
	// Each has an id of its own, or the receiver would drop the returns.
	w.wantStory(a.AppointmentID, "New", "Reschedule", "Reschedule", "Reschedule")
	w.wantTold()
}

func TestOpenSlotsAreNobodysAppointment(t *testing.T) {
	w := subscribed(t, setup{})
	w.must(w.sim.Subscribe("")) // slots' events too
	slot, err := w.sim.OpenSlot(simulator.Booking{})
	w.must(err)
	if r := w.poll(); r.Ignored != 1 || r.Delivered != 0 {
		t.Errorf("an open slot: %+v", r)
	}
	w.wantStory(slot.AppointmentID)
	w.wantSettled()
}

func TestAnIdlePollWritesNothingAndAsksOnce(t *testing.T) {
	for name, shared := range map[string]bool{"exclusive": false, "shared": true} {
		t.Run(name, func(t *testing.T) {
			w := subscribed(t, setup{shared: shared})
			w.book(simulator.Booking{})
			w.poll()
			writes := w.items.count()
			w.sim.ResetCounters()
			for range 10 {
				if r := w.poll(); r.Calls != 1 {
					t.Errorf("%d calls in an idle poll", r.Calls)
				}
			}
			if n := w.items.count() - writes; n != 0 {
				t.Errorf("ten idle polls wrote %d items", n)
			}
			if c := w.sim.Counters(); c.Total != 10 {
				t.Errorf("ten idle polls made %d calls: %v", c.Total, c.Calls)
			}
		})
	}
}

func TestFollowUpCallsAreSharedWithinARun(t *testing.T) {
	w := subscribed(t, setup{})
	for range 30 {
		w.book(simulator.Booking{ProviderID: "27", DepartmentID: "150"})
	}
	w.sim.ResetCounters()
	w.poll()
	c := w.sim.Counters().Calls
	if c["GET /patients/{id}"] != 30 || c["GET /providers/{id}"] != 1 || c["GET /departments/{id}"] != 1 {
		t.Errorf("calls: %v", c)
	}
	if w.sink.count() != 30 {
		t.Errorf("%d messages for 30 appointments", w.sink.count())
	}
}

func TestPagesAreConsumedOneByOne(t *testing.T) {
	w := subscribed(t, setup{pageSize: 4})
	for range 11 {
		w.book(simulator.Booking{})
	}
	if r := w.poll(); r.Delivered != 11 || r.Changes != 11 {
		t.Errorf("eleven changes in pages of four: %+v", r)
	}
	w.wantTold()
	w.wantSettled()
}

func TestBackfillFindsWhatWasProcessedBefore(t *testing.T) {
	w := build(t, setup{backfill: 24 * time.Hour})
	w.must(w.sim.Subscribe(""))
	w.clock.advance(time.Minute)
	a := w.book(simulator.Booking{})
	// Somebody else with the same key has read the feed.
	w.manager = nil
	other := subscribedTo(w)
	other.poll()
	w.wantStory(a.AppointmentID, "New")

	fresh := build(t, setup{backfill: 24 * time.Hour})
	fresh.server.Close()
	fresh.server = w.server
	fresh.sim, fresh.clock = w.sim, w.clock
	fresh.start(setup{})
	fresh.poll()
	fresh.wantStory(a.AppointmentID, "New")
	fresh.wantSettled()
}

// subscribedTo starts a poller on a world that has none.
func subscribedTo(w *world) *world {
	w.start(setup{})
	return w
}

func TestGoldenMessage(t *testing.T) {
	w := subscribed(t, setup{})
	a := w.book(simulator.Booking{PatientID: "7901", ProviderID: "29", DepartmentID: "155", AppointmentTypeID: "8", Date: "03/10/2026", StartTime: "09:15"})
	w.poll()
	_, err := w.sim.Reschedule(a.AppointmentID, simulator.Move{Date: "03/17/2026", StartTime: "16:45"})
	w.must(err)
	w.poll()
	if len(w.sink.raw) != 2 {
		t.Fatalf("%d messages", len(w.sink.raw))
	}
	var got bytes.Buffer
	w.must(json.Indent(&got, w.sink.raw[1], "", "  "))
	got.WriteByte('\n')
	path := filepath.Join("testdata", "scheduling-reschedule.json")
	if *update {
		w.must(os.MkdirAll("testdata", 0o755))
		w.must(os.WriteFile(path, got.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	w.must(err)
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the message differs from %s (-update writes it anew):\n%s", path, got.String())
	}
}

func TestNoLogLineNamesAPatient(t *testing.T) {
	w := subscribed(t, setup{})
	for range 5 {
		w.book(simulator.Booking{})
	}
	w.inject(simulator.Fault{Kind: simulator.FaultError, Path: "patients/", Times: 2})
	w.sink.fail = func(n int) error {
		if n == 1 {
			return refusal{}
		}
		return nil
	}
	w.poll()
	w.inject(simulator.Fault{Kind: simulator.FaultHTML})
	_, err := w.tryPoll()
	text := w.log.String()
	if err != nil {
		text += err.Error()
	}
	for _, s := range w.manager.Status() {
		text += s.State
	}
	if !strings.Contains(text, "parked") || !strings.Contains(text, "kept") {
		t.Fatalf("the log does not say what happened:\n%s", text)
	}
	for _, m := range w.sink.messages {
		for _, private := range []string{m.Patient.Demographics.LastName, m.Patient.Demographics.FirstName, m.Patient.Identifiers[0].ID, m.Visit.VisitNumber} {
			if strings.Contains(text, private) {
				t.Errorf("the log holds %q:\n%s", private, text)
			}
		}
	}
	if strings.Contains(text, "of Ada") {
		t.Error("the log quotes the sink's error")
	}
}

package athenahealth_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
	"github.com/fhirfacade/fhirfacade/store"
)

func TestDuplicateRowsAreOneChange(t *testing.T) {
	w := subscribed(t, setup{})
	a := w.book(simulator.Booking{})
	w.inject(simulator.Fault{Kind: simulator.FaultDuplicates, Path: "appointments/changed", Times: 2})
	if r := w.poll(); r.Changes != 1 || r.Duplicates == 0 {
		t.Errorf("a row that came three times: %+v", r)
	}
	w.wantStory(a.AppointmentID, "New")
}

func TestATokenThatExpiresIsRenewed(t *testing.T) {
	w := subscribed(t, setup{})
	for range 6 {
		w.book(simulator.Booking{})
	}
	w.inject(simulator.Fault{Kind: simulator.FaultToken, Path: "patients/", Skip: 2})
	w.clock.advance(2 * time.Hour) // and by time
	if r := w.poll(); r.Delivered != 6 || r.Kept != 0 {
		t.Errorf("a token expired in the midst of a run: %+v", r)
	}
}

func TestWrongCredentialsAreNotTriedOnAndOn(t *testing.T) {
	w := build(t, setup{sim: simulator.Options{ClientSecret: "another"}})
	if _, err := w.tryPoll(); !errors.Is(err, polling.ErrUnauthorized) {
		t.Fatalf("got %v, want ErrUnauthorized", err)
	}
	calls := w.sim.Counters().Total
	if _, err := w.tryPoll(); err == nil {
		t.Error("a poll within the pause succeeded")
	}
	if got := w.sim.Counters().Total; got != calls {
		t.Errorf("%d calls within the pause", got-calls)
	}
}

func TestRateLimit(t *testing.T) {
	for name, c := range map[string]struct {
		fault simulator.Fault
		pause time.Duration
	}{
		"429 with Retry-After":    {simulator.Fault{Kind: simulator.FaultRateLimit, Path: "patients/", Skip: 3, Seconds: 17}, 17 * time.Second},
		"429 without Retry-After": {simulator.Fault{Kind: simulator.FaultRateLimit, Path: "patients/", Skip: 3}, 5 * time.Second},
		"403 over the quota":      {simulator.Fault{Kind: simulator.FaultQuota, Path: "patients/", Skip: 3}, 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := subscribed(t, setup{})
			for range 12 {
				w.book(simulator.Booking{})
			}
			w.inject(c.fault)
			report, err := w.tryPoll()
			if !errors.Is(err, polling.ErrRateLimited) {
				t.Fatalf("got %v, want ErrRateLimited", err)
			}
			if report.Delivered == 0 || report.Delivered == 12 {
				t.Errorf("what was filled before the limit is delivered, the rest not: %+v", report)
			}
			calls := w.sim.Counters().Total
			w.clock.advance(c.pause - 2*time.Second)
			if _, err := w.tryPoll(); !errors.Is(err, polling.ErrRateLimited) || w.sim.Counters().Total != calls {
				t.Errorf("the vendor was called %d times before the pause was over (%v)", w.sim.Counters().Total-calls, err)
			}
			w.clock.advance(time.Second)
			again := w.poll()
			if again.Delivered+report.Delivered != 12 {
				t.Errorf("%d, then %d of 12 delivered", report.Delivered, again.Delivered)
			}
			w.wantTold()
			w.wantSettled()
		})
	}
}

func TestTheVendorsOwnRateLimitIsKeptTo(t *testing.T) {
	w := subscribed(t, setup{sim: simulator.Options{RatePerSecond: 8, RetryAfter: true}})
	for range 20 {
		w.book(simulator.Booking{})
	}
	for range 40 {
		if _, err := w.tryPoll(); err != nil && !errors.Is(err, polling.ErrRateLimited) {
			t.Fatal(err)
		}
		w.clock.advance(time.Second)
	}
	w.wantTold()
	w.wantSettled()
}

func TestOneFailedContainerIsKeptAndRetriedAlone(t *testing.T) {
	for _, kind := range []string{simulator.FaultError, simulator.FaultHTML, simulator.FaultJSON, simulator.FaultCut} {
		t.Run(kind, func(t *testing.T) {
			w := subscribed(t, setup{})
			for range 5 {
				w.book(simulator.Booking{})
			}
			w.inject(simulator.Fault{Kind: kind, Path: "patients/"})
			if r := w.poll(); r.Delivered != 4 || r.Kept != 1 {
				t.Fatalf("with one failed call: %+v", r)
			}
			if len(w.sim.Feed()) != 0 {
				t.Error("the feed was not consumed although everything was delivered or kept")
			}
			w.sim.ResetCounters()
			if r := w.poll(); r.Delivered != 1 || r.Retried != 1 || r.Kept != 0 {
				t.Errorf("the retry: %+v", r)
			}
			if n := w.sim.Counters().Calls["GET /patients/{id}"]; n != 1 {
				t.Errorf("%d patients were asked for to retry one", n)
			}
			w.wantTold()
			w.wantSettled()
		})
	}
}

func TestAFailedFeedChangesNothing(t *testing.T) {
	for _, kind := range []string{simulator.FaultError, simulator.FaultHTML, simulator.FaultJSON, simulator.FaultCut, simulator.FaultLostNext} {
		t.Run(kind, func(t *testing.T) {
			w := subscribed(t, setup{})
			a := w.book(simulator.Booking{})
			w.inject(simulator.Fault{Kind: kind, Path: "appointments/changed"})
			if _, err := w.tryPoll(); err == nil {
				t.Fatal("the poll succeeded")
			}
			if w.sink.count() != 0 || len(w.sim.Feed()) != 1 {
				t.Error("something was delivered or forgotten")
			}
			w.poll()
			w.wantStory(a.AppointmentID, "New")
			w.wantSettled()
		})
	}
}

func TestAnAnswerThatDoesNotComeInTime(t *testing.T) {
	w := subscribed(t, setup{timeout: 50 * time.Millisecond, sim: simulator.Options{Sleep: func(d time.Duration) { <-time.After(d) }}})
	a := w.book(simulator.Booking{})
	w.inject(simulator.Fault{Kind: simulator.FaultSlow, Path: "patients/", Seconds: 0.5})
	if r := w.poll(); r.Kept != 1 {
		t.Fatalf("%+v", r)
	}
	w.poll()
	w.wantStory(a.AppointmentID, "New")
}

// The dangerous moment: the feed has forgotten, and the answer is lost.
func TestWhatAConsumingReadLosesIsFoundAgain(t *testing.T) {
	for _, kind := range []string{simulator.FaultCut, simulator.FaultDrop} {
		t.Run(kind, func(t *testing.T) { lostConsumingRead(t, kind) })
	}
}

// bookOnDelivery books an appointment while the next message is delivered.
func (w *world) bookOnDelivery() *simulator.Appointment {
	var b simulator.Appointment
	w.sink.after = func(int) error {
		if b.AppointmentID == "" {
			b = w.book(simulator.Booking{})
		}
		return nil
	}
	return &b
}

func lostConsumingRead(t *testing.T, kind string) {
	w := subscribed(t, setup{})
	w.book(simulator.Booking{})
	w.poll() // from here on there is a connection that could be used again
	a := w.book(simulator.Booking{})
	// A second change comes between the reading and the consuming read, so
	// that only the lost answer has it.
	b := w.bookOnDelivery()
	w.inject(simulator.Fault{Kind: kind, Path: "appointments/changed", Skip: 1})
	if _, err := w.tryPoll(); !errors.Is(err, polling.ErrTemporary) {
		t.Fatalf("got %v", err)
	}
	if len(w.sim.Feed()) != 0 {
		t.Fatal("the feed was not consumed: nothing is tested")
	}
	w.wantStory(b.AppointmentID)
	w.clock.advance(time.Hour) // much later, in a new process
	w.start(setup{})
	w.poll()
	w.wantStory(a.AppointmentID, "New")
	w.wantStory(b.AppointmentID, "New")
	w.wantSettled()
}

// A proxy that sends a GET again hides that the first answer was lost: the
// second one is just empty.
type repeating struct {
	http.RoundTripper
	lose bool
}

func (r *repeating) RoundTrip(request *http.Request) (*http.Response, error) {
	q := request.URL.Query()
	if r.lose && strings.HasSuffix(request.URL.Path, "/appointments/changed") && q.Get("leaveunprocessed") == "" {
		r.lose = false
		first, err := r.RoundTripper.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		first.Body.Close()
	}
	return r.RoundTripper.RoundTrip(request)
}

func TestAConsumingReadThatAProxyRepeats(t *testing.T) {
	proxy := &repeating{RoundTripper: http.DefaultTransport}
	w := subscribed(t, setup{transport: proxy})
	a := w.book(simulator.Booking{})
	b := w.bookOnDelivery()
	proxy.lose = true
	w.poll()
	w.poll()
	w.wantStory(a.AppointmentID, "New")
	w.wantStory(b.AppointmentID, "New")
	w.wantSettled()
}

func TestARefusedMessageIsParkedAndOthersGoOn(t *testing.T) {
	w := subscribed(t, setup{})
	a, b := w.book(simulator.Booking{}), w.book(simulator.Booking{})
	w.sink.fail = func(n int) error {
		if n == 1 {
			return refusal{}
		}
		return nil
	}
	if r := w.poll(); r.Parked != 1 || r.Delivered != 1 || r.Kept != 0 {
		t.Errorf("%+v", r)
	}
	w.wantStory(a.AppointmentID)
	w.wantStory(b.AppointmentID, "New")
	parked, err := w.manager.Parked(t.Context(), connection, "appointments")
	w.must(err)
	if len(parked) != 1 || parked[0].Record != a.AppointmentID || len(parked[0].Message) == 0 {
		t.Errorf("parked: %d", len(parked))
	}
	// The refused state is not offered again; the next state is, as new.
	w.wantSettled()
	_, err = w.sim.Update(a.AppointmentID, simulator.Booking{Duration: 90})
	w.must(err)
	w.poll()
	w.wantStory(a.AppointmentID, "New")
	if parked, _ := w.manager.Parked(t.Context(), connection, "appointments"); len(parked) != 0 {
		t.Errorf("%d parked after a later message was accepted", len(parked))
	}
}

func TestASinkThatIsDownLeavesTheFeedAlone(t *testing.T) {
	w := subscribed(t, setup{})
	for range 30 {
		w.book(simulator.Booking{})
	}
	w.sink.fail = func(int) error { return store.ErrUnavailable }
	if _, err := w.tryPoll(); err == nil {
		t.Fatal("the poll succeeded")
	}
	if w.sink.calls > 10 || len(w.sim.Feed()) != 30 {
		t.Errorf("%d deliveries were tried, %d changes are left in the feed", w.sink.calls, len(w.sim.Feed()))
	}
	w.sink.fail = nil
	w.poll()
	w.wantTold()
	w.wantSettled()
}

func TestALaterChangeDoesNotOvertakeAKeptMessage(t *testing.T) {
	for name, fault := range map[string]bool{"": false, "and cannot be filled": true} {
		t.Run(name, func(t *testing.T) { laterChange(t, fault) })
	}
}

func laterChange(t *testing.T, fault bool) {
	w := subscribed(t, setup{})
	a := w.book(simulator.Booking{Date: "03/10/2026", StartTime: "09:00"})
	w.sink.after = func(n int) error { // committed, but the answer is lost
		if n <= 2 {
			return store.ErrUnavailable
		}
		return nil
	}
	w.poll()
	_, err := w.sim.Reschedule(a.AppointmentID, simulator.Move{Date: "03/11/2026"})
	w.must(err)
	if fault {
		w.inject(simulator.Fault{Kind: simulator.FaultError, Path: "patients/"})
	}
	if r := w.poll(); r.Kept != 1 {
		t.Errorf("%+v", r)
	}
	w.poll()
	w.poll()
	w.wantStory(a.AppointmentID, "New", "Reschedule")
	if w.sink.again != 2 {
		t.Errorf("the same message was delivered %d times more, want 2", w.sink.again)
	}
	w.wantTold()
	w.wantSettled()
}

// A crash at any write, before it happened or after: a new process goes on
// from what is there, and each change is told once.
func TestCrashAtEveryWrite(t *testing.T) {
	crashed := true
	for n := 1; crashed; n++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("write %d, after %v", n, after), func(t *testing.T) {
				w := subscribed(t, setup{})
				known := w.book(simulator.Booking{Date: "03/10/2026", StartTime: "09:00"})
				w.poll()
				_, err := w.sim.Reschedule(known.AppointmentID, simulator.Move{Date: "03/11/2026"})
				w.must(err)
				fresh := w.book(simulator.Booking{})
				start := w.items.count()
				dead := false
				crash := func(at int, _ string) bool {
					dead = dead || at == start+n
					return dead // nothing is written after a crash
				}
				exact := func(at int, _ string) bool { return at == start+n }
				if after {
					w.items.after = exact
					w.items.before = func(at int, _ string) bool { return at > start+n }
				} else {
					w.items.before = crash
				}
				_, err = w.tryPoll()
				crashed = w.items.count() >= start+n
				if crashed && err == nil {
					t.Fatal("a write failed and the poll succeeded")
				}
				w.items.before, w.items.after = nil, nil
				// Life goes on before the new process is there.
				_, err = w.sim.Update(fresh.AppointmentID, simulator.Booking{Duration: 75})
				w.must(err)
				w.clock.advance(time.Hour)
				w.start(setup{})
				w.poll()
				w.wantTold()
				w.wantStory(known.AppointmentID, "New", "Reschedule")
				// The update was seen apart from the booking or with it.
				if story := strings.Join(w.sink.story(fresh.AppointmentID), " "); story != "New" && story != "New Modification" {
					t.Errorf("told of the new one: %s", story)
				}
				w.wantSettled()
			})
		}
	}
}

package athenahealth_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/polling/vendors/athenahealth/simulator"
	"github.com/fhirfacade/fhirfacade/store"
)

// Whatever the practice does and whatever fails on the way, in the end each
// appointment was told as it is, and each message has one content.
func TestNothingIsLostWhateverFails(t *testing.T) {
	seeds := uint64(24)
	if testing.Short() {
		seeds = 4
	}
	for seed := range seeds {
		w := build(t, setup{pageSize: 5, sim: simulator.Options{Seed: seed + 1}})
		r := rand.New(rand.NewPCG(seed, 1))
		w.must(w.sim.Subscribe(""))
		kinds := []string{
			simulator.FaultRateLimit, simulator.FaultQuota, simulator.FaultError, simulator.FaultHTML, simulator.FaultJSON,
			simulator.FaultToken, simulator.FaultCut, simulator.FaultDrop, simulator.FaultDuplicates, simulator.FaultLostNext,
		}
		paths := []string{"", "appointments/changed", "patients/", "providers/", "departments/"}
		for range 40 {
			for range r.IntN(6) {
				_, err := w.sim.Change()
				w.must(err)
			}
			for range r.IntN(4) {
				w.inject(simulator.Fault{
					Kind: kinds[r.IntN(len(kinds))], Path: paths[r.IntN(len(paths))], Skip: r.IntN(6), Times: 1 + r.IntN(3), Seconds: float64(r.IntN(3)),
				})
			}
			chance := func(percent int) bool { return r.IntN(100) < percent }
			w.sink.fail = func(int) error {
				if chance(8) {
					return store.ErrUnavailable
				}
				return nil
			}
			w.sink.after = func(int) error {
				if chance(8) {
					return errors.New("the answer was lost")
				}
				return nil
			}
			w.items.mu.Lock()
			w.items.before = func(int, string) bool { return chance(4) }
			w.items.after = func(int, string) bool { return chance(4) }
			w.items.mu.Unlock()
			if chance(10) {
				w.start(setup{}) // a new process
			}
			_, _ = w.tryPoll()
			w.clock.advance(time.Duration(r.IntN(20)) * time.Second)
		}
		w.sim.Heal()
		w.sink.fail, w.sink.after = nil, nil
		w.items.before, w.items.after = nil, nil
		for range 8 {
			w.clock.advance(15 * time.Minute)
			_, _ = w.tryPoll()
		}
		w.wantTold()
		w.wantSettled()
		if t.Failed() {
			t.Fatalf("with seed %d; the log:\n%s", seed, w.log.String())
		}
	}
}

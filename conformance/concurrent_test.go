package conformance

import (
	"sync"
	"testing"
)

// Everything is shared and validators are pooled; run with -race this test
// shows that neither leaks from one goroutine to another.
func TestConcurrentUse(t *testing.T) {
	texts := map[string]int{ // to the number of issues
		`{"resourceType":"Patient","name":[{"given":["a"]}]}`:                                  0,
		`{"resourceType":"Patient","name":[{"given":[1,2]}]}`:                                  2,
		`{"resourceType":"Observation"}`:                                                       2,
		`{"resourceType":"Patient","birthDate":"200\u0030","contained":[{"resourceType":""}]}`: 1,
		`{`: 1,
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for text, want := range texts {
					if got := len(ValidateStructure([]byte(text))); got != want {
						t.Errorf("%s: %d issues, want %d", text, got, want)
					}
				}
				if _, ok := R4().SearchParameter("Patient", "name"); !ok {
					t.Error("Patient has no parameter name")
				}
			}
		})
	}
	wg.Wait()
}

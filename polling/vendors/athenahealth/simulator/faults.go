package simulator

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kinds of faults.
const (
	FaultRateLimit  = "429"        // Seconds become Retry-After, none when 0
	FaultQuota      = "403"        // the gateway's refusal over the daily quota
	FaultError      = "500"        // nothing happened
	FaultHTML       = "html"       // 200 with a page of HTML
	FaultJSON       = "json"       // 200 with JSON of the wrong shape
	FaultToken      = "token"      // all tokens expire before the call
	FaultSlow       = "slow"       // Seconds pass before the answer
	FaultCut        = "cut"        // the call is done, the answer breaks off
	FaultDrop       = "drop"       // the call is done, the connection closes without an answer
	FaultDuplicates = "duplicates" // rows of a list come twice
	FaultLostNext   = "lostnext"   // a list says more rows than it has, and no next
)

var faultKinds = []string{FaultRateLimit, FaultQuota, FaultError, FaultHTML, FaultJSON, FaultToken, FaultSlow, FaultCut, FaultDrop, FaultDuplicates, FaultLostNext}

// Fault is something that goes wrong with calls to come.
type Fault struct {
	Kind string `json:"kind"`
	// Path selects calls whose path, below the practice, begins so
	// ("appointments/changed", "patients/"); all when empty.
	Path string `json:"path"`
	// Skip lets so many calls pass first.
	Skip int `json:"skip"`
	// Times is how often it happens; once when 0.
	Times int `json:"times"`
	// Seconds is the Retry-After of a 429, or how slow a slow call is.
	Seconds float64 `json:"seconds"`
}

// Inject adds a fault.
func (s *Simulator) Inject(f Fault) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("kind is none of %s: %w", strings.Join(faultKinds, ", "), ErrInput)
	}
	if f.Times == 0 {
		f.Times = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &f)
	return nil
}

// Faults returns the faults that are still to come.
func (s *Simulator) Faults() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Fault{}
	for _, f := range s.faults {
		all = append(all, *f)
	}
	return all
}

// Heal removes all faults.
func (s *Simulator) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// next takes the fault that a call meets, if any, with the mutex held.
func (s *Simulator) next(path string) (Fault, bool) {
	for i, f := range s.faults {
		if !strings.HasPrefix(path, f.Path) {
			continue
		}
		if f.Skip > 0 {
			f.Skip--
			continue
		}
		if f.Times--; f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		return *f, true
	}
	return Fault{}, false
}

// Counters says which calls came, by method and path without ids, and how
// they were answered.
type Counters struct {
	Calls   map[string]int `json:"calls"`
	Answers map[string]int `json:"answers"`
	Total   int            `json:"total"`
}

// Counters returns how often each call came since the last reset.
func (s *Simulator) Counters() Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Counters{Calls: map[string]int{}, Answers: map[string]int{}, Total: s.counters.Total}
	for k, v := range s.counters.Calls {
		c.Calls[k] = v
	}
	for k, v := range s.counters.Answers {
		c.Answers[k] = v
	}
	return c
}

// ResetCounters sets them to nought.
func (s *Simulator) ResetCounters() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counters = Counters{}
}

func (s *Simulator) count(call string, status int) {
	if s.counters.Calls == nil {
		s.counters = Counters{Calls: map[string]int{}, Answers: map[string]int{}}
	}
	s.counters.Calls[call]++
	s.counters.Answers[strconv.Itoa(status)]++
	s.counters.Total++
}

// vendor wraps a handler of the vendor's API, which runs with the mutex held,
// in what happens to a call on its way: latency, faults, admission, counting.
func (s *Simulator) vendor(pattern string, handle http.HandlerFunc) {
	method, path, _ := strings.Cut(pattern, " ")
	call := method + " /" + path
	s.mux.HandleFunc(method+" /v1/{practiceid}/"+path, func(w http.ResponseWriter, r *http.Request) {
		below := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
		s.mu.Lock()
		fault, faulty := s.next(below[2])
		s.mu.Unlock()
		wait := s.o.Latency
		if faulty && fault.Kind == FaultSlow {
			wait += time.Duration(fault.Seconds * float64(time.Second))
		}
		if wait > 0 {
			s.o.Sleep(wait)
		}
		answer := &answer{header: http.Header{}, status: http.StatusOK}
		s.mu.Lock()
		if faulty && fault.Kind == FaultToken {
			clear(s.tokens)
		}
		if !faulty || !refuse(answer, fault) {
			if faulty && (fault.Kind == FaultDuplicates || fault.Kind == FaultLostNext) {
				r = r.WithContext(withFault(r.Context(), fault.Kind))
			}
			if s.admit(answer, r) {
				handle(answer, r)
			}
		}
		s.count(call, answer.status)
		s.mu.Unlock()
		for k, v := range answer.header {
			w.Header()[k] = v
		}
		body := answer.body.Bytes()
		if faulty && fault.Kind == FaultDrop {
			panic(http.ErrAbortHandler) // closes the connection
		}
		if faulty && fault.Kind == FaultCut {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(answer.status)
			_, _ = w.Write(body[:len(body)/2])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(answer.status)
		_, _ = w.Write(body)
	})
}

// answer is an answer that is not sent yet.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header            { return a.header }
func (a *answer) WriteHeader(status int)         { a.status = status }
func (a *answer) Write(data []byte) (int, error) { return a.body.Write(data) }

// refuse answers instead of the API, for faults that are answers.
func refuse(w http.ResponseWriter, f Fault) bool {
	switch f.Kind {
	case FaultRateLimit:
		if f.Seconds > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.Seconds)))
		}
		gateway(w, http.StatusTooManyRequests, "Developer Over Qps")
	case FaultQuota:
		gateway(w, http.StatusForbidden, "Developer Over Rate")
	case FaultError:
		gateway(w, http.StatusInternalServerError, "Internal Server Error")
	case FaultHTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body><h1>Scheduled maintenance</h1></body></html>"))
	case FaultJSON:
		writeJSON(w, http.StatusOK, map[string]any{"appointments": "none", "message": "unexpected"})
	default:
		return false
	}
	return true
}

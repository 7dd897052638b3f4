// Package simulate holds what simulators of vendors' APIs share: faults that
// calls meet, tokens, limits, counters, and the paths below /simulator by
// which a simulator is told what to do.
//
//	POST   /simulator/faults    {"kind": "429", "path": "Patient", "times": 3, "skip": 1, "seconds": 2}
//	GET    /simulator/faults    those still to come
//	DELETE /simulator/faults
//	GET    /simulator/counters  calls by method and path, answers by status
//	POST   /simulator/tokens/expire
package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Kinds of faults.
const (
	RateLimit  = "429"        // Seconds become Retry-After, none when 0
	Error      = "500"        // nothing happened
	HTML       = "html"       // 200 with a page of HTML
	JSON       = "json"       // 200 with JSON of another shape
	Token      = "token"      // all tokens expire before the call
	Slow       = "slow"       // Seconds pass before the answer
	Cut        = "cut"        // the answer breaks off
	Drop       = "drop"       // the connection closes without an answer
	Duplicates = "duplicates" // rows of a list come twice
	LostNext   = "lostnext"   // a list has no next link where it should
)

// Kinds are the kinds of faults.
func Kinds() []string {
	return []string{RateLimit, Error, HTML, JSON, Token, Slow, Cut, Drop, Duplicates, LostNext}
}

// Fault is something that goes wrong with calls to come.
type Fault struct {
	Kind string `json:"kind"`
	// Path selects calls whose path begins so; all when empty.
	Path string `json:"path"`
	// Skip lets so many calls pass first; Times is how often it happens, once
	// when 0.
	Skip  int `json:"skip"`
	Times int `json:"times"`
	// Seconds is the Retry-After of a 429, or how slow a slow call is.
	Seconds float64 `json:"seconds"`
}

// ErrInput: what the simulator was told is wrong.
var ErrInput = errors.New("not understood")

// Options of New.
type Options struct {
	// Clock is the vendor's; time.Now when nil.
	Clock func() time.Time
	// Sleep waits for a latency or a slow fault; a timer when nil.
	Sleep func(d time.Duration)
	// Latency is how long each answer takes.
	Latency time.Duration
	// PerSecond answers 429 above so many calls in a second; no limit when
	// zero. RetryAfter adds that header.
	PerSecond  int
	RetryAfter bool
}

// Frame stands between an API and its callers. It is safe for concurrent use.
type Frame struct {
	o  Options
	mu sync.Mutex

	faults   []*Fault
	counters Counters
	tokens   map[string]time.Time
	issued   int
	second   time.Time
	inSecond int
}

// New returns a Frame.
func New(o Options) *Frame {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = func(d time.Duration) { <-time.After(d) }
	}
	return &Frame{o: o, tokens: map[string]time.Time{}}
}

// Now is the vendor's time.
func (f *Frame) Now() time.Time { return f.o.Clock() }

// Inject adds a fault.
func (f *Frame) Inject(fault Fault) error {
	if !slices.Contains(Kinds(), fault.Kind) {
		return fmt.Errorf("%w: kind is none of %s", ErrInput, strings.Join(Kinds(), ", "))
	}
	fault.Times = max(1, fault.Times)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = append(f.faults, &fault)
	return nil
}

// Heal removes all faults.
func (f *Frame) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// Faults are the faults still to come.
func (f *Frame) Faults() []Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []Fault{}
	for _, fault := range f.faults {
		all = append(all, *fault)
	}
	return all
}

func (f *Frame) next(path string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, fault := range f.faults {
		if !strings.HasPrefix(path, fault.Path) {
			continue
		}
		if fault.Skip > 0 {
			fault.Skip--
			continue
		}
		if fault.Times--; fault.Times == 0 {
			f.faults = slices.Delete(f.faults, i, i+1)
		}
		return *fault
	}
	return Fault{}
}

// Counters says which calls came and how they were answered.
type Counters struct {
	Calls   map[string]int `json:"calls"`
	Answers map[string]int `json:"answers"`
	Total   int            `json:"total"`
}

// Counters returns how often each call came.
func (f *Frame) Counters() Counters {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Counters{Calls: map[string]int{}, Answers: map[string]int{}, Total: f.counters.Total}
	for k, v := range f.counters.Calls {
		c.Calls[k] = v
	}
	for k, v := range f.counters.Answers {
		c.Answers[k] = v
	}
	return c
}

// ResetCounters sets them to nought.
func (f *Frame) ResetCounters() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counters = Counters{}
}

// Issue makes a token that is good for a time.
func (f *Frame) Issue(life time.Duration) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.issued++
	token := fmt.Sprintf("token-%d", f.issued)
	f.tokens[token] = f.o.Clock().Add(life)
	return token
}

// Accepts reports whether a request has a token that is good.
func (f *Frame) Accepts(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	f.mu.Lock()
	defer f.mu.Unlock()
	until, known := f.tokens[token]
	return ok && known && f.o.Clock().Before(until)
}

// ExpireTokens ends all tokens.
func (f *Frame) ExpireTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.tokens)
}

// Serve answers a call of the API, named name in the counters, with what
// happens to calls on their way. path is what faults select by. handle is
// told of the faults that lists show.
func (f *Frame) Serve(w http.ResponseWriter, r *http.Request, name, path string, handle func(w http.ResponseWriter, r *http.Request, fault string)) {
	fault := f.next(path)
	wait := f.o.Latency
	if fault.Kind == Slow {
		wait += time.Duration(fault.Seconds * float64(time.Second))
	}
	if wait > 0 {
		f.o.Sleep(wait)
	}
	if fault.Kind == Token {
		f.ExpireTokens()
	}
	a := &answer{header: http.Header{}, status: http.StatusOK}
	switch {
	case f.refuse(a, fault):
	case f.limited():
		if f.o.RetryAfter {
			a.header.Set("Retry-After", "1")
		}
		a.status = http.StatusTooManyRequests
	default:
		handle(a, r, fault.Kind)
	}
	f.count(name, a.status)
	for k, v := range a.header {
		w.Header()[k] = v
	}
	body := a.body.Bytes()
	switch fault.Kind {
	case Drop:
		panic(http.ErrAbortHandler) // closes the connection
	case Cut:
		w.Header().Set("Content-Length", strconv.Itoa(len(body)+1))
		w.WriteHeader(a.status)
		_, _ = w.Write(body[:len(body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(body)
}

func (f *Frame) limited() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if second := f.o.Clock().Truncate(time.Second); f.second != second {
		f.second, f.inSecond = second, 0
	}
	f.inSecond++
	return f.o.PerSecond > 0 && f.inSecond > f.o.PerSecond
}

func (f *Frame) count(name string, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counters.Calls == nil {
		f.counters = Counters{Calls: map[string]int{}, Answers: map[string]int{}}
	}
	f.counters.Calls[name]++
	f.counters.Answers[strconv.Itoa(status)]++
	f.counters.Total++
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

func (f *Frame) refuse(w http.ResponseWriter, fault Fault) bool {
	switch fault.Kind {
	case RateLimit:
		if fault.Seconds > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(fault.Seconds)))
		}
		w.WriteHeader(http.StatusTooManyRequests)
	case Error:
		w.WriteHeader(http.StatusInternalServerError)
	case HTML:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><body><h1>Scheduled maintenance</h1></body></html>")
	case JSON:
		WriteJSON(w, http.StatusOK, map[string]any{"message": []string{"unexpected"}})
	default:
		return false
	}
	return true
}

// WriteJSON writes an answer.
func WriteJSON(w http.ResponseWriter, status int, v any) { writeAs(w, "application/json", status, v) }

// WriteFHIR writes an answer of a FHIR server.
func WriteFHIR(w http.ResponseWriter, status int, v any) {
	writeAs(w, "application/fhir+json", status, v)
}

func writeAs(w http.ResponseWriter, contentType string, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"internal"}`)
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Body reads a JSON body; an empty one is the zero value, an unknown member
// an error.
func Body[T any](r *http.Request) (T, error) {
	var v T
	d := json.NewDecoder(io.LimitReader(r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil && !errors.Is(err, io.EOF) {
		return v, fmt.Errorf("%w: %w", ErrInput, err)
	}
	return v, nil
}

// Control adds the paths of the documentation to a mux.
func (f *Frame) Control(mux *http.ServeMux) {
	Handle(mux, "GET /simulator/faults", func(*http.Request) (any, error) { return f.Faults(), nil })
	Handle(mux, "DELETE /simulator/faults", func(*http.Request) (any, error) { f.Heal(); return Done, nil })
	Handle(mux, "POST /simulator/faults", func(r *http.Request) (any, error) {
		fault, err := Body[Fault](r)
		if err != nil {
			return nil, err
		}
		return Done, f.Inject(fault)
	})
	Handle(mux, "GET /simulator/counters", func(*http.Request) (any, error) { return f.Counters(), nil })
	Handle(mux, "POST /simulator/tokens/expire", func(*http.Request) (any, error) { f.ExpireTokens(); return Done, nil })
}

// Done is the answer to what has been done.
var Done = map[string]bool{"success": true}

// ErrNoSuch: the simulator has no such record.
var ErrNoSuch = errors.New("no such record")

// Handle adds a path of a simulator itself.
func Handle(mux *http.ServeMux, pattern string, f func(r *http.Request) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := f(r)
		switch {
		case errors.Is(err, ErrNoSuch):
			WriteJSON(w, http.StatusNotFound, map[string]string{"error": err.Error()})
		case err != nil:
			WriteJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		default:
			WriteJSON(w, http.StatusOK, v)
		}
	})
}

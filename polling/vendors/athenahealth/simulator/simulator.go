package simulator

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // the vendor's Eastern time, on machines without zone files
)

// DefaultPractice is the vendor's sandbox practice.
const DefaultPractice = "195900"

// Options of New. The zero value is a working practice.
type Options struct {
	// Clock is the practice's clock; time.Now when nil.
	Clock func() time.Time
	// Sleep waits for a latency or a slow fault; a timer when nil.
	Sleep func(d time.Duration)
	// ClientID and ClientSecret are the only credentials accepted;
	// "client" and "secret" when empty.
	ClientID, ClientSecret string
	// PracticeID is DefaultPractice when empty.
	PracticeID string
	// Seed decides who is invented and what random changes happen.
	Seed uint64
	// Patients, Providers and Departments say how many are invented; 40, 6
	// and 3 when zero.
	Patients, Providers, Departments int
	// Appointments is how many are booked before the feed begins.
	Appointments int
	// Latency is how long each answer of the vendor's paths takes.
	Latency time.Duration
	// TokenLife is how long a token lasts; one hour when zero.
	TokenLife time.Duration
	// RatePerSecond answers 429 above so many calls in a second; no limit
	// when zero. The vendor's preview allows 5, its production 100.
	RatePerSecond int
	// RetryAfter adds that header, of one second, to such a 429.
	RetryAfter bool
	// DailyQuota answers 403 above so many calls in a day of UTC; no limit
	// when zero.
	DailyQuota int
	// TokensPerMinute limits token calls; 50 when zero.
	TokensPerMinute int
	// SubscriptionDelay is how long a subscription takes to have effect; the
	// vendor says up to five minutes, in preview up to fifteen.
	SubscriptionDelay time.Duration
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = func(d time.Duration) { <-time.After(d) }
	}
	if o.ClientID == "" {
		o.ClientID = "client"
	}
	if o.ClientSecret == "" {
		o.ClientSecret = "secret"
	}
	if o.PracticeID == "" {
		o.PracticeID = DefaultPractice
	}
	if o.Patients == 0 {
		o.Patients = 40
	}
	if o.Providers == 0 {
		o.Providers = 6
	}
	if o.Departments == 0 {
		o.Departments = 3
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	if o.TokensPerMinute == 0 {
		o.TokensPerMinute = 50
	}
	return o
}

// Simulator is a practice and the API in front of it. It is safe for
// concurrent use.
type Simulator struct {
	o       Options
	mux     *http.ServeMux
	eastern *time.Location

	mu           sync.Mutex
	random       *rand.Rand
	patients     map[string]*Patient
	providers    map[string]*Provider
	departments  map[string]*Department
	appointments map[string]*Appointment
	order        []string // ids of appointments, oldest first
	lastID       int

	subscribed map[string]time.Time // event name → effective from
	feed       []*feedEntry

	tokens     map[string]time.Time // token → expires
	issued     int
	limits     limits
	faults     []*Fault
	counters   Counters
	stopStream func() // nil when no stream runs
}

// New invents a practice.
func New(o Options) *Simulator {
	o = o.withDefaults()
	eastern, err := time.LoadLocation("America/New_York")
	if err != nil {
		panic(err) // cannot happen: the zones are compiled in
	}
	s := &Simulator{
		o: o, eastern: eastern,
		random:       rand.New(rand.NewPCG(o.Seed, 0x61746865)),
		patients:     map[string]*Patient{},
		providers:    map[string]*Provider{},
		departments:  map[string]*Department{},
		appointments: map[string]*Appointment{},
		subscribed:   map[string]time.Time{},
		tokens:       map[string]time.Time{},
		lastID:       1_100_000,
	}
	s.invent()
	for range o.Appointments {
		// Nobody has subscribed yet, so that these are not in the feed.
		if _, err := s.Book(Booking{}); err != nil {
			panic(err) // cannot happen: nothing is asked for
		}
	}
	s.mux = http.NewServeMux()
	s.vendorRoutes()
	s.controlRoutes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Simulator) now() time.Time { return s.o.Clock() }

// pick returns one of a sorted list, decided by the seed.
func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

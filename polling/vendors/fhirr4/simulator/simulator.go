// Package simulator plays the FHIR R4 server of an EHR vendor: what is needed
// to try a poller against it, and faults.
//
//	GET    /r4/{type}?…         search, with the parameters that the flavour has
//	GET    /r4/{type}/{id}      read
//	POST   /token               OAuth 2.0: client_credentials by secret or by JWT, password, refresh_token
//	GET    /r4/.well-known/smart-configuration
//	POST   /simulator/changes   {"count": 3}: random changes
//	GET    /simulator/resources?type=Appointment
//	PUT    /simulator/resources  a resource; a new one when it has no id
//
// and those of package simulate. Flavours differ in what Appointments and
// Patients are searched by, in how links look, and in what a page may hold.
package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/polling/vendors/simulate"
)

// Options of New. The zero value is a server of no vendor.
type Options struct {
	simulate.Options
	// Flavour is one of Flavours; "" is a server that can do everything.
	Flavour string
	// ClientID and ClientSecret are accepted at /token; "client" and "secret"
	// when empty. PublicKey, PEM, is what JWTs must be signed with; without it
	// every signature is taken.
	ClientID, ClientSecret string
	PublicKey              string
	// Practice is what nextech wants in nx-practice-id; "195900" when empty.
	Practice string
	Seed     uint64
	// Appointments is how many there are from the start.
	Appointments int
	// TokenLife is how long a token lasts; one hour when zero.
	TokenLife time.Duration
}

// flavour is how a vendor's server differs.
type flavour struct {
	updated  map[string]bool // types with _lastUpdated; all when nil
	unsorted bool
	noTotal  bool
	pageSize int
	practice bool
	narrowed bool // Appointment wants patient, practitioner or location, and date twice
	offset   string
}

var flavours = map[string]flavour{
	"":     {pageSize: 100, offset: "_getpagesoffset"},
	"epic": {updated: map[string]bool{}, unsorted: true, noTotal: true, pageSize: 100, offset: "sessionID"},
	"cerner": {updated: map[string]bool{
		"Encounter": true, "Observation": true, "Condition": true, "DiagnosticReport": true, "MedicationRequest": true,
		"Procedure": true, "AllergyIntolerance": true, "Immunization": true, "DocumentReference": true, "ServiceRequest": true,
	}, unsorted: true, noTotal: true, pageSize: 100, narrowed: true, offset: "pageContext"},
	"canvas":         {updated: map[string]bool{}, unsorted: true, pageSize: 100, offset: "_offset"},
	"nextech":        {updated: map[string]bool{"Appointment": true}, unsorted: true, pageSize: 50, practice: true, offset: "_getpagesoffset"},
	"eclinicalworks": {updated: map[string]bool{}, unsorted: true, pageSize: 100, offset: "_offset"},
}

// Flavours are the vendors that are played.
func Flavours() []string { return slices.Sorted(maps.Keys(flavours))[1:] }

// Resource is a resource as the server has it.
type Resource = map[string]any

// Simulator is the server. It is safe for concurrent use.
type Simulator struct {
	*simulate.Frame
	o       Options
	flavour flavour
	mux     *http.ServeMux

	mu     sync.Mutex
	random *rand.Rand
	byType map[string][]*stored
	last   int
	stop   chan struct{}
}

type stored struct {
	id      string
	version int
	updated time.Time
	body    Resource
}

// New invents a clinic.
func New(o Options) (*Simulator, error) {
	f, ok := flavours[o.Flavour]
	if !ok {
		return nil, fmt.Errorf("%w: flavour is none of %s", simulate.ErrInput, strings.Join(Flavours(), ", "))
	}
	for text, otherwise := range map[*string]string{&o.ClientID: "client", &o.ClientSecret: "secret", &o.Practice: "195900"} {
		if *text == "" {
			*text = otherwise
		}
	}
	if o.TokenLife == 0 {
		o.TokenLife = time.Hour
	}
	s := &Simulator{
		Frame: simulate.New(o.Options), o: o, flavour: f, mux: http.NewServeMux(),
		random: rand.New(rand.NewPCG(o.Seed, 0x66686972)), byType: map[string][]*stored{},
	}
	s.invent()
	s.routes()
	return s, nil
}

// ServeHTTP implements http.Handler.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Simulator) routes() {
	s.mux.HandleFunc("POST /token", s.token)
	s.mux.HandleFunc("GET /r4/.well-known/smart-configuration", func(w http.ResponseWriter, r *http.Request) {
		simulate.WriteJSON(w, http.StatusOK, map[string]string{"token_endpoint": base(r) + "/token"})
	})
	s.mux.HandleFunc("GET /r4/{type}", func(w http.ResponseWriter, r *http.Request) {
		typ := r.PathValue("type")
		s.Serve(w, r, "GET "+typ, typ, func(w http.ResponseWriter, r *http.Request, fault string) {
			if s.admit(w, r) {
				s.search(w, r, typ, fault)
			}
		})
	})
	s.mux.HandleFunc("GET /r4/{type}/{id}", func(w http.ResponseWriter, r *http.Request) {
		typ := r.PathValue("type")
		s.Serve(w, r, "GET "+typ+"/{id}", typ+"/", func(w http.ResponseWriter, r *http.Request, _ string) {
			if s.admit(w, r) {
				s.read(w, typ, r.PathValue("id"))
			}
		})
	})
	s.Control(s.mux)
	simulate.Handle(s.mux, "GET /simulator/resources", func(r *http.Request) (any, error) { return s.Resources(r.FormValue("type")), nil })
	simulate.Handle(s.mux, "PUT /simulator/resources", func(r *http.Request) (any, error) {
		body, err := simulate.Body[Resource](r)
		if err != nil {
			return nil, err
		}
		return s.Put(body)
	})
	simulate.Handle(s.mux, "POST /simulator/changes", func(r *http.Request) (any, error) {
		b, err := simulate.Body[struct {
			Count int `json:"count"`
		}](r)
		if err != nil {
			return nil, err
		}
		changed := []Resource{}
		for range max(1, min(b.Count, 10_000)) {
			changed = append(changed, s.Change())
		}
		return changed, nil
	})
}

func base(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}

func problem(w http.ResponseWriter, status int, code, text string) {
	simulate.WriteFHIR(w, status, Resource{"resourceType": "OperationOutcome", "issue": []Resource{{"severity": "error", "code": code, "diagnostics": text}}})
}

func (s *Simulator) admit(w http.ResponseWriter, r *http.Request) bool {
	if !s.Accepts(r) {
		problem(w, http.StatusUnauthorized, "login", "no good token")
		return false
	}
	if s.flavour.practice && r.Header.Get("nx-practice-id") != s.o.Practice {
		problem(w, http.StatusForbidden, "forbidden", "nx-practice-id is missing or another practice's")
		return false
	}
	return true
}

// Put stores a resource, a new one when it has no id.
func (s *Simulator) Put(body Resource) (Resource, error) {
	typ, _ := body["resourceType"].(string)
	if typ == "" {
		return nil, fmt.Errorf("%w: resourceType is missing", simulate.ErrInput)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.put(typ, body), nil
}

func (s *Simulator) put(typ string, body Resource) Resource {
	id, _ := body["id"].(string)
	var r *stored
	for _, known := range s.byType[typ] {
		if known.id == id {
			r = known
		}
	}
	if r == nil {
		if id == "" {
			s.last++
			id = fmt.Sprintf("%s%d", strings.ToLower(typ[:1]), 1000+s.last)
		}
		r = &stored{id: id}
		s.byType[typ] = append(s.byType[typ], r)
	}
	r.version++
	r.updated = s.Now()
	r.body = maps.Clone(body)
	r.body["id"] = id
	return r.shown()
}

// shown is the resource with its meta, apart from what is stored.
func (r *stored) shown() Resource {
	text, err := json.Marshal(r.body)
	if err != nil {
		panic(err) // cannot happen: it came from JSON
	}
	var out Resource
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	out["meta"] = Resource{"versionId": fmt.Sprint(r.version), "lastUpdated": r.updated.UTC().Format("2006-01-02T15:04:05.000Z")}
	return out
}

// Resources are all resources of a type, oldest first.
func (s *Simulator) Resources(typ string) []Resource {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []Resource{}
	for _, r := range s.byType[typ] {
		all = append(all, r.shown())
	}
	return all
}

func (s *Simulator) read(w http.ResponseWriter, typ, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.byType[typ] {
		if r.id == id {
			simulate.WriteFHIR(w, http.StatusOK, r.shown())
			return
		}
	}
	problem(w, http.StatusNotFound, "not-found", "no such resource")
}

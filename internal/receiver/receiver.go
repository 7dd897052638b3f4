// Package receiver is a webhook subscriber to try notifications with. It
// verifies what it gets, stores it, prints one line for each delivery, and can
// be told to be down.
package receiver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/notifications"
)

// Options say what a receiver expects.
type Options struct {
	Name string
	// Token must come in the verification-token header; "" for any.
	Token string
	// Secret, when set, must have signed the delivery.
	Secret string
	// Dir, when set, gets a file for each accepted delivery.
	Dir string
	Out io.Writer
	Now func() time.Time
}

// Delivery is one request, without its body.
type Delivery struct {
	At time.Time `json:"at"`
	// ID is the webhook-id: the same for each attempt of a delivery.
	ID string `json:"id"`
	// Event is the Redox event, "Scheduling.New", or the last part of the
	// MessageHeader's eventUri, "AppointmentBooked".
	Event string `json:"event"`
	// Entries is how many entries a Bundle has.
	Entries int `json:"entries,omitempty"`
	Status  int `json:"status"`
	// Error is why it was refused.
	Error string `json:"error,omitempty"`
	// File is where the body is, relative to the folder.
	File string `json:"file,omitempty"`
}

// Receiver is an http.Handler.
type Receiver struct {
	o   Options
	mux *http.ServeMux

	mu         sync.Mutex
	down       int
	deliveries []Delivery
}

// New makes a receiver and its folder.
func New(o Options) (*Receiver, error) {
	if o.Dir != "" {
		if err := os.MkdirAll(o.Dir, 0o700); err != nil {
			return nil, err
		}
	}
	r := &Receiver{o: o, mux: http.NewServeMux()}
	r.mux.HandleFunc("POST /control/down", r.setDown)
	r.mux.HandleFunc("GET /control/received", r.received)
	r.mux.HandleFunc("/", r.receive)
	return r, nil
}

// ServeHTTP implements http.Handler.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) { r.mux.ServeHTTP(w, req) }

// setDown makes the receiver answer 503 to the next deliveries.
func (r *Receiver) setDown(w http.ResponseWriter, req *http.Request) {
	var in struct {
		Deliveries int `json:"deliveries"`
	}
	if err := json.NewDecoder(req.Body).Decode(&in); err != nil || in.Deliveries < 0 {
		http.Error(w, `send {"deliveries": 3}`, http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.down = in.Deliveries
	r.mu.Unlock()
	w.WriteHeader(http.StatusNoContent)
}

func (r *Receiver) received(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.deliveries == nil {
		r.deliveries = []Delivery{}
	}
	_ = json.NewEncoder(w).Encode(r.deliveries)
}

// maxBody is the most bytes taken of a delivery.
const maxBody = 64 << 20

func (r *Receiver) receive(w http.ResponseWriter, req *http.Request) {
	if c := req.URL.Query().Get("challenge"); req.Method == http.MethodGet && c != "" {
		r.challenge(w, req.URL.Query().Get("verification-token"), c)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		http.Error(w, "body too large", http.StatusRequestEntityTooLarge)
		return
	}
	var asked struct {
		Token     string `json:"verification-token"`
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(body, &asked) == nil && asked.Challenge != "" {
		r.challenge(w, asked.Token, asked.Challenge)
		return
	}
	d := Delivery{At: r.o.Now().UTC(), ID: req.Header.Get("webhook-id"), Status: http.StatusOK}
	d.Event, d.Entries = describe(body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.check(req, body); err != nil {
		d.Status, d.Error = http.StatusUnauthorized, err.Error()
	} else if r.down > 0 {
		r.down--
		d.Status, d.Error = http.StatusServiceUnavailable, "down"
	} else if r.o.Dir != "" {
		d.File = fmt.Sprintf("%04d.json", len(r.deliveries)+1)
		if err := os.WriteFile(filepath.Join(r.o.Dir, d.File), body, 0o600); err != nil {
			d.Status, d.Error, d.File = http.StatusInternalServerError, "cannot store it", ""
		}
	}
	r.deliveries = append(r.deliveries, d)
	r.print(d, len(body))
	w.WriteHeader(d.Status)
}

func (r *Receiver) challenge(w http.ResponseWriter, token, challenge string) {
	if r.o.Token != "" && token != r.o.Token {
		http.Error(w, "wrong verification-token", http.StatusUnauthorized)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"challenge": challenge})
}

// tolerance is how old a signed delivery may be.
const tolerance = 5 * time.Minute

func (r *Receiver) check(req *http.Request, body []byte) error {
	if r.o.Token != "" && req.Header.Get("verification-token") != r.o.Token {
		return fmt.Errorf("wrong verification-token")
	}
	if r.o.Secret == "" {
		return nil
	}
	h := req.Header
	return notifications.VerifySignature(r.o.Secret, h.Get("webhook-id"), h.Get("webhook-timestamp"),
		h.Get("webhook-signature"), body, r.o.Now(), tolerance)
}

func (r *Receiver) print(d Delivery, size int) {
	said := "accepted"
	if d.Error != "" {
		said = "refused: " + d.Error
	}
	fmt.Fprintf(r.o.Out, "%s  %-12s %-28s %6d bytes  %s  %s\n", d.At.Format("15:04:05.000"), r.o.Name, d.Event, size, d.ID, said)
}

// describe names the event of a body.
func describe(body []byte) (event string, entries int) {
	doc, err := rawjson.Parse(body, nil)
	if err != nil {
		return "not JSON", 0
	}
	root := doc.Root()
	if meta, ok := root.Member("Meta"); ok {
		model, _ := meta.Member("DataModel")
		typ, _ := meta.Member("EventType")
		return model.String() + "." + typ.String(), 0
	}
	list, _ := root.Member("entry")
	for e := range list.Elements() {
		entries++
		resource, _ := e.Member("resource")
		if uri, ok := resource.Member("eventUri"); ok && event == "" {
			event = filepath.Base(uri.String())
		}
	}
	return event, entries
}

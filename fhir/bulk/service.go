package bulk

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/store"
)

// Options of New. Store, Repository, Jobs and NewID are needed.
type Options struct {
	Store      store.Store
	Repository *repository.Repository
	Jobs       Jobs
	NewID      func() string
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// BaseURL is a tenant's absolute FHIR base, as the repository has it.
	BaseURL func(store.Tenant) string
	// Life is how long the files of a job that has ended are kept; 24 h when
	// zero.
	Life time.Duration
	// MaxOpen is how many jobs of a kind a tenant may have open; 10 when zero.
	MaxOpen int
	// PerFile is how many resources a file has at most; 100,000 when zero.
	PerFile int64
	// Transaction stores a transaction Bundle as one commit; without it such
	// Bundles are rejected.
	Transaction func(ctx context.Context, t store.Tenant, x Transaction) error
	// MaxLine is the most bytes of a line that is imported; 50 MiB when zero.
	MaxLine int
	// Client fetches files; one that calls public addresses only when nil.
	Client *http.Client
	Logger *slog.Logger
}

// Transaction is a transaction Bundle that is imported.
type Transaction struct {
	// Base is the base of the tenant's FHIR service.
	Base   string
	Bundle []byte
	// Source and Info are those of the commit.
	Source string
	Info   []byte
	// DryRun stores nothing.
	DryRun bool
	// May asks for leave for an interaction with a type.
	May func(interaction, typ string) error
}

// Service does exports and imports. Safe for concurrent use.
type Service struct{ o Options }

// Defaults of Options.
const (
	DefaultLife    = 24 * time.Hour
	defaultOpen    = 10
	defaultPerFile = 100_000
	defaultLine    = 50 << 20
)

// New makes a service.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Life == 0 {
		o.Life = DefaultLife
	}
	if o.MaxOpen == 0 {
		o.MaxOpen = defaultOpen
	}
	if o.PerFile == 0 {
		o.PerFile = defaultPerFile
	}
	if o.MaxLine == 0 {
		o.MaxLine = defaultLine
	}
	if o.Client == nil {
		o.Client = NewClient(false)
	}
	if o.Transaction == nil {
		o.Transaction = func(context.Context, store.Tenant, Transaction) error {
			return outcome.BadRequest(outcome.CodeNotSupported, "Transactions are not imported here.")
		}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Service{o}
}

// OrderExport makes a job of an export, after a look at whether it can be
// done, and returns its id.
func (s *Service) OrderExport(ctx context.Context, t store.Tenant, r *Request) (id string, err error) {
	if r.Level == Group {
		if _, err := s.o.Repository.Read(ctx, t, store.Ref{Type: "Group", ID: r.Group}); err != nil {
			return "", err
		}
	}
	for _, f := range r.Filters {
		if _, err := s.where(ctx, t, r, f.Type, nil); err != nil {
			return "", err
		}
	}
	if err := s.room(ctx, t, Export); err != nil {
		return "", err
	}
	id = s.o.NewID()
	return id, s.order(ctx, t, Job{ID: id, Kind: Export}, exportWork{Request: *r})
}

// OrderImport makes a job of an import and returns its id. in, unless nil, is
// a file that is sent with the kick-off; one resource when whole. A client that
// did not get the answer sends the same again under the same key, unless "",
// and gets the job that was made, if one was.
func (s *Service) OrderImport(ctx context.Context, t store.Tenant, r *ImportRequest, in io.Reader, whole bool, key string) (id string, err error) {
	if id = s.o.NewID(); key != "" {
		sum := sha256.Sum256([]byte(key))
		id = hex.EncodeToString(sum[:16])
		if _, err := s.o.Jobs.Get(ctx, t, id); err == nil || !errors.Is(err, store.ErrNotFound) {
			return id, err
		}
	}
	if err := s.room(ctx, t, Import); err != nil {
		return "", err
	}
	if in != nil {
		file, err := s.receive(ctx, t, id, in)
		if err != nil {
			return "", err
		}
		r.Inputs = []Input{{Sent: file, Whole: whole}}
	}
	err = s.order(ctx, t, Job{ID: id, Kind: Import}, importWork{Import: *r})
	if key != "" && errors.Is(err, store.ErrConflict) {
		err = nil // two with one key: the other was first
	}
	return id, err
}

func (s *Service) room(ctx context.Context, t store.Tenant, k Kind) error {
	open, err := s.o.Jobs.Open(ctx, t, k)
	if err == nil && open >= s.o.MaxOpen {
		err = outcome.New(429, outcome.CodeThrottled, "%d jobs of this kind are open, which is the most. Wait for one to end, or cancel one.", open)
	}
	return err
}

func (s *Service) order(ctx context.Context, t store.Tenant, j Job, work any) (err error) {
	if j.Work, err = json.Marshal(work); err != nil {
		return err
	}
	return s.o.Jobs.Order(ctx, t, j)
}

// Do does, or goes on with, a job; save writes how far it is. A job that
// cannot be done is Failed; an error is returned for what can be gone on with.
func (s *Service) Do(ctx context.Context, t store.Tenant, j *Job, save Save) error {
	var err error
	switch j.Kind {
	case Export:
		err = s.export(ctx, t, j, save)
	case Import:
		err = s.importing(ctx, t, j, save)
	default:
		err = outcome.New(500, outcome.CodeNotSupported, "This version of the program does not know this kind of job.")
	}
	var refused *outcome.Error
	switch {
	case errors.Is(err, errStop):
		return nil
	case ctx.Err() == nil && errors.As(err, &refused) && refused.Status != 503:
		j.State, j.Error, j.Expires = Failed, refused.Issues[0].Diagnostics, s.o.Now().Add(s.o.Life).UTC()
		_, err = save(ctx)
	}
	return err
}

// Discard removes what a job has made.
func (s *Service) Discard(ctx context.Context, t store.Tenant, j *Job) error {
	var w struct {
		Files  []File
		Import ImportRequest
	}
	if err := json.Unmarshal(j.Work, &w); err != nil {
		return err
	}
	for _, in := range w.Import.Inputs {
		if in.Sent != nil {
			w.Files = append(w.Files, *in.Sent)
		}
	}
	return removeFiles(ctx, s.o.Store, t, j.ID, w.Files)
}

// Find returns a job that a client may still ask for, with what it is about.
// One that was cancelled, or whose time is over, is not found.
func (s *Service) Find(ctx context.Context, t store.Tenant, id string) (*Job, error) {
	j, err := s.o.Jobs.Get(ctx, t, id)
	if err != nil {
		return nil, err
	}
	if j.Cancelling || j.State == Cancelled || !j.Open() && !s.o.Now().Before(j.Expires) {
		return nil, store.ErrNotFound
	}
	return &j, nil
}

// End cancels a job that is open, and removes what one has made that has
// ended.
func (s *Service) End(ctx context.Context, t store.Tenant, id string) error {
	j, err := s.Find(ctx, t, id)
	if err != nil {
		return err
	}
	if j.Open() {
		return s.o.Jobs.Cancel(ctx, t, id)
	}
	if err := s.Discard(ctx, t, j); err != nil {
		return err
	}
	return s.o.Jobs.Remove(ctx, t, id)
}

// File finds a file of a job that has finished.
func (s *Service) File(ctx context.Context, t store.Tenant, id, name string) (*Job, File, error) {
	j, err := s.Find(ctx, t, id)
	if err != nil {
		return nil, File{}, err
	}
	var w struct{ Files []File }
	if err := json.Unmarshal(j.Work, &w); err != nil {
		return nil, File{}, err
	}
	if j.State == Finished {
		for _, f := range w.Files {
			if f.Name == name {
				return j, f, nil
			}
		}
	}
	return nil, File{}, store.ErrNotFound
}

// Copy writes a file, in gzip when packed.
func (s *Service) Copy(ctx context.Context, t store.Tenant, j *Job, f File, out io.Writer, packed bool) error {
	return copyFile(ctx, s.o.Store, t, j.ID, f, out, packed)
}

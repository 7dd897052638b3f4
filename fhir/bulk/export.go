package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/repository"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// A batch of the walk is so many resources, or bytes.
const (
	batchResources = 1000
	batchBytes     = 4 << 20
)

// saveEvery is how often the progress of a job is written, unless more than
// saveBatches batches were done since.
const (
	saveEvery   = time.Second
	saveBatches = 64
)

// exportWork is the work of an export: what is wanted and how far it is.
type exportWork struct {
	Request Request `json:"request"`
	// Begun says that Head and At are set.
	Begun bool `json:"begun,omitempty"`
	// Head is the last log entry of the snapshot, At its transactionTime.
	Head int64     `json:"head,omitempty"`
	At   time.Time `json:"at,omitzero"`
	// Read is the last log entry that was looked at for changes.
	Read int64 `json:"read,omitempty"`
	// Place is up to where the walk is.
	Place place `json:"place,omitzero"`
	// Walked says that the walk has ended, Behind how far the history of
	// deletes was read.
	Walked bool                `json:"walked,omitempty"`
	Behind store.HistoryCursor `json:"behind,omitzero"`
	Delete int                 `json:"delete,omitempty"`
	Files  []File              `json:"files,omitempty"`
}

// place is a place in the walk: behind the document of this number, among
// those of a type that belong to a chunk of patients.
type place struct {
	Type   int   `json:"type"`
	Chunk  int   `json:"chunk"`
	Number int64 `json:"number"`
}

func (p place) before(q place) bool {
	if p.Type != q.Type {
		return p.Type < q.Type
	}
	if p.Chunk != q.Chunk {
		return p.Chunk < q.Chunk
	}
	return p.Number < q.Number
}

// export is an export being done.
type export struct {
	s    *Service
	t    store.Tenant
	j    *Job
	save Save
	w    exportWork
	out  *writer
	// members are the patients that are meant, nil for all; chunks of them are
	// walked one after another.
	members *members
	// wheres are the clauses of what is exported of each type, for a member of
	// any chunk.
	wheres map[string]store.Clause
	subset map[string]search.Subset
	saved  time.Time
	since  int
	// flat is a resource on one line.
	flat []byte
}

// errStop: somebody asked for the end of the job.
var errStop = errors.New("the job was cancelled")

// export does, or goes on with, an export. What it writes are the versions
// that were current when it began, whatever is written meanwhile: the walk
// takes documents that have not changed since, and those that have are taken
// from the log, in their earlier version, before the walk gets to them.
func (s *Service) export(ctx context.Context, t store.Tenant, j *Job, save Save) error {
	e := &export{s: s, t: t, j: j, save: save, wheres: map[string]store.Clause{}, subset: map[string]search.Subset{}}
	if err := json.Unmarshal(j.Work, &e.w); err != nil {
		return err
	}
	if err := e.begin(ctx); err != nil {
		return err
	}
	e.out = newWriter(ctx, s.o.Store, t, j.ID, s.o.Now().Add(s.o.Life+abandoned), s.o.PerFile, &e.w.Files)
	err := e.run(ctx)
	if err != nil && !errors.Is(err, errStop) && ctx.Err() != nil {
		// Stopped: what was done is not done again.
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = e.checkpoint(end) // an earlier place is as good
	}
	return err
}

func (e *export) run(ctx context.Context) error {
	if err := e.checkpoint(ctx); err != nil {
		return err
	}
	if !e.w.Walked {
		if err := e.walk(ctx); err != nil {
			return err
		}
		e.w.Walked = true
	}
	if err := e.deletes(ctx); err != nil {
		return err
	}
	for _, text := range e.w.Request.Warnings {
		issue := outcome.Issue{Severity: outcome.SeverityWarning, Code: outcome.CodeNotSupported, Diagnostics: text}
		if err := e.out.line("error", "OperationOutcome", outcome.JSON([]outcome.Issue{issue})); err != nil {
			return err
		}
	}
	if err := e.out.settle(); err != nil {
		return err
	}
	e.j.Total = e.j.Done
	e.j.State, e.j.Expires = Finished, e.s.o.Now().Add(e.s.o.Life).UTC()
	return e.write(ctx)
}

// begin fixes the snapshot, and understands the request again.
func (e *export) begin(ctx context.Context) error {
	r := &e.w.Request
	fresh := !e.w.Begun
	if fresh {
		if err := e.fix(ctx); err != nil {
			return err
		}
	}
	var err error
	if e.members, err = e.s.membersAt(ctx, e.t, r, e.w.Head); err != nil {
		return err
	}
	for _, typ := range r.Types {
		if e.wheres[typ], err = e.s.where(ctx, e.t, r, typ, nil); err != nil {
			return err
		}
		if names := r.Elements[typ]; len(names) > 0 {
			e.subset[typ] = search.Subset{Elements: names}
		}
		if fresh && e.members == nil {
			page, err := e.s.o.Store.Search(ctx, e.t, store.Query{Where: e.wheres[typ], Count: true, Estimate: true})
			if err != nil {
				return err
			}
			e.j.Total += page.Total
		}
	}
	return nil
}

// fix chooses the snapshot: the log as it is. Its time is that of the last
// entry, and _since includes its very moment, so that an export since then
// misses nothing, whatever the clocks of several instances say.
func (e *export) fix(ctx context.Context) error {
	at := e.s.o.Now().UTC().Truncate(time.Millisecond)
	head, err := e.s.o.Store.Head(ctx, e.t)
	if err != nil {
		return err
	}
	last, err := e.s.o.Store.History(ctx, e.t, store.HistoryQuery{Before: store.HistoryCursor{Seq: head + 1}, Limit: 1})
	if err != nil {
		return err
	}
	if len(last.Versions) > 0 {
		at = last.Versions[0].Time.UTC()
	}
	e.w.Begun, e.w.Head, e.w.Read, e.w.At = true, head, head, at
	e.j.State = Running
	return nil
}

// where is the clause of what is exported of a type; of a chunk of patients
// when ids are given.
func (s *Service) where(ctx context.Context, t store.Tenant, r *Request, typ string, ids []string) (store.Clause, error) {
	scope := repository.Scope{Type: typ}
	if r.Level != System {
		scope.Compartment = &search.Compartment{Type: "Patient", IDs: ids}
	}
	var bounds []search.Parameter
	if !r.Since.IsZero() {
		bounds = append(bounds, search.Parameter{Name: "_lastUpdated", Value: "ge" + r.Since.UTC().Format("2006-01-02T15:04:05Z")})
	}
	var any store.Or
	filtered := false
	for i, f := range r.Filters {
		if f.Type != typ {
			continue
		}
		filtered = true
		where, err := s.parse(ctx, t, scope, append(f.Params[:len(f.Params):len(f.Params)], bounds...), i+1)
		if err != nil {
			return nil, err
		}
		any = append(any, where)
	}
	if filtered {
		return any, nil
	}
	return s.parse(ctx, t, scope, bounds, 0)
}

// parse understands a search that only selects. number is its place in
// _typeFilter, 0 for none.
func (s *Service) parse(ctx context.Context, t store.Tenant, scope repository.Scope, params []search.Parameter, number int) (store.Clause, error) {
	req, err := s.o.Repository.Parse(ctx, t, scope, params)
	if err != nil {
		var refused *outcome.Error
		if number > 0 && errors.As(err, &refused) {
			return nil, outcome.BadRequest(refused.Issues[0].Code, "The search %d of _typeFilter, for %s: %s", number, scope.Type, refused.Issues[0].Diagnostics)
		}
		return nil, err
	}
	if req.Criteria != len(params) || req.Contained != nil {
		return nil, outcome.BadRequest(outcome.CodeNotSupported, "The search %d of _typeFilter, for %s, holds a parameter that shapes a result, such as _sort or _include. Only those that select are of use.", number, scope.Type)
	}
	if len(req.Warnings) > 0 {
		return nil, outcome.New(503, outcome.CodeTransient, "%s An export would not be complete; try again later.", req.Warnings[0].Diagnostics)
	}
	return req.Where, nil
}

// batch is a part of the walk that was read.
type batch struct {
	docs []store.Document
	// to is where the walk is behind it.
	to place
	// changes are what the log has gained before the batch was complete, and
	// read is its last entry.
	changes []store.EntryChange
	read    int64
	err     error
}

// walk reads all types and writes what belongs to the snapshot. The next batch
// is read while one is written.
func (e *export) walk(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	batches := make(chan batch, 1)
	go func() {
		defer close(batches)
		if err := e.read(ctx, batches); err != nil {
			select {
			case batches <- batch{err: err}:
			case <-ctx.Done():
			}
		}
	}()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		if err := e.take(ctx, b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// read sends batches from the place of the walk on.
func (e *export) read(ctx context.Context, to chan<- batch) error {
	end := store.NumberOf(e.w.Head+1, 0)
	at, seen := e.w.Place, e.w.Read
	chunks := e.members.chunks()
	for ; at.Type < len(e.w.Request.Types); at = (place{Type: at.Type + 1}) {
		typ := e.w.Request.Types[at.Type]
		for ; at.Chunk < chunks; at = (place{Type: at.Type, Chunk: at.Chunk + 1}) {
			where := e.wheres[typ]
			if e.members != nil {
				var err error
				if where, err = e.s.where(ctx, e.t, &e.w.Request, typ, e.members.chunk(at.Chunk)); err != nil {
					return err
				}
			}
			for more := true; more; {
				page, err := e.s.o.Store.Search(ctx, e.t, store.Query{
					Where: where, After: &store.Cursor{Number: at.Number}, Limit: batchResources, MaxBytes: batchBytes,
				})
				if err != nil {
					return err
				}
				more = page.Next != nil
				b := batch{docs: page.Documents}
				if n := len(b.docs); n > 0 {
					at.Number = b.docs[n-1].Number
				}
				if at.Number >= end {
					more = false
				}
				if len(b.docs) == 0 {
					break // nothing was passed over; the log is read with the next
				}
				if seen, err = e.send(ctx, to, b, at, seen); err != nil {
					return err
				}
			}
		}
	}
	_, err := e.send(ctx, to, batch{}, at, seen)
	return err
}

// send completes a batch by what the log has gained.
func (e *export) send(ctx context.Context, to chan<- batch, b batch, at place, seen int64) (int64, error) {
	var err error
	if b.changes, b.read, err = e.changes(ctx, seen); err != nil {
		return seen, err
	}
	b.to = at
	select {
	case to <- b:
		return b.read, nil
	case <-ctx.Done():
		return seen, ctx.Err()
	}
}

// changes are what the log has gained.
func (e *export) changes(ctx context.Context, after int64) (all []store.EntryChange, head int64, err error) {
	if head, err = e.s.o.Store.Head(ctx, e.t); err != nil || head <= after {
		return nil, after, err
	}
	for after < head {
		entries, err := e.s.o.Store.ReadLog(ctx, e.t, after, int(min(head-after, 500)))
		if err != nil {
			return nil, after, err
		}
		if len(entries) == 0 {
			break
		}
		for _, entry := range entries {
			all = append(all, entry.Changes...)
			after = entry.Seq
		}
	}
	return all, after, nil
}

// take writes a batch: first what was changed behind the place of the walk,
// as it was, then what the walk has read and is as it was.
func (e *export) take(ctx context.Context, b batch) error {
	changed := map[store.Ref]bool{}
	for _, c := range b.changes {
		changed[c.Ref] = true
		if err := e.changed(ctx, c); err != nil {
			return err
		}
	}
	for _, d := range b.docs {
		if d.Seq > e.w.Head || changed[d.Ref] {
			continue // the log has it, or it is new
		}
		if e.members != nil {
			// In the compartments of two, it comes with the first.
			keys, err := e.s.o.Repository.Keys(e.t, d)
			if err != nil {
				return err
			}
			if chunk, ok := e.chunkOf(d.Ref, keys); !ok || chunk != b.to.Chunk {
				continue
			}
		}
		if err := e.put(d); err != nil {
			return err
		}
	}
	e.w.Place, e.w.Read = b.to, b.read
	e.since++
	if e.since < saveBatches && e.s.o.Now().Sub(e.saved) < saveEvery {
		return nil
	}
	return e.checkpoint(ctx)
}

// changed writes a document that was changed after the snapshot and before
// the walk got to it, in the version that the snapshot has.
func (e *export) changed(ctx context.Context, c store.EntryChange) error {
	typ := slices.Index(e.w.Request.Types, c.Ref.Type)
	if typ < 0 || c.Version == 1 {
		return nil
	}
	d, err := e.s.o.Store.GetVersion(ctx, e.t, c.Ref, c.Version-1)
	if err != nil {
		return err
	}
	if d.Seq > e.w.Head || d.Deleted {
		return nil // not the first change since, or not there
	}
	keys, err := e.s.o.Repository.Keys(e.t, d)
	if err != nil {
		return err
	}
	at := place{Type: typ, Number: d.Number}
	if e.members != nil {
		var ok bool
		if at.Chunk, ok = e.chunkOf(d.Ref, keys); !ok {
			return nil
		}
	}
	if !e.w.Place.before(at) {
		return nil // the walk has it
	}
	if ok, err := e.s.o.Repository.Selects(ctx, e.t, e.wheres[c.Ref.Type], c.Ref, keys); !ok || err != nil {
		return err
	}
	return e.put(d)
}

// chunkOf is the chunk of the first patient to whose compartment a resource
// belongs.
func (e *export) chunkOf(ref store.Ref, keys []store.Key) (int, bool) {
	return e.members.chunkOf(search.InCompartments(e.s.o.Repository.Definitions(), "Patient", ref, keys))
}

// put writes a resource to the file of its type.
func (e *export) put(d store.Document) error {
	r := &e.w.Request
	if d.Time.Before(r.Since) || !r.Until.IsZero() && d.Time.After(r.Until) {
		return nil
	}
	body := d.Body
	if subset, ok := e.subset[d.Ref.Type]; ok {
		var err error
		if body, err = e.s.o.Repository.Subset(d, subset); err != nil {
			return err
		}
	}
	if bytes.IndexByte(body, '\n') >= 0 || bytes.IndexByte(body, '\r') >= 0 {
		e.flat = appendLine(e.flat[:0], body)
		body = e.flat
	}
	e.j.Done++
	return e.out.line(d.Ref.Type, d.Ref.Type, body)
}

// appendLine appends a resource without its line breaks and what indents the
// lines behind them. Both stand between tokens only: JSON's strings hold no
// control characters (RFC 8259 § 7).
func appendLine(dst, body []byte) []byte {
	for {
		i := bytes.IndexByte(body, '\n')
		if cr := bytes.IndexByte(body[:max(i, 0)], '\r'); cr >= 0 || i < 0 && bytes.IndexByte(body, '\r') >= 0 {
			i = bytes.IndexByte(body, '\r')
		}
		if i < 0 {
			return append(dst, body...)
		}
		dst = append(dst, body[:i]...)
		body = body[i+1:]
		for len(body) > 0 && (body[0] == ' ' || body[0] == '\t' || body[0] == '\r' || body[0] == '\n') {
			body = body[1:]
		}
	}
}

// checkpoint writes how far the export is: all lines up to there are stored.
func (e *export) checkpoint(ctx context.Context) error {
	if err := e.out.settle(); err != nil {
		return err
	}
	return e.write(ctx)
}

func (e *export) write(ctx context.Context) error {
	var err error
	if e.j.Work, err = json.Marshal(&e.w); err != nil {
		return err
	}
	e.saved, e.since = e.s.o.Now(), 0
	stop, err := e.save(ctx)
	if stop {
		return errors.Join(errStop, removeFiles(ctx, e.s.o.Store, e.t, e.j.ID, e.w.Files))
	}
	return err
}

package repository

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// Write is one entry of a transaction that changes something.
type Write struct {
	// Entry is the place of the entry in the bundle, for error texts.
	Entry int
	// Method is POST, PUT, PATCH or DELETE.
	Method string
	// FullURL is what other entries call the resource.
	FullURL string
	// Ref is what the entry writes; without an ID for POST, and where the
	// Criteria of a conditional interaction choose it.
	Ref         store.Ref
	Criteria    []search.Parameter
	Conditional bool
	// Version is the version that must be current; 0 for any.
	Version int64
	// Body is the resource, Patch the change of a PATCH.
	Body  []byte
	Patch Patch
}

// Written is what became of a Write.
type Written struct {
	// Status is 201, 200 or, for DELETE, 204.
	Status   int
	Document store.Document
}

// Transaction does all writes as one commit or none of them
// (https://hl7.org/fhir/R4/http.html#transaction). All criteria are matched
// against what was there before, less what the transaction itself deletes;
// since no resource may be written twice, the order of the other methods
// makes no difference.
func (r *Repository) Transaction(ctx context.Context, t store.Tenant, writes []Write) ([]Written, error) {
	return r.TransactionOf(ctx, t, SourceREST, nil, writes)
}

// TransactionOf is Transaction with what the log's entry says of it.
func (r *Repository) TransactionOf(ctx context.Context, t store.Tenant, source string, info []byte, writes []Write) ([]Written, error) {
	return r.transaction(transaction{ctx: ctx, tenant: t, source: source, info: info, writes: writes})
}

// TryTransaction is the error that a transaction would end with now, and
// stores nothing.
func (r *Repository) TryTransaction(ctx context.Context, t store.Tenant, writes []Write) error {
	_, err := r.transaction(transaction{ctx: ctx, tenant: t, writes: writes, try: true})
	return err
}

func (r *Repository) transaction(asked transaction) ([]Written, error) {
	writes := asked.writes
	ids := make([]string, len(writes))
	for i := range ids {
		ids[i] = r.o.NewID()
	}
	var done []Written
	var err error
	for range attempts {
		tx := asked
		tx.repository, tx.ids, tx.plans = r, ids, make([]plan, len(writes))
		tx.links, tx.found, tx.changed = map[string]string{}, map[string]string{}, map[store.Ref]int{}
		if done, err = tx.run(); !errors.Is(err, store.ErrGuard) && !tx.again(err) {
			return done, err
		}
	}
	return nil, err
}

// transaction is one attempt at a transaction.
type transaction struct {
	repository *Repository
	ctx        context.Context
	tenant     store.Tenant
	source     string
	info       []byte
	writes     []Write
	// try says that nothing is stored.
	try   bool
	ids   []string
	plans []plan
	// links are the references that entries become, by fullUrl.
	links map[string]string
	// found caches conditional references.
	found   map[string]string
	changed map[store.Ref]int
	guards  []store.Guard
}

// plan is what an entry will do.
type plan struct {
	ref store.Ref
	// existing is the match of a conditional create, which changes nothing.
	existing *store.Document
	nothing  bool
	prepared *Prepared
	expect   store.Expect
	// patched is the version that a patch without If-Match was applied to.
	patched bool
}

func (tx *transaction) run() ([]Written, error) {
	// What is deleted no longer counts for the criteria of the others.
	for _, deletes := range [2]bool{true, false} {
		for i := range tx.writes {
			if (tx.writes[i].Method == http.MethodDelete) == deletes {
				if err := tx.choose(i); err != nil {
					return nil, in(tx.writes[i], err)
				}
			}
		}
	}
	c := store.Commit{Source: tx.source, Info: tx.info}
	for i := range tx.writes {
		p := &tx.plans[i]
		if err := tx.render(i); err != nil {
			return nil, in(tx.writes[i], err)
		}
		switch {
		case p.nothing:
		case p.prepared == nil:
			c.Changes = append(c.Changes, store.Change{Ref: p.ref, Expect: p.expect})
		default:
			c.Changes = append(c.Changes, p.prepared.Change(p.expect))
		}
	}
	c.Guards = tx.guards
	if len(c.Changes) == 0 {
		return tx.written(store.Entry{}), nil
	}
	if tx.try {
		return nil, tx.conflict(store.Unmet(tx.ctx, tx.repository.o.Store, tx.tenant, c.Changes))
	}
	entry, err := tx.repository.Commit(tx.ctx, tx.tenant, c)
	if err != nil {
		return nil, tx.conflict(err)
	}
	return tx.written(entry), nil
}

// in says which entry an error is about.
func in(w Write, err error) error {
	e := *outcome.From(err)
	e.Issues = append([]outcome.Issue(nil), e.Issues...)
	for i := range e.Issues {
		at := fmt.Sprintf("Bundle.entry[%d]", w.Entry)
		if x := e.Issues[i].Expression; x != "" {
			_, rest, _ := strings.Cut(x, ".")
			at = strings.TrimSuffix(at+".resource."+rest, ".")
		}
		e.Issues[i].Expression = at
		// Lines are those of the entry's resource, not of the bundle.
		e.Issues[i].Line, e.Issues[i].Column = 0, 0
	}
	if e.Cause == nil {
		e.Cause = err
	}
	return &e
}

// conflict names the entry whose expected version is not the current one.
func (tx *transaction) conflict(err error) error {
	var c *store.ConflictError
	if !errors.As(err, &c) {
		return err
	}
	i, ok := tx.changed[c.Ref]
	if !ok {
		return err
	}
	w := tx.writes[i]
	if w.Version > 0 {
		return in(w, outcome.New(http.StatusPreconditionFailed, outcome.CodeConflict,
			"ifMatch names a version that is not the current one. Read the resource again and repeat."))
	}
	return in(w, err)
}

// again reports whether an attempt failed because someone else wrote what a
// patch was made for.
func (tx *transaction) again(err error) bool {
	var c *store.ConflictError
	if !errors.As(err, &c) {
		return false
	}
	i, ok := tx.changed[c.Ref]
	return ok && tx.plans[i].patched && tx.writes[i].Version == 0
}

// choose decides which resource an entry writes.
func (tx *transaction) choose(i int) error {
	w, p := &tx.writes[i], &tx.plans[i]
	p.ref = w.Ref
	p.expect = expectVersion(w.Version)
	if w.Method == http.MethodPost {
		p.ref.ID, p.expect = tx.ids[i], store.Absent()
	}
	if w.Conditional {
		if err := tx.condition(i); err != nil {
			return err
		}
	}
	if w.FullURL != "" && w.Method != http.MethodDelete {
		link := p.ref.String()
		if was, ok := tx.links[w.FullURL]; ok && was != link {
			return outcome.BadRequest(outcome.CodeInvalid, "Two entries have the same fullUrl.")
		}
		tx.links[w.FullURL] = link
	}
	if p.nothing {
		return nil
	}
	if _, twice := tx.changed[p.ref]; twice {
		return outcome.BadRequest(outcome.CodeInvalid, "Two entries change the same resource.")
	}
	tx.changed[p.ref] = i
	return nil
}

// condition applies the criteria of a conditional interaction.
func (tx *transaction) condition(i int) error {
	w, p := &tx.writes[i], &tx.plans[i]
	c, err := tx.match(w.Ref.Type, w.Criteria)
	if err != nil {
		return err
	}
	switch {
	case c.count > 1:
		return several(w.Ref.Type)
	case w.Method == http.MethodPost && c.count == 1:
		p.ref, p.existing, p.nothing = c.one.Ref, &c.one, true
	case w.Method == http.MethodPost:
	case w.Method == http.MethodPut:
		p.ref, err = c.target(w.Ref.Type, idOf(w.Body), tx.ids[i])
		return err
	case c.count == 1:
		p.ref = c.one.Ref
	case w.Method == http.MethodDelete:
		p.nothing = true
	default:
		return outcome.New(http.StatusNotFound, outcome.CodeNotFound, "No %s matches the criteria.", w.Ref.Type)
	}
	return nil
}

// match is Repository.match without what the transaction deletes.
func (tx *transaction) match(typ string, params []search.Parameter) (criteria, error) {
	// As many as are deleted may match beside the two that matter.
	deleted := 0
	for _, w := range tx.writes {
		if w.Method == http.MethodDelete {
			deleted++
		}
	}
	c, err := tx.repository.matchUpTo(tx.ctx, tx.tenant, typ, params, 2+deleted)
	if err != nil {
		return c, err
	}
	tx.guards = append(tx.guards, c.guard)
	for _, ref := range c.guard.Matches {
		if i, ok := tx.changed[ref]; ok && tx.writes[i].Method == http.MethodDelete {
			c.count--
		}
	}
	if c.count == 1 && c.one.Version == 0 {
		// One of two is deleted; the other is the match.
		for _, ref := range c.guard.Matches {
			if _, ok := tx.changed[ref]; !ok {
				c.one, err = tx.repository.Read(tx.ctx, tx.tenant, ref)
			}
		}
	}
	return c, err
}

func idOf(resource []byte) string {
	doc, err := rawjson.Parse(resource, nil)
	if err != nil {
		return "" // the resource is refused later, with the reason
	}
	id, _ := doc.Root().Member("id")
	return id.String()
}

// render makes the content that an entry writes.
func (tx *transaction) render(i int) error {
	w, p, r := &tx.writes[i], &tx.plans[i], tx.repository
	if p.nothing || w.Method == http.MethodDelete {
		return nil
	}
	if w.Method == http.MethodPatch {
		patch, err := tx.linkedPatch(w)
		if err != nil {
			return err
		}
		prepared, was, err := r.modified(tx.ctx, tx.tenant, p.ref, w.Version, r.change(patch))
		p.prepared, p.expect, p.patched = prepared, store.AtVersion(was.Version), true
		return err
	}
	doc, err := r.checkWrittenType(tx.ctx, tx.tenant, w.Ref.Type, w.Body)
	if err != nil {
		return err
	}
	if id, ok := doc.Root().Member("id"); w.Method == http.MethodPut && !w.Conditional && (!ok || !id.Is(w.Ref.ID)) {
		return outcome.BadRequest(outcome.CodeValue, "An update needs the id in the resource, the same as in request.url.").At(w.Ref.Type + ".id")
	}
	if doc, err = tx.linked(w, doc); err != nil {
		return err
	}
	p.prepared, err = r.prepare(tx.ctx, tx.tenant, p.ref, doc)
	return err
}

// linked is a resource with its links rewritten.
func (tx *transaction) linked(w *Write, doc *rawjson.Document) (*rawjson.Document, error) {
	l := linker{definitions: tx.repository.o.Definitions, links: tx.links, base: baseOf(w.FullURL), search: tx.conditionalReference}
	text, err := l.rewrite(doc)
	if err != nil || len(l.edits) == 0 {
		return doc, err
	}
	return rawjson.Parse(text, nil)
}

// linkedPatch is a patch whose values refer to what other entries become. A
// JSON Patch has no types that would tell references from texts, so it stays
// as it is.
func (tx *transaction) linkedPatch(w *Write) (Patch, error) {
	if w.Patch.Format != FHIRPathPatch {
		return w.Patch, nil
	}
	doc, err := tx.repository.checkType("Parameters", w.Patch.Body)
	if err != nil {
		return w.Patch, err
	}
	doc, err = tx.linked(w, doc)
	if err != nil {
		return w.Patch, err
	}
	return Patch{FHIRPathPatch, doc.Data()}, nil
}

// baseOf is a RESTful fullUrl without its type and id.
func baseOf(fullURL string) string {
	if !strings.HasPrefix(fullURL, "http://") && !strings.HasPrefix(fullURL, "https://") {
		return ""
	}
	i := strings.LastIndexByte(fullURL, '/')
	i = strings.LastIndexByte(fullURL[:i], '/')
	return fullURL[:i+1]
}

// conditionalReference: "Patient?identifier=x" stands for the one Patient
// that it finds (https://hl7.org/fhir/R4/http.html#trules).
func (tx *transaction) conditionalReference(reference string) (string, error) {
	if ref, ok := tx.found[reference]; ok {
		return ref, nil
	}
	typ, query, _ := strings.Cut(reference, "?")
	params, err := search.ParseQuery(query)
	if err != nil {
		return "", err
	}
	c, err := tx.match(typ, params)
	switch {
	case err != nil:
		return "", err
	case c.count == 0:
		return "", outcome.New(http.StatusPreconditionFailed, outcome.CodeNotFound, "A conditional reference to a %s matches none.", typ)
	case c.count > 1:
		return "", outcome.New(http.StatusPreconditionFailed, outcome.CodeMultiple, "A conditional reference to a %s matches more than one.", typ)
	}
	tx.found[reference] = c.one.Ref.String()
	return tx.found[reference], nil
}

// written says what the commit made of each entry.
func (tx *transaction) written(entry store.Entry) []Written {
	changes := make(map[store.Ref]store.EntryChange, len(entry.Changes))
	for _, ch := range entry.Changes {
		changes[ch.Ref] = ch
	}
	all := make([]Written, len(tx.writes))
	for i := range tx.writes {
		p := &tx.plans[i]
		ch, ok := changes[p.ref]
		switch {
		case p.existing != nil:
			all[i] = Written{http.StatusOK, *p.existing}
		case p.prepared == nil:
			all[i] = Written{Status: http.StatusNoContent, Document: store.Document{Ref: p.ref, Version: ch.Version, Time: entry.Time, Deleted: ok}}
		default:
			status := http.StatusOK
			if ch.Method == store.Create {
				status = http.StatusCreated
			}
			body := p.prepared.body(store.Stamp{Version: ch.Version, Time: entry.Time})
			all[i] = Written{status, store.Document{Ref: p.ref, Version: ch.Version, Seq: entry.Seq, Time: entry.Time, Body: body}}
		}
	}
	return all
}

package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/store"
)

// record is a stored resource, or one to be, that entries of a message speak of.
type record struct {
	ref store.Ref
	// current is what is stored; its Version is 0 when there is nothing.
	current store.Document
	// identifiers are those by which the message names it.
	identifiers []mapping.Identifier
}

// records are the records of a message's entries.
type records struct {
	of  []*record // by entry
	all []*record // each once, in the order of the message
}

// recordNamespace makes the ids of records that have no identifier of their
// own: the same parent and key give the same id.
var recordNamespace = uuid.MustParse("b1f6f6ac-5a24-5d1c-a7d3-2f0b2a6f5e11")

// identification finds the records of one message.
type identification struct {
	tenant store.Tenant
	said   *mapping.Message
	newID  func() string
	records
	// byIdentifier are the records that have an identifier: stored ones, and
	// those that an earlier entry has made.
	byIdentifier map[identifierKey][]*record
	byRef        map[store.Ref]*record
	keyed        []store.Ref // records with a parent and a key
}

type identifierKey struct {
	typ string
	mapping.Identifier
}

// identify finds the record of each entry: by its identifiers, or by its
// parent and key. It asks the store once for each type and once for all that
// have a key, not once for each entry.
func (x *Exchange) identify(ctx context.Context, t store.Tenant, said *mapping.Message) (*records, error) {
	i := &identification{
		tenant: t, said: said, newID: x.o.NewID, records: records{of: make([]*record, len(said.Entries))},
		byIdentifier: map[identifierKey][]*record{}, byRef: map[store.Ref]*record{},
	}
	if err := x.findIdentified(ctx, i); err != nil {
		return nil, err
	}
	for n := range said.Entries {
		if err := i.assign(n); err != nil {
			return nil, err
		}
	}
	if len(i.keyed) > 0 {
		found, err := x.o.Repository.GetMany(ctx, t, i.keyed)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			i.byRef[d.Ref].current = d
		}
	}
	return &i.records, nil
}

// findIdentified reads all stored records that have any identifier of the
// message, with one search for each type.
func (x *Exchange) findIdentified(ctx context.Context, i *identification) error {
	wanted := map[string][]search.Identifier{}
	var types []string
	for _, e := range i.said.Entries {
		typ := mapping.TypeName(e.Resource)
		for _, id := range e.Identifiers {
			key := identifierKey{typ, id}
			if _, ok := i.byIdentifier[key]; ok {
				continue
			}
			i.byIdentifier[key] = nil
			if wanted[typ] == nil {
				types = append(types, typ)
			}
			wanted[typ] = append(wanted[typ], search.Identifier(id))
		}
	}
	for _, typ := range types {
		found, err := x.having(ctx, i.tenant, typ, wanted[typ])
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := i.stored(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// having returns all resources of a type that have any of the identifiers.
func (x *Exchange) having(ctx context.Context, t store.Tenant, typ string, ids []search.Identifier) ([]store.Document, error) {
	where := x.o.Repository.IdentifierClause(typ, ids)
	if where == nil {
		return nil, fmt.Errorf("%s has no search by identifier", typ)
	}
	// One for each identifier is what there should be. An identifier that many
	// share must not hide the owners of the others.
	for limit := 2*len(ids) + 2; ; limit *= 4 {
		found, err := x.o.Repository.Matching(ctx, t, where, limit)
		if err != nil || len(found) < limit {
			return found, err
		}
	}
}

// stored notes which of the message's identifiers a document has.
func (i *identification) stored(d store.Document) error {
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return err
	}
	r := &record{ref: d.Ref, current: d}
	list, _ := doc.Root().Member("identifier")
	note := func(n rawjson.Node) {
		system, _ := n.Member("system")
		value, _ := n.Member("value")
		key := identifierKey{d.Ref.Type, mapping.Identifier{System: system.String(), Value: value.String()}}
		if owners, ok := i.byIdentifier[key]; ok && !slices.Contains(owners, r) {
			i.byIdentifier[key] = append(owners, r)
		}
	}
	if list.Kind() == rawjson.KindObject { // a Composition has one
		note(list)
		return nil
	}
	for n := range list.Elements() {
		note(n)
	}
	return nil
}

// assign gives an entry its record. Several records for the identifiers of
// one entry contradict each other: nothing is joined in silence.
func (i *identification) assign(n int) error {
	if i.of[n] != nil {
		return nil
	}
	e := i.said.Entries[n]
	typ := mapping.TypeName(e.Resource)
	if len(e.Identifiers) > 0 {
		var known *record
		for _, id := range e.Identifiers {
			for _, r := range i.byIdentifier[identifierKey{typ, id}] {
				if known != nil && known != r {
					return ambiguous(typ, e.Identifiers)
				}
				known = r
			}
		}
		if known == nil {
			known = &record{ref: store.Ref{Type: typ, ID: i.newID()}}
		}
		for _, id := range e.Identifiers {
			i.byIdentifier[identifierKey{typ, id}] = []*record{known}
		}
		known.identifiers = append(known.identifiers, e.Identifiers...)
		i.set(n, known)
		return nil
	}
	if e.Key == "" {
		i.set(n, &record{ref: store.Ref{Type: typ, ID: i.newID()}})
		return nil
	}
	parent := ""
	if e.Parent != mapping.NoParent {
		if err := i.assign(e.Parent); err != nil {
			return err
		}
		parent = i.of[e.Parent].ref.String()
	}
	name := strings.Join([]string{string(i.tenant), typ, parent, e.Key}, "\x00")
	ref := store.Ref{Type: typ, ID: uuid.NewSHA1(recordNamespace, []byte(name)).String()}
	r := i.byRef[ref]
	if r == nil {
		r = &record{ref: ref}
		i.keyed = append(i.keyed, ref)
	}
	i.set(n, r)
	return nil
}

func (i *identification) set(n int, r *record) {
	i.of[n] = r
	if i.byRef[r.ref] == nil {
		i.byRef[r.ref] = r
		i.all = append(i.all, r)
	}
}

// guard makes a commit fail when somebody else has meanwhile given one of the
// record's identifiers to another record, or has made the record.
func (x *Exchange) guard(r *record) (g store.Guard, ok bool) {
	if len(r.identifiers) == 0 {
		return g, false
	}
	ids := make([]search.Identifier, len(r.identifiers))
	for i, id := range r.identifiers {
		ids[i] = search.Identifier(id)
	}
	g.Where = x.o.Repository.IdentifierClause(r.ref.Type, ids)
	if r.current.Version > 0 {
		g.Matches = []store.Ref{r.ref}
	}
	return g, true
}

var errAmbiguous = errors.New("identifiers of different records")

// ambiguous refuses a message. It names the identifier systems, whose values
// are the patient's.
func ambiguous(typ string, ids []mapping.Identifier) error {
	systems := make([]string, len(ids))
	for i, id := range ids {
		systems[i] = id.System
	}
	f := failure(http.StatusConflict, moduleIdentity, fmt.Sprintf(
		"The identifiers of one %s belong to different records (systems: %s). The message was not stored; correct or merge the records first.",
		typ, strings.Join(systems, ", ")))
	f.cause = errAmbiguous
	return f
}

package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/store"
)

// record is a stored resource, or one to be, that entries of a message speak of.
type record struct {
	ref store.Ref
	// current is what is stored; its Version is 0 when there is nothing.
	current store.Document
}

// records are the records of a message's entries.
type records struct {
	of     []*record // by entry
	all    []*record // each once, in the order of the message
	guards []store.Guard
}

// recordNamespace makes the ids of records that have no identifier of their
// own: the same parent and key give the same id.
var recordNamespace = uuid.MustParse("b1f6f6ac-5a24-5d1c-a7d3-2f0b2a6f5e11")

// identify finds the record of each entry: by its identifiers, or by its
// parent and key. The guards make sure that nobody makes the same record at
// the same time.
func (x *Exchange) identify(ctx context.Context, t store.Tenant, said *mapping.Message) (*records, error) {
	rs := &records{of: make([]*record, len(said.Entries))}
	byIdentifier := map[string]*record{}
	byRef := map[store.Ref]*record{}
	for i := range said.Entries {
		if err := x.identifyEntry(ctx, t, said, i, rs, byIdentifier, byRef); err != nil {
			return nil, err
		}
	}
	return rs, nil
}

func (x *Exchange) identifyEntry(ctx context.Context, t store.Tenant, said *mapping.Message, i int,
	rs *records, byIdentifier map[string]*record, byRef map[store.Ref]*record) error {
	if rs.of[i] != nil {
		return nil
	}
	e := said.Entries[i]
	typ := mapping.TypeName(e.Resource)
	add := func(r *record) {
		rs.of[i] = r
		rs.all = append(rs.all, r)
		byRef[r.ref] = r
	}
	if len(e.Identifiers) > 0 {
		var known *record
		for _, id := range e.Identifiers {
			if r := byIdentifier[identifierKey(typ, id)]; r != nil {
				if known != nil && known != r {
					return ambiguous(typ, e.Identifiers)
				}
				known = r
			}
		}
		if known == nil {
			r, err := x.find(ctx, t, typ, e.Identifiers, rs)
			if err != nil {
				return err
			}
			if same := byRef[r.ref]; same != nil {
				r = same
				rs.of[i] = r
			} else {
				add(r)
			}
			known = r
		}
		rs.of[i] = known
		for _, id := range e.Identifiers {
			byIdentifier[identifierKey(typ, id)] = known
		}
		return nil
	}
	if e.Key == "" {
		add(&record{ref: store.Ref{Type: typ, ID: x.o.NewID()}})
		return nil
	}
	parent := ""
	if e.Parent != mapping.NoParent {
		if err := x.identifyEntry(ctx, t, said, e.Parent, rs, byIdentifier, byRef); err != nil {
			return err
		}
		parent = rs.of[e.Parent].ref.String()
	}
	id := uuid.NewSHA1(recordNamespace, []byte(strings.Join([]string{string(t), typ, parent, e.Key}, "\x00")))
	r := &record{ref: store.Ref{Type: typ, ID: id.String()}}
	if same := byRef[r.ref]; same != nil {
		rs.of[i] = same
		return nil
	}
	found, err := x.o.Repository.GetMany(ctx, t, []store.Ref{r.ref})
	if err != nil {
		return err
	}
	if len(found) == 1 {
		r.current = found[0]
	}
	add(r)
	return nil
}

func identifierKey(typ string, id mapping.Identifier) string {
	return typ + "\x00" + id.System + "\x00" + id.Value
}

// find looks a record up by its identifiers, any of which is enough. Several
// records for them contradict each other: nothing is joined in silence.
func (x *Exchange) find(ctx context.Context, t store.Tenant, typ string, ids []mapping.Identifier, rs *records) (*record, error) {
	wanted := make([]search.Identifier, len(ids))
	for i, id := range ids {
		wanted[i] = search.Identifier(id)
	}
	where := x.o.Repository.IdentifierClause(typ, wanted)
	if where == nil {
		return nil, fmt.Errorf("%s has no search by identifier", typ)
	}
	found, err := x.o.Repository.Matching(ctx, t, where, 3)
	if err != nil {
		return nil, err
	}
	guard := store.Guard{Where: where}
	r := &record{ref: store.Ref{Type: typ}}
	switch len(found) {
	case 0:
		r.ref.ID = x.o.NewID()
	case 1:
		r.ref, r.current = found[0].Ref, found[0]
		guard.Matches = []store.Ref{r.ref}
	default:
		return nil, ambiguous(typ, ids)
	}
	rs.guards = append(rs.guards, guard)
	return r, nil
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

package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

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
	// replacedBy is the Patient that this one was merged into, and survivor
	// the one that remains in the end.
	replacedBy store.Ref
	survivor   *record
}

// records are the records of a message's entries.
type records struct {
	of  []*record // by entry
	all []*record // each once, in the order of the message
	// merges are the Patients that the message says to be replaced.
	merges []merger
	// needless are entries of Patients that are merged already: the message's
	// own survivor.
	needless map[int]bool
	// owners are the stored resources that have an identifier of the message.
	owners map[identifierKey][]store.Ref
}

// merger is one Patient that replaces another.
type merger struct{ retired, survivor *record }

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
	found        []*record   // those that are stored and have an identifier of the message
	keyed        []store.Ref // records with a parent and a key
	// digest tells the messages of a source apart by what they say, without
	// their Meta.
	digest func() (string, error)
	listed map[store.Ref]bool
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
		tenant: t, said: said, newID: x.o.NewID,
		records:      records{of: make([]*record, len(said.Entries)), needless: map[int]bool{}, owners: map[identifierKey][]store.Ref{}},
		byIdentifier: map[identifierKey][]*record{}, byRef: map[store.Ref]*record{}, listed: map[store.Ref]bool{},
		digest: sync.OnceValues(func() (string, error) { return digest(said) }),
	}
	if err := x.findIdentified(ctx, i); err != nil {
		return nil, err
	}
	if err := x.follow(ctx, i); err != nil {
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
		typ := e.Type()
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
			if err := x.stored(i, d); err != nil {
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

// storedRecord is the record of a stored document.
func (x *Exchange) storedRecord(t store.Tenant, d store.Document) (*record, error) {
	r := &record{ref: d.Ref, current: d}
	if d.Ref.Type != "Patient" {
		return r, nil
	}
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return nil, err
	}
	r.replacedBy, _ = x.replacedBy(t, doc.Root())
	return r, nil
}

// stored notes which of the message's identifiers a document has.
func (x *Exchange) stored(i *identification, d store.Document) error {
	doc, err := rawjson.Parse(d.Body, nil)
	if err != nil {
		return err
	}
	r, err := x.storedRecord(i.tenant, d)
	if err != nil {
		return err
	}
	i.found = append(i.found, r)
	i.byRef[r.ref] = r
	list, _ := doc.Root().Member("identifier")
	note := func(n rawjson.Node) {
		system, _ := n.Member("system")
		value, _ := n.Member("value")
		key := identifierKey{d.Ref.Type, mapping.Identifier{System: system.String(), Value: value.String()}}
		if owners, ok := i.byIdentifier[key]; ok && !slices.Contains(owners, r) {
			i.byIdentifier[key] = append(owners, r)
			i.owners[key] = append(i.owners[key], r.ref)
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
	typ := e.Type()
	if len(e.Identifiers) > 0 {
		return i.identified(n, typ)
	}
	if e.Key == "" {
		// A record of this message alone: of what it says, so that the same
		// message sent again speaks of the same record.
		said, err := i.digest()
		if err != nil {
			return err
		}
		e.Key, e.Parent = strings.Join([]string{"message", said, strconv.Itoa(n)}, "\x00"), mapping.NoParent
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

// identified gives an entry the record that has its identifiers.
func (i *identification) identified(n int, typ string) error {
	e := i.said.Entries[n]
	heir, replaced := replacement(i.said, n)
	if replaced {
		if err := i.assign(heir); err != nil {
			return err
		}
	}
	var known *record
	retired := false // known was merged into another one
	for _, id := range e.Identifiers {
		for _, r := range i.byIdentifier[identifierKey{typ, id}] {
			own := r.survivor == nil
			if replaced {
				// The retired record itself is meant. It comes before the one
				// that has taken over its identifiers.
				if known != nil && retired && own {
					continue
				}
				if known != nil && !retired && !own {
					known = nil
				}
			} else if r.survivor != nil {
				r = r.survivor
			}
			if known != nil && known != r {
				return ambiguous(typ, e.Identifiers, known, r)
			}
			known, retired = r, replaced && !own
		}
	}
	if replaced && known == i.of[heir] && known != nil {
		i.of[n], i.needless[n] = known, true
		return nil
	}
	if known == nil {
		known = &record{ref: store.Ref{Type: typ, ID: i.newID()}}
	}
	if !replaced {
		for _, id := range e.Identifiers {
			i.byIdentifier[identifierKey{typ, id}] = []*record{known}
		}
	} else {
		i.merges = append(i.merges, merger{known, i.of[heir]})
	}
	known.identifiers = append(known.identifiers, e.Identifiers...)
	i.set(n, known)
	return nil
}

func (i *identification) set(n int, r *record) {
	i.of[n] = r
	if i.byRef[r.ref] == nil {
		i.byRef[r.ref] = r
	}
	if !i.listed[r.ref] {
		i.listed[r.ref] = true
		i.all = append(i.all, r)
	}
}

// digest is a hash of what a message says of its records.
func digest(said *mapping.Message) (string, error) {
	h := sha256.New()
	h.Write([]byte(said.DataModel))
	var b []byte
	var err error
	for _, e := range said.Entries {
		if e.Resource == nil {
			b = append(b[:0], e.Raw...)
		} else if b, err = mapping.AppendResource(b[:0], e.Resource); err != nil {
			return "", err
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// guard makes a commit fail when somebody else has meanwhile given one of the
// record's identifiers to another record, or has made the record.
func (x *Exchange) guard(rs *records, r *record) (g store.Guard, ok bool) {
	if len(r.identifiers) == 0 {
		return g, false
	}
	ids := make([]search.Identifier, len(r.identifiers))
	for i, id := range r.identifiers {
		ids[i] = search.Identifier(id)
	}
	g.Where = x.o.Repository.IdentifierClause(r.ref.Type, ids)
	// A Patient that was merged has its identifiers still, beside the one that
	// took them over.
	for _, id := range r.identifiers {
		for _, ref := range rs.owners[identifierKey{r.ref.Type, id}] {
			if !slices.Contains(g.Matches, ref) {
				g.Matches = append(g.Matches, ref)
			}
		}
	}
	return g, true
}

var errAmbiguous = errors.New("identifiers of different records")

// ambiguous refuses a message. It names the records and the identifier
// systems, whose values are the patient's.
func ambiguous(typ string, ids []mapping.Identifier, a, b *record) error {
	systems := make([]string, len(ids))
	for i, id := range ids {
		systems[i] = id.System
	}
	f := failure(http.StatusConflict, moduleIdentity, fmt.Sprintf(
		"The identifiers of one %s belong to different records (%s; systems: %s). The message was not stored; correct or merge the records first.",
		typ, nameOfBoth(a, b), strings.Join(systems, ", ")))
	f.cause = errAmbiguous
	return f
}

// nameOfBoth names two records; one may be new with this message.
func nameOfBoth(a, b *record) string {
	var names []string
	for _, r := range []*record{a, b} {
		if r.current.Version > 0 {
			names = append(names, r.ref.String())
		} else {
			names = append(names, "a new "+r.ref.Type)
		}
	}
	return strings.Join(names, " and ")
}

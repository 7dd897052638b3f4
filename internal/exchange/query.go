package exchange

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/mapping"
	"github.com/fhirfacade/fhirfacade/mapping/redox"
	"github.com/fhirfacade/fhirfacade/store"
)

// queries are the synchronous events that are answered from the store: data
// on demand.
var queries = map[string]func(x *Exchange, ctx context.Context, t store.Tenant, o redox.Options, m *redox.Message) (redox.Body, error){
	"Scheduling:Booked": (*Exchange).booked,
}

// reply answers a query: a live system, where it goes to one, or the store.
func (x *Exchange) reply(ctx context.Context, t store.Tenant, src Source, m *redox.Message, raw []byte) ([]byte, error) {
	if m.ResponseEvent() == "" {
		return nil, failure(http.StatusBadRequest, moduleDataModels, "Not a query - "+m.Pair())
	}
	live, err := x.asked(ctx, t, src, m)
	if err != nil {
		return nil, err
	}
	if live != nil {
		return x.forward(ctx, src, live, m, raw)
	}
	return x.answerQuery(ctx, t, src, m)
}

// answerQuery answers a query in the data model, as its …Response event.
func (x *Exchange) answerQuery(ctx context.Context, t store.Tenant, src Source, m *redox.Message) ([]byte, error) {
	o, err := x.options(t, src)
	if err != nil {
		return nil, err
	}
	ask, ok, err := m.Search(o)
	if err != nil {
		return nil, err
	}
	if ok {
		answer, err := x.searched(ctx, t, o, m, ask)
		if err != nil {
			return nil, err
		}
		return redox.Marshal(answer)
	}
	if ask, ok := m.Summary(o); ok {
		answer, err := x.summary(ctx, t, o, m, ask)
		if err != nil {
			return nil, err
		}
		return redox.Marshal(answer)
	}
	q, ok := queries[m.Pair()]
	if !ok {
		return nil, failure(http.StatusBadRequest, moduleDataModels, "Query not answered here - "+m.Pair())
	}
	body, err := q(x, ctx, t, o, m)
	if err != nil {
		return nil, err
	}
	answer := &redox.Message{DataModel: m.DataModel, EventType: m.EventType + "Response", Body: body}
	return redox.Marshal(answer)
}

// searched answers a query that is one FHIR search: what is found, with all
// that it refers to, said in the data model.
func (x *Exchange) searched(ctx context.Context, t store.Tenant, o redox.Options, m *redox.Message, ask redox.Search) (*redox.Message, error) {
	found, err := x.search(ctx, t, ask)
	if err != nil {
		return nil, err
	}
	focus := len(found)
	for _, typ := range ask.With {
		for _, patient := range found[:focus] {
			of, err := x.ofPatient(ctx, t, typ, patient)
			if err != nil {
				return nil, err
			}
			found = append(found, of...)
		}
	}
	said, err := x.said(ctx, t, found)
	if err != nil {
		return nil, err
	}
	said.Focus = said.Focus[:focus]
	if m.Pair() == "ClinicalSummary:DocumentGet" && len(found) != 1 {
		return nil, failure(http.StatusBadRequest, moduleDataModels, fmt.Sprintf("Document.ID names %d documents.", len(found)))
	}
	return answered(m, said, o)
}

// answered says what was found in the data model, as the answer to a query.
func answered(m *redox.Message, said *mapping.Message, o redox.Options) (*redox.Message, error) {
	said.DataModel, said.EventType = m.DataModel, m.ResponseEvent()
	answer, err := redox.FromFHIR(said, o)
	if err != nil {
		return nil, err
	}
	meta := *m.Meta()
	meta.EventType = answer.EventType
	*answer.Meta() = meta
	return answer, nil
}

// ofPatient returns all resources of a type that are of a patient.
func (x *Exchange) ofPatient(ctx context.Context, t store.Tenant, typ string, patient store.Document) ([]store.Document, error) {
	return x.search(ctx, t, redox.Search{Type: typ, Any: [][]redox.Parameter{{{Name: "patient", Value: patient.Ref.String()}}}})
}

// search returns what any of a search's alternatives finds, each once.
func (x *Exchange) search(ctx context.Context, t store.Tenant, ask redox.Search) ([]store.Document, error) {
	var all []store.Document
	seen := map[store.Ref]bool{}
	for _, alternative := range ask.Any {
		params := []search.Parameter{{Name: "_count", Value: strconv.Itoa(maxAnswers)}}
		if ask.Sort != "" {
			params = append(params, search.Parameter{Name: "_sort", Value: ask.Sort})
		}
		for _, p := range alternative {
			params = append(params, search.Parameter(p))
		}
		found, err := x.o.Repository.Search(ctx, t, ask.Type, params, false)
		if err != nil {
			return nil, err
		}
		if found.Next != nil {
			return nil, failure(http.StatusBadRequest, moduleDataModels,
				fmt.Sprintf("More than %d records match. Narrow the query down.", maxAnswers))
		}
		matches, err := found.Matches()
		if err != nil {
			return nil, err
		}
		for _, d := range matches {
			if !seen[d.Ref] {
				seen[d.Ref] = true
				all = append(all, d)
			}
		}
	}
	return all, nil
}

// said makes a FHIR message of stored resources and what they refer to; the
// former are its focus.
func (x *Exchange) said(ctx context.Context, t store.Tenant, found []store.Document) (*mapping.Message, error) {
	docs, err := x.closure(ctx, t, found...)
	if err != nil {
		return nil, err
	}
	m := &mapping.Message{}
	for i, doc := range docs {
		r, err := mapping.UnmarshalResource(doc.Body)
		if err != nil {
			return nil, err
		}
		m.Entries = append(m.Entries, mapping.Entry{FullURL: doc.Ref.String(), Resource: r, Parent: mapping.NoParent})
		if i < len(found) {
			m.Focus = append(m.Focus, i)
		}
	}
	return m, nil
}

// maxAnswers is the most records in an answer.
const maxAnswers = 1000

// booked answers Scheduling.Booked: the appointments of a time, of a visit
// number or of patients.
func (x *Exchange) booked(ctx context.Context, t store.Tenant, o redox.Options, m *redox.Message) (redox.Body, error) {
	ask := m.Body.(*redox.Scheduling)
	params := []search.Parameter{{Name: "status", Value: "booked,arrived,pending"}, {Name: "_count", Value: strconv.Itoa(maxAnswers)}, {Name: "_sort", Value: "date"}}
	if ask.StartDateTime != "" {
		params = append(params, search.Parameter{Name: "date", Value: "ge" + redox.Escape(ask.StartDateTime)})
	}
	if ask.EndDateTime != "" {
		params = append(params, search.Parameter{Name: "date", Value: "le" + redox.Escape(ask.EndDateTime)})
	}
	if v := ask.Visit; v != nil {
		if v.VisitNumber != "" {
			params = append(params, search.Parameter{Name: "identifier", Value: redox.Escape(v.VisitNumber)})
		}
		var ids []string
		for _, p := range v.Patients {
			for _, id := range p.Identifiers {
				ids = append(ids, redox.Escape(o.IdentifierSystem(id.IDType))+"|"+redox.Escape(id.ID))
			}
		}
		if len(ids) > 0 {
			params = append(params, search.Parameter{Name: "patient.identifier", Value: strings.Join(ids, ",")})
		}
	}
	found, err := x.o.Repository.Search(ctx, t, "Appointment", params, false)
	if err != nil {
		return nil, err
	}
	if found.Next != nil {
		return nil, failure(http.StatusBadRequest, moduleDataModels,
			fmt.Sprintf("More than %d appointments match. Narrow StartDateTime and EndDateTime down.", maxAnswers))
	}
	meta := *m.Meta()
	meta.EventType = m.EventType + "Response"
	answer := &redox.Scheduling{Meta: &meta, Visits: []redox.Visit{}}
	matches, err := found.Matches()
	if err != nil {
		return nil, err
	}
	for _, d := range matches {
		visit, err := x.visit(ctx, t, o, d)
		if err != nil {
			return nil, err
		}
		answer.Visits = append(answer.Visits, visit)
	}
	return answer, nil
}

// visit says one appointment in the data model.
func (x *Exchange) visit(ctx context.Context, t store.Tenant, o redox.Options, d store.Document) (redox.Visit, error) {
	said, err := x.said(ctx, t, []store.Document{d})
	if err != nil {
		return redox.Visit{}, err
	}
	said.DataModel, said.EventType, said.Time = "Scheduling", "New", d.Time
	m, err := redox.FromFHIR(said, o)
	if err != nil {
		return redox.Visit{}, err
	}
	s := m.Body.(*redox.Scheduling)
	visit := *s.Visit
	visit.Patient, visit.AppointmentInfo = s.Patient, s.AppointmentInfo
	visit.LastUpdated = d.Time.UTC().Format(time.RFC3339)
	return visit, nil
}

// depth is how far references are followed from a resource: from an
// appointment to its location, to the department, to the facility.
const depth = 3

// closure is resources and what they refer to.
func (x *Exchange) closure(ctx context.Context, t store.Tenant, of ...store.Document) ([]store.Document, error) {
	all := slices.Clone(of)
	seen := map[store.Ref]bool{}
	for _, d := range of {
		seen[d.Ref] = true
	}
	latest := all
	for range depth {
		var refs []store.Ref
		for _, doc := range latest {
			parsed, err := rawjson.Parse(doc.Body, nil)
			if err != nil {
				return nil, err
			}
			for _, ref := range x.references(nil, parsed.Root()) {
				if !seen[ref] {
					seen[ref] = true
					refs = append(refs, ref)
				}
			}
		}
		if len(refs) == 0 {
			break
		}
		found, err := x.o.Repository.GetMany(ctx, t, refs)
		if err != nil {
			return nil, err
		}
		latest = latest[:0:0]
		for _, doc := range found {
			if !doc.Deleted {
				latest = append(latest, doc)
			}
		}
		all = append(all, latest...)
	}
	return all, nil
}

// references gathers the local references below a node.
func (x *Exchange) references(refs []store.Ref, n rawjson.Node) []store.Ref {
	switch n.Kind() {
	case rawjson.KindObject:
		for m := range n.Members() {
			if m.NameIs("reference") && m.Kind() == rawjson.KindString {
				base := search.Base{Definitions: x.o.Repository.Definitions()}
				if ref, ok := base.Local(m.String()); ok {
					refs = append(refs, ref)
				}
				continue
			}
			refs = x.references(refs, m)
		}
	case rawjson.KindArray:
		for e := range n.Elements() {
			refs = x.references(refs, e)
		}
	}
	return refs
}

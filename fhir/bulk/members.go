package bulk

import (
	"context"
	"errors"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
	"github.com/fhirfacade/fhirfacade/store"
)

// chunkMembers is how many patients' compartments are walked at once. Ranges
// of keys of a few stay cheap to walk in the order of documents.
const chunkMembers = 64

// members are the patients that an export is about.
type members struct {
	ids []string
	at  map[string]int
}

func newMembers(ids []string) *members {
	m := &members{at: make(map[string]int, len(ids))}
	for _, id := range ids {
		if _, twice := m.at[id]; !twice {
			m.at[id] = len(m.ids)
			m.ids = append(m.ids, id)
		}
	}
	return m
}

func (m *members) chunks() int {
	if m == nil {
		return 1
	}
	return (len(m.ids) + chunkMembers - 1) / chunkMembers
}

func (m *members) chunk(i int) []string {
	return m.ids[i*chunkMembers : min(len(m.ids), (i+1)*chunkMembers)]
}

// chunkOf is the first chunk that has one of the patients.
func (m *members) chunkOf(ids []string) (chunk int, ok bool) {
	for _, id := range ids {
		if at, in := m.at[id]; in && (!ok || at/chunkMembers < chunk) {
			chunk, ok = at/chunkMembers, true
		}
	}
	return chunk, ok
}

// membersAt are the patients that a request is about, as of a log entry; nil
// for all.
func (s *Service) membersAt(ctx context.Context, t store.Tenant, r *Request, head int64) (*members, error) {
	if r.Level != Group {
		if len(r.Patients) == 0 {
			return nil, nil
		}
		return newMembers(r.Patients), nil
	}
	group, err := s.versionAt(ctx, t, store.Ref{Type: "Group", ID: r.Group}, head)
	if err != nil {
		return nil, err
	}
	ids, err := s.patientsOf(t, group)
	if err != nil {
		return nil, err
	}
	all := newMembers(ids)
	if len(r.Patients) == 0 {
		return all, nil
	}
	var some []string
	for _, id := range r.Patients {
		if _, in := all.at[id]; in {
			some = append(some, id)
		}
	}
	return newMembers(some), nil
}

// versionAt is a resource as it was at a log entry.
func (s *Service) versionAt(ctx context.Context, t store.Tenant, ref store.Ref, head int64) (store.Document, error) {
	d, err := s.o.Store.Get(ctx, t, ref)
	for err == nil && d.Seq > head {
		if d.Version == 1 {
			return d, outcome.New(404, outcome.CodeNotFound, "There was no such %s.", ref.Type)
		}
		d, err = s.o.Store.GetVersion(ctx, t, ref, d.Version-1)
	}
	if errors.Is(err, store.ErrNotFound) {
		return d, outcome.New(404, outcome.CodeNotFound, "There is no such %s.", ref.Type)
	}
	if err == nil && d.Deleted {
		err = outcome.New(410, outcome.CodeDeleted, "The %s was deleted.", ref.Type)
	}
	return d, err
}

// patientsOf are the ids of a Group's members that are Patients of this server
// and not inactive (R4 group, member.inactive).
func (s *Service) patientsOf(t store.Tenant, group store.Document) ([]string, error) {
	doc, err := rawjson.Parse(group.Body, nil)
	if err != nil {
		return nil, err
	}
	base := search.Base{Definitions: s.o.Repository.Definitions()}
	if s.o.BaseURL != nil {
		base.URL = s.o.BaseURL(t)
	}
	var ids []string
	list, _ := doc.Root().Member("member")
	for m := range list.Elements() {
		if inactive, ok := m.Member("inactive"); ok && string(inactive.Raw()) == "true" {
			continue
		}
		entity, _ := m.Member("entity")
		reference, _ := entity.Member("reference")
		if ref, ok := base.Local(reference.String()); ok && ref.Type == "Patient" {
			ids = append(ids, ref.ID)
		}
	}
	return ids, nil
}

package redox

import (
	"github.com/google/fhir/go/proto/google/fhir/proto/r4/core/codes_go_proto"
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	locationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/location_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

const physicalType = terminology + "location-physical-type"

// level is a storey of the Location chain: facility, department, room, bed.
type level struct {
	code, display string
	name          func(*Location) *string
	identifiers   func(*Location) *[]Identifier // nil: has none
}

// levels go from the outside in, as partOf does from the inside out.
var levels = []level{
	{"si", "Site", func(l *Location) *string { return &l.Facility }, func(l *Location) *[]Identifier { return &l.FacilityIdentifiers }},
	{"wa", "Ward", func(l *Location) *string { return &l.Department }, func(l *Location) *[]Identifier { return &l.DepartmentIdentifiers }},
	{"ro", "Room", func(l *Location) *string { return &l.Room }, nil},
	{"bd", "Bed", func(l *Location) *string { return &l.Bed }, nil},
}

// location makes the chain of us-core-locations of a place and returns the
// innermost one.
func (w *writer) location(in *Location) (index int, ok bool) {
	if in == nil || isEmpty(in) {
		return 0, false
	}
	l := *in
	type storey struct {
		level
		name        string
		identifiers []Identifier
	}
	var chain []storey
	for _, v := range levels {
		s := storey{level: v, name: take(v.name(&l))}
		if v.identifiers != nil {
			s.identifiers = take(v.identifiers(&l))
		}
		if s.name != "" || !isEmpty(struct{ I []Identifier }{s.identifiers}) {
			chain = append(chain, s)
		}
	}
	if len(chain) == 0 { // only a type or an address
		chain = append(chain, storey{})
	}
	parent := mapping.NoParent
	for i, s := range chain {
		out := &locationpb.Location{
			Meta:   profile("location"),
			Status: &locationpb.Location_StatusCode{Value: codes_go_proto.LocationStatusCode_ACTIVE},
			Name:   str(s.name),
		}
		if s.code != "" {
			out.PhysicalType = concept(physicalType, s.code, s.display, "")
		}
		if parent != mapping.NoParent {
			out.PartOf = w.ref(parent)
		}
		out.Identifier = w.identifiers(s.identifiers)
		entry := known(out.Identifier)
		if len(entry.Identifiers) == 0 && s.name != "" {
			entry = child(parent, s.code+"|"+s.name)
		}
		var inner Location
		if i == len(chain)-1 {
			inner = l
			if t := take(&l.Type); t != "" {
				out.Type = []*dtpb.CodeableConcept{inWords(t)}
			}
			out.Address = w.address(take(&l.Address), 0)
			out.Extension = w.rest("Location", &l)
		}
		parent = w.once("Location", []any{s.code, s.name, s.identifiers, parent, inner, i == len(chain)-1}, func() int { return w.add(out, entry) })
	}
	return parent, true
}

// placeKey names a location among those of a practitioner.
func (w *writer) placeKey(i int) string {
	e := w.m.Entries[i]
	key := e.Key
	for _, id := range e.Identifiers {
		key += "|" + id.System + "|" + id.Value
	}
	if e.Parent != mapping.NoParent {
		return w.placeKey(e.Parent) + "/" + key
	}
	return key
}

// location reads the chain of a referenced location. A place that an app has
// made says perhaps not what kind it is: then the innermost one is the
// department, and the outermost one the facility.
func (r *reader) location(ref *dtpb.Reference) *Location {
	out := &Location{}
	at, i := target[*locationpb.Location](r, ref)
	if i < 0 {
		out.Department = ref.GetDisplay().GetValue()
		if isEmpty(out) {
			return nil
		}
		return out
	}
	r.restore("Location", at.Extension, out)
	if len(at.Type) > 0 {
		give(&out.Type, wordsOf(at.Type[0]))
	}
	out.Address = r.address(at.Address)
	for depth, seen := 0, map[int]bool{}; i >= 0 && !seen[i]; depth++ {
		seen[i] = true
		next, j := target[*locationpb.Location](r, at.PartOf)
		code := codeIn(at.PhysicalType, physicalType)
		if v := levelOf(code, depth == 0, j < 0, out); v != nil {
			give(v.name(out), at.GetName().GetValue())
			if v.identifiers != nil && len(*v.identifiers(out)) == 0 {
				*v.identifiers(out) = r.identifiers(at.Identifier)
			}
		}
		if j < 0 && at.PartOf != nil {
			give(&out.Facility, at.PartOf.GetDisplay().GetValue())
		}
		if j < 0 && at.ManagingOrganization != nil {
			give(&out.Facility, at.ManagingOrganization.GetDisplay().GetValue())
		}
		at, i = next, j
	}
	if isEmpty(out) {
		return nil
	}
	return out
}

// levelOf finds the storey of a location: by its physical type, else by its
// place in the chain.
func levelOf(code string, innermost, outermost bool, out *Location) *level {
	for i := range levels {
		if levels[i].code == code {
			return &levels[i]
		}
	}
	switch {
	case code == "" && innermost, code != "" && out.Department == "" && innermost:
		return &levels[1]
	case outermost || out.Department != "":
		return &levels[0]
	}
	return &levels[1]
}

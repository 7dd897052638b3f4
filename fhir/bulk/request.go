package bulk

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/fhir/outcome"
	"github.com/fhirfacade/fhirfacade/fhir/search"
)

// Level is where an export is asked for.
type Level string

// Levels (Bulk Data Access, endpoints).
const (
	System   Level = "system"
	Patients Level = "patient"
	Group    Level = "group"
)

// Request is an export that was asked for and understood.
type Request struct {
	// URL is the kick-off URL, Base the base of the tenant's FHIR service.
	URL   string `json:"url"`
	Base  string `json:"base"`
	Level Level  `json:"level"`
	// Group is the id of the Group.
	Group string `json:"group,omitempty"`
	// Patients, when there are any, are the ids of those who are meant.
	Patients []string `json:"patients,omitempty"`
	// Types are what is exported, sorted.
	Types []string `json:"types"`
	// Filters are the searches of _typeFilter.
	Filters []Filter `json:"filters,omitempty"`
	// Elements are those of each type; a type that is not here is exported
	// whole.
	Elements map[string][]string `json:"elements,omitempty"`
	// Since and Until bound when resources were last updated: not before Since,
	// not after Until.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Warnings are what a lenient request has that was left out.
	Warnings []string `json:"warnings,omitempty"`
}

// Filter is a search of _typeFilter.
type Filter struct {
	Type   string             `json:"type"`
	Params []search.Parameter `json:"params"`
}

// NDJSON is the media type of the files.
const NDJSON = "application/fhir+ndjson"

// maxPatients is the most patients that a request names.
const maxPatients = 10_000

// parser reads the parameters of a kick-off.
type parser struct {
	d       *conformance.Definitions
	lenient bool
	r       *Request
	// elements are those that are named without a type.
	elements []string
	types    []string
}

// ParseExport understands the parameters of a kick-off. A reference of the
// parameter patient must be a literal one. lenient leaves out, with a warning,
// what is not supported (Prefer: handling=lenient).
func ParseExport(d *conformance.Definitions, level Level, group string, params []search.Parameter, lenient bool) (*Request, error) {
	p := parser{d: d, lenient: lenient, r: &Request{Level: level, Group: group, Elements: map[string][]string{}}}
	for _, param := range params {
		if err := p.parameter(param); err != nil {
			return nil, err
		}
	}
	if err := p.chooseTypes(); err != nil {
		return nil, err
	}
	p.addElements()
	if !p.r.Until.IsZero() && !p.r.Until.After(p.r.Since) {
		return nil, outcome.BadRequest(outcome.CodeValue, "_until must be later than _since.")
	}
	return p.r, nil
}

// leaveOut refuses what is not supported, or makes a warning of it.
func (p *parser) leaveOut(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if p.lenient {
		p.r.Warnings = append(p.r.Warnings, text+" It was left out.")
		return nil
	}
	return outcome.BadRequest(outcome.CodeNotSupported, "%s Prefer: handling=lenient leaves it out.", text)
}

func (p *parser) parameter(param search.Parameter) (err error) {
	switch param.Name {
	case "_outputFormat":
		// A plus that was not encoded is a space by now.
		switch strings.ReplaceAll(param.Value, " ", "+") {
		case NDJSON, "application/ndjson", "ndjson":
			return nil
		}
		return outcome.BadRequest(outcome.CodeNotSupported, "_outputFormat must be %s, application/ndjson or ndjson.", NDJSON)
	case "_since":
		p.r.Since, err = instant(param)
		return err
	case "_until":
		p.r.Until, err = instant(param)
		return err
	case "_type":
		return p.named(param.Value)
	case "_typeFilter":
		return p.filters(param.Value)
	case "_elements":
		return p.element(param.Value)
	case "patient":
		return p.patient(param.Value)
	case "includeAssociatedData":
		return p.leaveOut("includeAssociatedData is not supported: name the types in _type, such as Provenance.")
	case "organizeOutputBy":
		return p.leaveOut("organizeOutputBy is not supported: files are by resource type.")
	case "allowPartialManifests":
		return p.leaveOut("allowPartialManifests is not supported: there is one manifest, when all files are there.")
	}
	return p.leaveOut("$export has no parameter %q; it has _outputFormat, _since, _until, _type, _typeFilter, _elements and, by POST, patient.", printable(param.Name))
}

func instant(param search.Parameter) (time.Time, error) {
	// A plus that was not encoded is a space by now.
	at, err := time.Parse(time.RFC3339Nano, strings.ReplaceAll(param.Value, " ", "+"))
	if err != nil {
		return at, outcome.BadRequest(outcome.CodeValue, "The value of %s must be an instant: 2026-01-31T10:00:00Z.", param.Name)
	}
	return at, nil
}

func (p *parser) named(value string) error {
	for typ := range strings.SplitSeq(value, ",") {
		if !p.d.IsResourceType(typ) {
			if err := p.leaveOut("_type names %q, which is not a FHIR R4 resource type.", printable(typ)); err != nil {
				return err
			}
			continue
		}
		if !p.belongs(typ) {
			if err := p.leaveOut("_type names %s, which does not belong to the compartment of a Patient; export it by /$export.", typ); err != nil {
				return err
			}
			continue
		}
		if !slices.Contains(p.types, typ) {
			p.types = append(p.types, typ)
		}
	}
	if len(p.types) == 0 {
		return outcome.BadRequest(outcome.CodeValue, "_type names no type that can be exported here.")
	}
	return nil
}

// belongs reports whether a type is exported at the request's level.
func (p *parser) belongs(typ string) bool {
	if p.r.Level == System && len(p.r.Patients) == 0 {
		return true
	}
	c, ok := p.d.Compartment("Patient")
	return ok && (typ == "Patient" || slices.Contains(c.ResourceTypes(), typ))
}

func (p *parser) chooseTypes() error {
	switch {
	case len(p.types) > 0:
		p.r.Types = p.types
	default:
		for _, typ := range p.d.ResourceTypes() {
			if p.belongs(typ) {
				p.r.Types = append(p.r.Types, typ)
			}
		}
	}
	slices.Sort(p.r.Types)
	for _, f := range p.r.Filters {
		if !slices.Contains(p.r.Types, f.Type) {
			return outcome.BadRequest(outcome.CodeValue, "_typeFilter has a search of %s, which is not among the types that are exported.", f.Type)
		}
	}
	return nil
}

// filters reads searches that are separated by commas. A comma within a search
// should be encoded twice; one that was not is known by what follows it, which
// is no search.
func (p *parser) filters(value string) error {
	var all []string
	for piece := range strings.SplitSeq(value, ",") {
		typ, _, ok := strings.Cut(piece, "?")
		if ok && p.d.IsResourceType(typ) || len(all) == 0 {
			all = append(all, piece)
			continue
		}
		all[len(all)-1] += "," + piece
	}
	for _, one := range all {
		typ, query, ok := strings.Cut(one, "?")
		if !ok || !p.d.IsResourceType(typ) {
			return outcome.BadRequest(outcome.CodeValue, "The search %d of _typeFilter must begin with a resource type and a question mark: Observation?status=final.", len(p.r.Filters)+1)
		}
		params, err := search.ParseQuery(query)
		if err != nil || len(params) == 0 {
			return outcome.BadRequest(outcome.CodeValue, "The search %d of _typeFilter, for %s, has no parameters, or they are not encoded as in a URL.", len(p.r.Filters)+1, typ)
		}
		p.r.Filters = append(p.r.Filters, Filter{typ, params})
	}
	return nil
}

func (p *parser) element(value string) error {
	for name := range strings.SplitSeq(value, ",") {
		typ, element, qualified := strings.Cut(name, ".")
		switch {
		case !qualified:
			p.elements = append(p.elements, name)
		case !p.d.IsResourceType(typ):
			return outcome.BadRequest(outcome.CodeValue, "_elements names %q; elements are named as name or Patient.name.", printable(name))
		default:
			if _, ok := p.d.Element(typ, element); !ok {
				return outcome.BadRequest(outcome.CodeValue, "_elements names %q, which is not an element of %s.", printable(element), typ)
			}
			p.r.Elements[typ] = append(p.r.Elements[typ], element)
		}
	}
	return nil
}

// addElements gives each type the elements that are named for all.
func (p *parser) addElements() {
	for _, typ := range p.r.Types {
		for _, name := range p.elements {
			if _, ok := p.d.Element(typ, name); ok {
				p.r.Elements[typ] = append(p.r.Elements[typ], name)
			}
		}
		if len(p.elements) > 0 && len(p.r.Elements[typ]) == 0 {
			p.r.Elements[typ] = []string{"id"}
		}
	}
}

func (p *parser) patient(value string) error {
	if p.r.Level == System {
		return outcome.BadRequest(outcome.CodeNotSupported, "patient is a parameter of /Patient/$export and /Group/[id]/$export.")
	}
	for reference := range strings.SplitSeq(value, ",") {
		id, ok := strings.CutPrefix(reference, "Patient/")
		if !ok || !search.ValidID(id) {
			return outcome.BadRequest(outcome.CodeValue, "A patient must be a reference such as Patient/1.")
		}
		if !slices.Contains(p.r.Patients, id) {
			p.r.Patients = append(p.r.Patients, id)
		}
	}
	if len(p.r.Patients) > maxPatients {
		return outcome.BadRequest(outcome.CodeTooCostly, "More than %d patients are named. Make a Group of them.", maxPatients)
	}
	return nil
}

// printable keeps of a name what can stand in an error text.
func printable(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' {
			return '?'
		}
		return c
	}, s)
}

package terminology

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
)

// Routing says when questions go to a terminology server.
type Routing int

// The routings: never, where it is not held here, and in any case.
const (
	Never Routing = iota
	Unheld
	Always
)

// Server is a FHIR terminology server elsewhere.
type Server interface {
	// Asks says when questions about the canonical URL of a code system, value
	// set or concept map go there.
	Asks(url string) Routing
	// Call calls an operation, ValueSet/$expand for one, with a Parameters
	// resource. Its errors are *Error: ErrNotHeld where the server does not
	// have what is asked about, ErrTooCostly, ErrServer and ErrUnavailable.
	Call(ctx context.Context, operation string, parameters []byte) ([]byte, error)
	// Has tells whether the server holds a resource with a canonical URL.
	Has(ctx context.Context, typ, url string) (bool, error)
}

func (s *Service) asks(url string) Routing {
	if s.o.Server == nil {
		return Never
	}
	return s.o.Server.Asks(url)
}

// goesElsewhere tells whether a question about a code system that was looked
// for here goes to the server.
func (s *Service) goesElsewhere(system string, err error) bool {
	switch s.asks(system) {
	case Always:
		return true
	case Unheld:
		return errors.Is(err, ErrNotHeld)
	}
	return false
}

// parameter is a Parameters.parameter that is sent.
type parameter struct {
	Name    string          `json:"name"`
	URI     string          `json:"valueUri,omitempty"`
	Code    string          `json:"valueCode,omitempty"`
	String  string          `json:"valueString,omitempty"`
	Boolean bool            `json:"valueBoolean,omitempty"`
	Integer int             `json:"valueInteger,omitempty"`
	Inner   json.RawMessage `json:"resource,omitempty"`
}

// call calls an operation; parameters without a value are left out.
func (s *Service) call(ctx context.Context, operation string, all ...parameter) (rawjson.Node, error) {
	kept := []parameter{}
	for _, p := range all {
		if p.URI != "" || p.Code != "" || p.String != "" || p.Boolean || p.Integer != 0 || p.Inner != nil {
			kept = append(kept, p)
		}
	}
	body, err := json.Marshal(struct {
		Type string      `json:"resourceType"`
		All  []parameter `json:"parameter"`
	}{"Parameters", kept})
	if err != nil {
		return rawjson.Node{}, err
	}
	answer, err := s.o.Server.Call(ctx, operation, body)
	if err != nil {
		return rawjson.Node{}, err
	}
	doc, err := rawjson.Parse(answer, nil)
	if err != nil {
		return rawjson.Node{}, fail(ErrServer, "The terminology server answered %s with what is not JSON.", operation)
	}
	return doc.Root(), nil
}

func unexpected(operation string) error {
	return fail(ErrServer, "The terminology server answered %s with another resource than R4 says.", operation)
}

// named makes an answer that something is not there name what was asked for.
func named(err error, what, url string) error {
	if errors.Is(err, ErrNotHeld) {
		return fail(ErrNotHeld, "The %s %s is held neither here nor by the terminology server, or it does not have the code.", what, url[:min(len(url), maxURL)])
	}
	return err
}

// alone is an include without what it imports, as a value set.
func alone(include rawjson.Node, version string) json.RawMessage {
	part := map[string]any{"system": text(include, "system")}
	if version != "" {
		part["version"] = version
	}
	if filter, ok := include.Member("filter"); ok {
		part["filter"] = json.RawMessage(filter.Raw())
	}
	return composed(part)
}

// composed is a value set of one include.
func composed(include map[string]any) json.RawMessage {
	// Strings and JSON that was read: this cannot fail.
	set, _ := json.Marshal(map[string]any{
		"resourceType": "ValueSet", "status": "active", "compose": map[string]any{"include": []any{include}},
	})
	return set
}

// elsewhere is a value set that the server knows: the one that is given, or
// the one with the canonical URL. If codes are asked about, it has those of
// them that are in it.
func (e *expander) elsewhere(canonicalURL string, given json.RawMessage) (*set, error) {
	what, of, system := "value set", canonicalURL, ""
	if given != nil {
		doc, err := rawjson.Parse(given, nil)
		if err != nil {
			return nil, err
		}
		compose, _ := doc.Root().Member("compose")
		for include := range elements(compose, "include") {
			system = text(include, "system")
		}
		what, of = "code system", system
	}
	all := newSet()
	if e.only == nil {
		codes, err := e.s.expandElsewhere(e.ctx, canonicalURL, given)
		for _, c := range codes {
			all.add(c)
			e.uses(c.System, c.Version)
		}
		return all, named(err, what, of)
	}
	for _, c := range e.asked {
		if system != "" && c.System != "" && c.System != system {
			continue
		}
		if c.System == "" {
			c.System = system
		}
		code, ok, err := e.s.memberElsewhere(e.ctx, canonicalURL, given, c)
		if err != nil {
			return nil, named(err, what, of)
		}
		if ok {
			all.add(code)
		}
	}
	return all, nil
}

// valueSetParameters name a value set, or hold it.
func valueSetParameters(canonicalURL string, given json.RawMessage) []parameter {
	if given != nil {
		return []parameter{{Name: "valueSet", Inner: given}}
	}
	url, version := canonical(canonicalURL)
	return []parameter{{Name: "url", URI: url}, {Name: "valueSetVersion", String: version}}
}

// expandElsewhere asks for one code more than are taken, so that too many are
// noticed.
func (s *Service) expandElsewhere(ctx context.Context, canonicalURL string, given json.RawMessage) ([]Code, error) {
	const operation = "ValueSet/$expand"
	ask := append(valueSetParameters(canonicalURL, given), parameter{Name: "count", Integer: s.o.MaxCodes + 1})
	answer, err := s.call(ctx, operation, ask...)
	if err != nil {
		return nil, err
	}
	expansion, ok := answer.Member("expansion")
	if !ok {
		return nil, unexpected(operation)
	}
	var codes []Code
	listed := 0
	var contains func(rawjson.Node)
	contains = func(n rawjson.Node) {
		for c := range elements(n, "contains") {
			listed++
			if code := contained(c); code.Code != "" {
				codes = append(codes, code)
			}
			contains(c)
		}
	}
	contains(expansion)
	if len(codes) > s.o.MaxCodes {
		return nil, fail(ErrTooCostly, "%s has more than %d codes.", name(canonicalURL), s.o.MaxCodes)
	}
	if total, ok := expansion.Member("total"); ok && string(total.Raw()) != itoa(listed) && string(total.Raw()) != itoa(len(codes)) {
		return nil, fail(ErrTooCostly, "%s has more codes than the terminology server lists at once.", name(canonicalURL))
	}
	return codes, nil
}

// memberElsewhere asks whether a value set has a code. Whether it is called by
// its display is asked separately: that it is not does not make it another.
func (s *Service) memberElsewhere(ctx context.Context, canonicalURL string, given json.RawMessage, c Coding) (Code, bool, error) {
	const operation = "ValueSet/$validate-code"
	ask := append(valueSetParameters(canonicalURL, given), parameter{Name: "code", Code: c.Code}, parameter{Name: "system", URI: c.System}, parameter{Name: "systemVersion", String: c.Version})
	found, ok, err := s.confirmed(ctx, operation, c.System, ask)
	if err != nil || !ok {
		return Code{}, false, err
	}
	code := Code{System: c.System, Version: c.Version, Code: c.Code, Display: found}
	return code, true, s.synonym(ctx, operation, &code, c.Display, ask)
}

// synonym adds a display that the server takes for one of the code's.
func (s *Service) synonym(ctx context.Context, operation string, code *Code, display string, ask []parameter) error {
	if display == "" || strings.EqualFold(display, code.Display) {
		return nil
	}
	_, ok, err := s.result(ctx, operation, append(ask, parameter{Name: "display", String: display}))
	if ok {
		code.Designations = append(code.Designations, Designation{Value: display})
	}
	return err
}

// result is the answer of $validate-code.
func (s *Service) result(ctx context.Context, operation string, ask []parameter) (display string, result bool, err error) {
	answer, err := s.call(ctx, operation, ask...)
	if err != nil {
		return "", false, err
	}
	said := false
	for p := range elements(answer, "parameter") {
		switch text(p, "name") {
		case "result":
			v, _ := p.Member("valueBoolean")
			result, said = string(v.Raw()) == "true", v.Exists()
		case "display":
			display = text(p, "valueString")
		}
	}
	if !said {
		return "", false, unexpected(operation)
	}
	return display, result, nil
}

// confirmed is result, where no is taken only from a server that has the code
// system: others say no of every code.
func (s *Service) confirmed(ctx context.Context, operation, system string, ask []parameter) (display string, result bool, err error) {
	display, result, err = s.result(ctx, operation, ask)
	if err != nil || result || system == "" {
		return display, result, err
	}
	has, err := s.o.Server.Has(ctx, "CodeSystem", system)
	if err == nil && !has {
		err = fail(ErrNotHeld, "The code system %s is held neither here nor by the terminology server.", system[:min(len(system), maxURL)])
	}
	return display, false, err
}

// validateElsewhere is ValidateIn by the server.
func (s *Service) validateElsewhere(ctx context.Context, in CodeSystem, codings []Coding, r Rules) (Validation, error) {
	const operation = "CodeSystem/$validate-code"
	var codes []Code
	for _, c := range codings {
		if c.System != "" && c.System != in.URL {
			continue
		}
		version := in.Version
		if version == "" {
			version = c.Version
		}
		ask := []parameter{{Name: "url", URI: in.URL}, {Name: "version", String: version}, {Name: "code", Code: c.Code}, {Name: "displayLanguage", Code: r.Language}}
		display, ok, err := s.confirmed(ctx, operation, in.URL, ask)
		if err != nil {
			return Validation{}, named(err, "code system", in.URL)
		}
		if !ok {
			continue
		}
		code := Code{System: in.URL, Version: version, Code: c.Code, Display: display}
		if err := s.synonym(ctx, operation, &code, c.Display, ask); err != nil {
			return Validation{}, err
		}
		codes = append(codes, code)
	}
	return r.validate(codes, "The code system "+in.URL, codings), nil
}

// relatedElsewhere are the codes below or above one, and itself.
func (s *Service) relatedElsewhere(ctx context.Context, system, code, op string) ([]Code, error) {
	set := composed(map[string]any{"system": system, "filter": []any{map[string]any{"property": "concept", "op": op, "value": code}}})
	codes, err := s.expandElsewhere(ctx, "of codes of "+system, set)
	if err != nil {
		return nil, named(err, "code system", system)
	}
	for _, c := range codes {
		if c.Code == code {
			return codes, nil
		}
	}
	return append([]Code{{System: system, Code: code}}, codes...), nil
}

// subsumesElsewhere is Subsumes by the server.
func (s *Service) subsumesElsewhere(ctx context.Context, system, version, a, b string) (Subsumption, error) {
	const operation = "CodeSystem/$subsumes"
	answer, err := s.call(ctx, operation, parameter{Name: "system", URI: system}, parameter{Name: "version", String: version}, parameter{Name: "codeA", Code: a}, parameter{Name: "codeB", Code: b})
	if err != nil {
		return "", named(err, "code system", system)
	}
	for p := range elements(answer, "parameter") {
		switch said := Subsumption(text(p, "valueCode")); said {
		case Equivalent, Subsumes, SubsumedBy, NotSubsumed:
			return said, nil
		}
	}
	return "", unexpected(operation)
}

// lookupElsewhere is Lookup by the server.
func (s *Service) lookupElsewhere(ctx context.Context, system, version, code string, properties []string) (Details, error) {
	const operation = "CodeSystem/$lookup"
	ask := []parameter{{Name: "system", URI: system}, {Name: "version", String: version}, {Name: "code", Code: code}}
	for _, p := range properties {
		ask = append(ask, parameter{Name: "property", Code: p})
	}
	answer, err := s.call(ctx, operation, ask...)
	if err != nil {
		return Details{}, named(err, "code system", system)
	}
	d := Details{Code: Code{System: system, Version: version, Code: code}}
	for p := range elements(answer, "parameter") {
		value := text(p, "valueString")
		switch text(p, "name") {
		case "name":
			d.Name = value
		case "version":
			d.Version = value
		case "display":
			d.Display = value
		case "definition":
			d.Definition = value
		case "designation":
			d.Designations = append(d.Designations, designationOf(p))
		case "property":
			d.Properties = append(d.Properties, propertyOf(p))
		}
	}
	if d.Display == "" {
		return Details{}, unexpected(operation)
	}
	return d, nil
}

func designationOf(p rawjson.Node) Designation {
	var d Designation
	for part := range elements(p, "part") {
		switch text(part, "name") {
		case "language":
			d.Language = text(part, "valueCode")
		case "value":
			d.Value = text(part, "valueString")
		case "use":
			use, _ := part.Member("valueCoding")
			d.Use = codingOf(use)
		}
	}
	return d
}

func propertyOf(p rawjson.Node) Property {
	var all Property
	for part := range elements(p, "part") {
		switch text(part, "name") {
		case "code":
			all.Code = text(part, "valueCode")
		case "value":
			all.Type, all.Value = valueOf(part)
		}
	}
	return all
}

// translateElsewhere is Translate by the server.
func (s *Service) translateElsewhere(ctx context.Context, q Translating, c Coding) ([]Translation, error) {
	const operation = "ConceptMap/$translate"
	url, version := canonical(q.Map)
	answer, err := s.call(ctx, operation,
		parameter{Name: "url", URI: url}, parameter{Name: "conceptMapVersion", String: version},
		parameter{Name: "code", Code: c.Code}, parameter{Name: "system", URI: c.System}, parameter{Name: "version", String: c.Version},
		parameter{Name: "source", URI: q.Source}, parameter{Name: "target", URI: q.Target},
		parameter{Name: "targetsystem", URI: q.TargetSystem}, parameter{Name: "reverse", Boolean: q.Reverse})
	if err != nil {
		return nil, named(err, "concept map", url)
	}
	var all []Translation
	said := false
	for p := range elements(answer, "parameter") {
		switch text(p, "name") {
		case "result":
			said = true
		case "match":
			t := Translation{Source: q.Map}
			for part := range elements(p, "part") {
				switch text(part, "name") {
				case "equivalence":
					t.Equivalence = text(part, "valueCode")
				case "concept":
					n, _ := part.Member("valueCoding")
					k := codingOf(n)
					t.Target = Code{System: k.System, Version: k.Version, Code: k.Code, Display: k.Display}
				case "source":
					t.Source = text(part, "valueUri")
				}
			}
			all = append(all, t)
		}
	}
	if !said {
		return nil, unexpected(operation)
	}
	return all, nil
}

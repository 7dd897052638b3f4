package v2fhir

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/fhirfacade/fhirfacade/conformance"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// The identities of what can be wrong with the FHIR that a message is to be
// made of.
var (
	ErrFHIR     = errors.New("not valid FHIR R4")
	ErrBundle   = errors.New("not a Bundle that a message can be made of")
	ErrRequired = errors.New("an element that the message needs is missing")
)

// Error is one problem of a Bundle. Its text names elements and rules, never
// values.
type Error struct {
	Kind error
	At   string // Patient.identifier
	Rule string
}

func (e *Error) Error() string {
	text := e.Kind.Error()
	if e.At != "" {
		text += ": " + e.At
	}
	if e.Rule != "" {
		text += ": " + e.Rule
	}
	return text
}

// Unwrap gives the error's identity.
func (e *Error) Unwrap() error { return e.Kind }

// Written is a message that was made of FHIR.
type Written struct {
	Code  string // ADT^A01
	Draft *hl7v2.Draft
	Steps []Step
	// Left are the elements that no line was for.
	Left []string
}

// FromFHIR makes the message of an event, such as "SIU^S12", of a Bundle. With
// an empty code it is that of the MessageHeader.
func FromFHIR(bundle []byte, code string, o Options) (*Written, error) {
	var problems []error
	for _, issue := range conformance.ValidateStructure(bundle) {
		if issue.Severity == conformance.SeverityError || issue.Severity == conformance.SeverityFatal {
			problems = append(problems, &Error{Kind: ErrFHIR, At: issue.Expression, Rule: string(issue.Code)})
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	var b object
	d := json.NewDecoder(bytes.NewReader(bundle))
	d.UseNumber()
	if err := d.Decode(&b); err != nil || text(b, "resourceType") != "Bundle" {
		return nil, &Error{Kind: ErrBundle, Rule: "it must be a Bundle"}
	}
	r := &reader{o: o, draft: hl7v2.NewDraft(), used: map[string][]string{}, places: map[uintptr]int{}, counts: map[string]int{}}
	for _, e := range objects(b, "entry[]") {
		if resource, ok := e["resource"].(object); ok {
			r.places[reflect.ValueOf(resource).Pointer()] = len(r.entries)
			r.entries = append(r.entries, bundled{text(e, "fullUrl"), resource})
		}
	}
	if code == "" {
		code = r.header()
	}
	messageType, trigger, ok := strings.Cut(code, "^")
	if !ok {
		return nil, &Error{Kind: ErrBundle, At: "MessageHeader.eventCoding", Rule: "it must be a message type and event of table 0003, such as ADT^A01"}
	}
	ev, err := eventOf(messageType, trigger)
	if err != nil {
		return nil, err
	}
	r.ev, r.written = ev, &Written{Code: ev.code, Draft: r.draft}
	r.headerSegments(b)
	r.focusEntries()
	for _, t := range ev.of.resources {
		if t.only != toOnly {
			r.write(t, nil)
		}
	}
	r.order()
	r.left()
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return r.written, nil
}

type bundled struct {
	fullURL  string
	resource object
}

func (b bundled) typ() string { return text(b.resource, "resourceType") }

// reader makes a message of FHIR.
type reader struct {
	o        Options
	ev       *event
	entries  []bundled
	places   map[uintptr]int // of the resources among the entries
	focus    []object
	draft    *hl7v2.Draft
	written  *Written
	problems []error
	used     map[string][]string // by place: the members that were read, nil for all
	counts   map[string]int      // of numbered segments
	at       string

	resource object              // being written
	element  object              // of it
	out      *hl7v2.DraftSegment // being written
}

func (r *reader) problem(rule string) {
	r.problems = append(r.problems, &Error{Kind: ErrFHIR, At: r.at, Rule: rule})
}

// header is the event of the MessageHeader.
func (r *reader) header() string {
	for _, e := range r.entries {
		if e.typ() != "MessageHeader" {
			continue
		}
		c := text(e.resource, "eventCoding.code")
		if strings.Contains(c, "^") {
			return c
		}
		for i := range events {
			if strings.HasSuffix(events[i].code, "^"+c) {
				return events[i].code
			}
		}
	}
	return ""
}

// headerSegments writes MSH, and EVN where the structure has it.
// HL7 v2.5.1 § 2.15.9, § 3.4.1.
func (r *reader) headerSegments(b object) {
	messageType, trigger, _ := strings.Cut(r.ev.code, "^")
	structure := hl7v2.StructureOf(messageType, trigger)
	now := r.o.Now
	if r.o.Zone != nil {
		now = now.In(r.o.Zone)
	}
	stamp := now.Format("20060102150405-0700")
	msh := r.draft.Add("MSH")
	test := "P"
	for _, tag := range objects(b, "meta.tag[]") {
		if text(tag, "code") == "HTEST" {
			test = "T"
		}
	}
	for n, s := range map[int]string{
		3: r.o.SendingApplication, 4: r.o.SendingFacility, 5: r.o.ReceivingApplication, 6: r.o.ReceivingFacility,
		7: stamp, 10: r.o.ControlID, 11: test, 12: "2.5.1", 18: hl7v2.UTF8,
	} {
		msh.Set(hl7v2.Path{Field: n}, s)
	}
	for i, s := range []string{messageType, trigger, structure.Name} {
		msh.Set(hl7v2.Path{Field: 9, Component: i + 1}, s)
	}
	if slices.ContainsFunc(structure.Parts, func(p *hl7v2.Structure) bool { return p.Name == "EVN" }) {
		evn := r.draft.Add("EVN")
		recorded := stamp
		if at := text(b, "timestamp"); at != "" {
			r.at = "Bundle.timestamp"
			recorded = r.timestamp(at)
		}
		evn.Set(hl7v2.Path{Field: 2}, recorded)
	}
}

// focusEntries finds what the message is about: what the MessageHeader points
// at.
func (r *reader) focusEntries() {
	for _, e := range r.entries {
		if e.typ() == "MessageHeader" {
			for _, f := range objects(e.resource, "focus[]") {
				if x := r.find(f); x != nil {
					r.focus = append(r.focus, x)
				}
			}
		}
	}
}

// find is the resource of the Bundle that a reference means, or nil.
func (r *reader) find(x any) object {
	target := text(asObject(x), "reference")
	if target == "" {
		return nil
	}
	for _, e := range r.entries {
		if e.fullURL == target {
			return e.resource
		}
	}
	for _, e := range r.entries {
		local := e.typ() + "/" + text(e.resource, "id")
		if e.fullURL == target || local == target || strings.HasSuffix(e.fullURL, "/"+target) {
			return e.resource
		}
	}
	return nil
}

// candidates are the resources that a table line writes.
func (r *reader) candidates(t resource, around object) []object {
	var all []object
	if around != nil && t.back != "" {
		for _, ref := range compilePath(t.back).get(around) {
			if x := r.find(ref); x != nil && text(x, "resourceType") == t.typ {
				all = append(all, x)
			}
		}
		if len(all) > 0 || t.typ != "Patient" {
			return all
		}
	}
	for _, x := range r.focus {
		if text(x, "resourceType") == t.typ && t.fits(x) {
			all = append(all, x)
		}
	}
	if len(all) == 0 {
		for _, e := range r.entries {
			if e.typ() == t.typ && t.fits(e.resource) {
				all = append(all, e.resource)
			}
		}
	}
	if t.typ == "Patient" && len(all) > 1 {
		if p := r.patient(); p != nil && t.fits(p) {
			all = []object{p}
		}
	}
	if t.group == "" && t.each == "" {
		all = all[:min(1, len(all))]
	}
	return all
}

// fits tells whether a resource has what those of the line are given; of two
// patients, that of a merge that was retired.
func (t resource) fits(o object) bool {
	for _, s := range t.set {
		p := compilePath(s[0])
		if p[0].name != "active" {
			continue
		}
		for _, v := range p.get(o) {
			if v != value(s[1]) {
				return false
			}
		}
		if s[1] == "false" && len(p.get(o)) == 0 {
			return false
		}
	}
	return true
}

// patient is the one that what the message is about refers to.
func (r *reader) patient() object {
	for _, f := range r.focus {
		for _, at := range []string{"subject", "patient", "participant[].actor"} {
			for _, ref := range compilePath(at).get(f) {
				if p := r.find(ref); p != nil && text(p, "resourceType") == "Patient" {
					return p
				}
			}
		}
	}
	return nil
}

func (r *reader) write(t resource, around object) {
	all := r.candidates(t, around)
	if len(all) == 0 && t.required {
		r.problems = append(r.problems, &Error{Kind: ErrRequired, At: t.typ})
	}
	for _, o := range all {
		for _, s := range t.set {
			r.use(o, compilePath(s[0]), nil)
		}
		for _, s := range r.ev.set {
			if p := compilePath(s[0]); p[0].name == t.typ {
				r.use(o, p[1:], nil)
			}
		}
		for _, l := range t.links {
			r.useLink(o, l[0], l[1])
		}
		for _, s := range t.segments {
			r.segment(t, s, o)
		}
		for _, under := range t.under {
			if under.only != toOnly {
				if under.back != "" {
					r.use(o, compilePath(under.back), nil)
				}
				r.write(under, o)
			}
		}
	}
}

// segment writes the segments that a table makes of a resource.
func (r *reader) segment(t resource, s segment, o object) {
	elements := []found{{value: o}}
	if s.into != "" {
		elements = compilePath(s.into).find(o)
	}
	for _, e := range elements {
		into := asObject(e.value)
		if into == nil {
			continue
		}
		r.resource, r.element = o, into
		if !r.anchored(s, into) {
			continue
		}
		out := r.draft.Add(s.name)
		r.out = out
		r.useTold(o, e)
		next := map[int]int{}
		for _, l := range s.lines {
			if l.only != toOnly {
				r.line(t, s, l, o, e.at, into, out, next)
			}
		}
		if out.Empty() && !s.always {
			r.draft.Segments = r.draft.Segments[:len(r.draft.Segments)-1]
			continue
		}
		for path, fixed := range s.set {
			p, err := hl7v2.ParsePath(s.name + "-" + path)
			if err == nil && !out.Has(p.Field) {
				out.Set(p, fixed)
			}
		}
		if numbered[s.name] {
			r.counts[s.name]++
			out.Set(hl7v2.Path{Field: 1}, itoa(r.counts[s.name]))
		}
		if s.name == "OBR" || s.name == "ORC" {
			r.counts["OBX"], r.counts["NTE"] = 0, 0
		}
		if s.name == "OBX" {
			r.counts["NTE"] = 0
		}
	}
}

// anchored tells whether an element has what its segment cannot be without.
func (r *reader) anchored(s segment, into object) bool {
	if s.anchor == "" {
		return true
	}
	for _, l := range s.lines {
		if l.v2.String() == s.anchor && l.only != toOnly {
			for _, x := range l.fhir.get(into) {
				for _, c := range l.as.from(r, x) {
					if c.text != "" {
						return true
					}
				}
			}
		}
	}
	return false
}

func (r *reader) line(t resource, s segment, l line, o object, base string, into object, out *hl7v2.DraftSegment, next map[int]int) {
	wrote := false
	for _, f := range l.fhir.find(into) {
		at := join(base, f.at)
		r.at = t.typ + "." + at
		cells := l.as.from(r, f.value)
		wrote = wrote || len(cells) > 0
		repetition := 0
		if l.v2.Component == 0 && len(cells) > 0 {
			next[l.v2.Field]++
			if repetition = next[l.v2.Field]; repetition == 1 {
				repetition = 0 // the first needs no number
			}
		}
		empty := true
		for _, c := range cells {
			p := hl7v2.Path{Field: l.v2.Field, Repetition: repetition, Component: l.v2.Component, Subcomponent: l.v2.Subcomponent}
			if c.c > 0 {
				p.Component, p.Subcomponent = c.c, c.s
			}
			if l.as.formatted {
				out.SetText(p, c.text)
			} else {
				out.Set(p, c.text)
			}
			empty = empty && c.text == ""
		}
		if empty {
			continue
		}
		r.useAt(o, at, l.as.says)
		for _, told := range f.told {
			r.useAt(o, join(base, told), nil)
		}
		v2 := hl7v2.Path{Segment: s.name, Field: l.v2.Field, Repetition: repetition, Component: l.v2.Component}
		r.written.Steps = append(r.written.Steps, Step{V2: v2.String(), FHIR: r.at, Rule: l.as.name})
	}
	if !wrote && l.required {
		r.problems = append(r.problems, &Error{Kind: ErrRequired, At: t.typ + "." + join(s.into, l.at), Rule: l.v2Text() + " is required"})
	}
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "." + b
}

// use marks what was read of a resource.
func (r *reader) use(o object, p path, says []string) {
	for _, f := range p.find(o) {
		r.useAt(o, f.at, says)
		r.useTold(o, f)
	}
}

// useLink marks the references to a resource of the message.
func (r *reader) useLink(o object, at, typ string) {
	for _, f := range compilePath(at).find(o) {
		to := r.find(f.value)
		if to == nil || text(to, "resourceType") != typ {
			continue
		}
		r.useAt(o, f.at, nil)
		r.useTold(o, f)
		if element, ok := strings.CutSuffix(f.at, ".actor"); ok {
			r.useAt(o, element+".status", nil)
		}
	}
}

func (r *reader) useTold(o object, f found) {
	for _, told := range f.told {
		r.useAt(o, told, nil)
	}
}

func (r *reader) useAt(o object, at string, says []string) {
	key := r.key(o) + at
	if already, ok := r.used[key]; ok && already == nil || says == nil {
		r.used[key] = nil
		return
	}
	r.used[key] = append(r.used[key], says...)
}

// key tells the resources of the Bundle apart.
func (r *reader) key(o object) string {
	if i, ok := r.places[reflect.ValueOf(o).Pointer()]; ok {
		return itoa(i) + ":"
	}
	return ":"
}

// order puts segments where the structure wants them: those of one resource
// may stand around those of another.
func (r *reader) order() {
	order := r.ev.of.order
	if order == "" {
		return
	}
	place := map[string]int{}
	for i, name := range strings.Fields(order) {
		place[name] = i
	}
	sort.SliceStable(r.draft.Segments, func(i, j int) bool {
		return place[r.draft.Segments[i].Name] < place[r.draft.Segments[j].Name]
	})
}

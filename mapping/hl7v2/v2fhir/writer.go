package v2fhir

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

type number = json.Number

func itoa(n int) string { return strconv.Itoa(n) }

// Entry is one resource of a translated message.
type Entry struct {
	// FullURL is local to the message: urn:uuid:….
	FullURL  string
	Resource map[string]any
	// Parent is the entry that a record without identifiers belongs to, -1 for
	// the organization itself; Key tells it from others of that parent.
	Parent int
	Key    string
}

// Step tells what one line of the tables made of one value.
type Step struct {
	V2   string `json:"v2"`   // PID[1]-7
	FHIR string `json:"fhir"` // Patient.birthDate
	Rule string `json:"rule"` // TS ↔ date
	// Null tells that the sender says "", which FHIR has no word for: the
	// element is to be deleted.
	Null bool `json:"null,omitempty"`
}

// Result is what a message says in FHIR.
type Result struct {
	Code                 string // ADT^A01
	DataModel, EventType string // Redox's names of the event
	Header               hl7v2.Header
	Time                 time.Time
	Entries              []Entry
	Focus                []int // of Entries: what the message is about
	Steps                []Step
	// Left are the fields with a value that no line was for.
	Left     []string
	Warnings hl7v2.Errors
}

// ToFHIR says a message in FHIR.
func ToFHIR(m *hl7v2.Message, o Options) (*Result, error) {
	h := m.Header()
	ev, err := eventOf(h.Type, h.Event)
	if err != nil {
		return nil, err
	}
	w := &writer{o: o, m: m, used: map[hl7v2.Path]bool{}, occurrences: map[string]int{}, numbered: map[hl7v2.Segment]int{}, ofType: map[string][]int{}, zone: o.Zone}
	w.result = &Result{Code: ev.code, DataModel: ev.dataModel, EventType: ev.eventType, Header: h, Warnings: slices.Clone(m.Warnings)}
	if w.zone == nil {
		w.zone = time.UTC
		if t, ok, err := hl7v2.ParseTime(h.Time, nil); err == nil && ok && t.Zoned {
			w.zone = t.Time.Location()
		}
	}
	for _, s := range m.Segments() {
		w.occurrences[s.Name()]++
		w.numbers = append(w.numbers, w.occurrences[s.Name()])
		w.numbered[s] = w.occurrences[s.Name()]
	}
	group := m.Group(hl7v2.StructureOf(h.Type, h.Event))
	w.problems = append(w.problems, group.Check()...)
	w.ev = ev
	w.time()
	for _, r := range ev.of.resources {
		w.make(r, group, -1)
	}
	w.finish()
	w.validate()
	w.left()
	if err := w.problems.Or(); err != nil {
		return nil, err
	}
	return w.result, nil
}

// eventOf finds the table of an event.
func eventOf(messageType, code string) (*event, error) {
	known := false
	for i := range events {
		e := &events[i]
		if e.code == messageType+"^"+code {
			return e, nil
		}
		known = known || e.code[:3] == messageType
	}
	if known {
		return nil, &hl7v2.Error{Kind: hl7v2.ErrEvent, Path: hl7v2.Path{Segment: "MSH", Field: 9, Component: 2}, Rule: "the event of MSH-9.2 has no table"}
	}
	return nil, &hl7v2.Error{Kind: hl7v2.ErrMessageType, Path: hl7v2.Path{Segment: "MSH", Field: 9, Component: 1}, Rule: "the message type of MSH-9.1 has no table"}
}

// writer makes FHIR of one message.
type writer struct {
	o           Options
	m           *hl7v2.Message
	ev          *event
	zone        *time.Location
	result      *Result
	problems    hl7v2.Errors
	used        map[hl7v2.Path]bool
	occurrences map[string]int
	numbers     []int // of the message's segments, among those of their name
	numbered    map[hl7v2.Segment]int
	ofType      map[string][]int // entries by their type

	segment hl7v2.Segment // being read
	at      hl7v2.Path    // in it
	sharing []sharedEntry
}

func (w *writer) problem(kind error, rule string) {
	w.problems = append(w.problems, &hl7v2.Error{Kind: kind, Path: w.at, Rule: rule})
}

func (w *writer) warn(kind error, rule string) {
	w.result.Warnings = append(w.result.Warnings, &hl7v2.Error{Kind: kind, Path: w.at, Rule: rule})
}

// time is when it happened: EVN-6, else EVN-2, else MSH-7.
func (w *writer) time() {
	for _, p := range []string{"EVN-6", "EVN-2", "MSH-7"} {
		v := w.m.Get(p)
		if t, ok, err := hl7v2.ParseTime(v.Component(1).String(), w.zone); err == nil && ok {
			w.result.Time = t.Time
			return
		}
	}
}

// make makes the resources of a table line from a group and the groups below.
// around is the entry of the resource around, or -1.
func (w *writer) make(r resource, g *hl7v2.Group, around int) {
	if r.only == fromOnly {
		return
	}
	groups := []*hl7v2.Group{g}
	if r.group != "" {
		groups = g.All(r.group)
	}
	for _, in := range groups {
		if r.each == "" {
			w.one(r, in, in.Segments, around)
			continue
		}
		for i, s := range in.Segments {
			if s.Is(r.each) {
				// What stands behind it, up to the next one, belongs to it.
				end := i + 1
				for end < len(in.Segments) && !in.Segments[end].Is(r.each) {
					end++
				}
				w.one(r, in, in.Segments[i:end], around)
			}
		}
	}
}

func (w *writer) one(r resource, g *hl7v2.Group, segments []hl7v2.Segment, around int) {
	there := len(r.when) == 0
	for _, name := range r.when {
		there = there || len(segmentsOf(g, segments, name)) > 0
	}
	if !there {
		return
	}
	o := object{"resourceType": r.typ}
	steps := len(w.result.Steps)
	for _, t := range r.segments {
		// A resource may be made of segments of the groups below as well:
		// of the resources of an appointment.
		for _, s := range segmentsOf(g, segments, t.name) {
			w.read(r, t, s, o)
		}
	}
	if len(w.result.Steps) == steps {
		return
	}
	for _, s := range w.ev.set {
		if compiled := compilePath(s[0]); compiled[0].name == r.typ {
			if said := strings.TrimPrefix(s[1], "!"); said != s[1] {
				delete(o, compiled[1].name)
				compiled[1:].set(o, said)
			} else {
				compiled[1:].set(o, said)
			}
		}
	}
	for _, s := range r.set {
		compilePath(s[0]).set(o, value(s[1]))
	}
	index := w.add(o, -1, "")
	for _, l := range r.links {
		if i := w.latest(l[1], index); i >= 0 {
			compilePath(l[0]).set(o, w.reference(i))
		}
	}
	w.identity(r, index, around)
	if r.back != "" && around >= 0 {
		compilePath(r.back).set(w.result.Entries[around].Resource, w.reference(index))
	}
	for _, under := range r.under {
		w.make(under, g, index)
	}
}

// value is a fixed value of a table: text, or a truth value.
func value(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	return s
}

// segmentsOf are the segments of that name: those given, or where there are
// none, those of the groups below.
func segmentsOf(g *hl7v2.Group, segments []hl7v2.Segment, name string) []hl7v2.Segment {
	var all []hl7v2.Segment
	for _, s := range segments {
		if s.Is(name) {
			all = append(all, s)
		}
	}
	if len(all) > 0 || len(segments) != len(g.Segments) {
		return all
	}
	for _, below := range g.Groups {
		if deep[name] || name == "NTE" && details[below.Name()] {
			all = append(all, segmentsOf(below, below.Segments, name)...)
		}
	}
	return all
}

// deep are the segments that a resource takes from the groups below its own.
var deep = map[string]bool{
	"RGS": true, "AIS": true, "AIL": true, "AIP": true, "AIG": true, "TQ1": true, "PRD": true,
	"OBR": true, "PV1": true, "PV2": true, "OBX": true,
}

// details are the groups that a resource's notes may stand in besides its own.
var details = map[string]bool{"ORDER_DETAIL": true, "OBSERVATION_REQUEST": true}

// read reads one segment into a resource.
func (w *writer) read(r resource, t segment, s hl7v2.Segment, o object) {
	w.segment = s
	into := o
	if t.into != "" {
		into = object{}
	}
	for _, l := range t.lines {
		if l.only == fromOnly {
			continue
		}
		w.line(r, t, l, s, into)
	}
	if t.into != "" && len(into) > 0 {
		compilePath(t.into).set(o, into)
	}
}

func (w *writer) line(r resource, t segment, l line, s hl7v2.Segment, o object) {
	name := r.typ + "."
	if t.into != "" {
		name += t.into + "."
	}
	field := s.Field(l.v2.Field)
	for n := range field.Repetitions() {
		v := field.Repetition(n)
		w.at = hl7v2.Path{Segment: s.Name(), Occurrence: w.numberOf(s), Field: l.v2.Field, Repetition: n + 1, Component: l.v2.Component, Subcomponent: l.v2.Subcomponent}
		if l.v2.Component > 0 {
			v = v.Component(l.v2.Component)
		}
		if l.v2.Subcomponent > 0 {
			v = v.Subcomponent(l.v2.Subcomponent)
		}
		if v.Empty() {
			continue
		}
		if v.Null() {
			w.use(l)
			w.step(name+l.at, l, true)
			continue
		}
		x := l.as.to(w, v)
		if x == nil {
			if l.as.beside {
				w.use(l)
			}
			continue
		}
		w.use(l)
		if f, ok := x.(forced); ok {
			delete(o, l.fhir[0].name)
			x = string(f)
		}
		if spread, ok := x.(members); ok {
			for member, value := range spread {
				path{{name: member, index: -1}}.set(o, value)
				w.step(name+member, l, false)
			}
			continue
		}
		if l.fhir.set(o, x) {
			w.step(name+l.at, l, false)
		} else if !equalAny(l.fhir.get(o), x) {
			delete(w.used, w.at) // said elsewhere, and otherwise
		}
	}
}

// members are several members of an element at once, such as value[x].
type members map[string]any

func equalAny(all []any, x any) bool {
	for _, a := range all {
		if as, ok := a.(string); ok && as == x {
			return true
		}
	}
	return false
}

func (w *writer) numberOf(s hl7v2.Segment) int {
	return w.numbered[s]
}

func (w *writer) step(at string, l line, null bool) {
	w.result.Steps = append(w.result.Steps, Step{V2: w.at.String(), FHIR: at, Rule: l.as.name, Null: null})
}

// use marks what a line has read.
func (w *writer) use(l line) {
	at := w.at
	switch {
	case at.Component > 0:
		w.used[at] = true
	case l.as.reads == nil:
		at.Component = 1
		w.used[at] = true
	case len(l.as.reads) == 0:
		w.used[at] = true
	default:
		for _, c := range l.as.reads {
			at.Component = c
			w.used[at] = true
		}
	}
}

// left lists what no line has read.
func (w *writer) left() {
	for i, s := range w.m.Segments() {
		switch s.Name() {
		case "MSH", "EVN", "BTS", "FTS":
			continue // of the message itself
		}
		for f := 1; f <= s.Len(); f++ {
			if f == 1 && numbered[s.Name()] {
				continue
			}
			n := 0
			for repetition := range s.Field(f).Parts() {
				n++
				at := hl7v2.Path{Segment: s.Name(), Occurrence: w.numbers[i], Field: f, Repetition: n}
				if w.used[at] {
					continue
				}
				c := 0
				for component := range repetition.Parts() {
					c++
					p := at
					p.Component = c
					if !component.Empty() && !w.used[p] && !w.usedBelow(p) {
						w.result.Left = append(w.result.Left, p.String())
					}
				}
			}
		}
	}
}

func (w *writer) usedBelow(p hl7v2.Path) bool {
	p.Subcomponent = 1
	return w.used[p]
}

// add appends an entry.
func (w *writer) add(o object, parent int, key string) int {
	n := len(w.result.Entries)
	typ := text(o, "resourceType")
	w.ofType[typ] = append(w.ofType[typ], n)
	id := uuid.NewSHA1(namespace, []byte(w.ev.code+"/"+typ+"/"+itoa(n)))
	w.result.Entries = append(w.result.Entries, Entry{FullURL: "urn:uuid:" + id.String(), Resource: o, Parent: parent, Key: key})
	return n
}

// namespace makes the local addresses.
var namespace = uuid.MustParse("0b1d3d5a-6f9e-5d0c-9b8e-4d1e6a7c2f10")

func (w *writer) reference(i int) object { return object{"reference": w.result.Entries[i].FullURL} }

// latest is the last entry of a type before another, or -1.
func (w *writer) latest(typ string, before int) int {
	of := w.ofType[typ]
	for i := len(of) - 1; i >= 0; i-- {
		if of[i] < before {
			return of[i]
		}
	}
	return -1
}

type sharedEntry struct {
	text  string
	index int
}

// shared adds a resource that several fields may speak of, once, and refers to
// it. It is nil for a resource that says nothing.
func (w *writer) shared(o object) any {
	if len(o) == 1 {
		return nil
	}
	body, err := json.Marshal(o)
	if err != nil {
		return nil
	}
	for _, s := range w.sharing {
		if s.text == string(body) {
			return w.reference(s.index)
		}
	}
	key := ""
	if _, ok := o["identifier"]; !ok {
		key = string(body)
	}
	i := w.add(o, -1, key)
	w.sharing = append(w.sharing, sharedEntry{string(body), i})
	return w.reference(i)
}

// identity says how a record is known that has no identifiers.
func (w *writer) identity(r resource, index, around int) {
	e := &w.result.Entries[index]
	if len(objects(e.Resource, "identifier[]")) > 0 {
		return
	}
	e.Parent = around
	if around < 0 {
		e.Parent = w.latest("Patient", index)
	}
	for _, k := range r.key {
		for _, x := range compilePath(k).get(e.Resource) {
			e.Key += "|" + scalar(x)
		}
	}
}

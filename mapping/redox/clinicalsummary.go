package redox

import (
	"reflect"
	"strconv"
	"strings"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	compositionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/composition_go_proto"
	patientpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/patient_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

// clinicalSummary is the name of the data model, whose codes are written as in
// CDA.
const clinicalSummary = "ClinicalSummary"

var clinicalSummaryTranslations = map[string]translation{
	"PatientPush": summaries, "VisitPush": summaries, "PatientQueryResponse": summaries, "VisitQueryResponse": summaries,
	"DocumentQueryResponse": {write: (*writer).documentList, read: (*reader).documentList},
	"DocumentGetResponse":   {write: (*writer).documentContent, read: (*reader).documentContent},
}

var summaries = translation{write: (*writer).summary, read: (*reader).summary}

// The codings that name sections, and the parts of sections that have several.
const (
	loinc         = "http://loinc.org"
	partCodeset   = redoxCodeset + "ClinicalSummary"
	noteSections  = "NoteSections"
	insurancePart = "Insurances"
)

// summary makes the Composition of a summary, and the resources of its
// sections.
func (w *writer) summary(message Body) {
	b := *message.(*ClinicalSummary)
	b.Meta = nil
	header := Header{}
	if h := take(&b.Header); h != nil {
		header = *h
	}
	document := Document{}
	if d := take(&header.Document); d != nil {
		document = *d
	}
	w.subject, w.visitAt = -1, -1
	if p := take(&header.Patient); p != nil && !isEmpty(p) {
		w.subject = w.headerPatient(*p, take(&header.PCP))
	}
	out := &compositionpb.Composition{Meta: profile("composition")}
	out.Meta = nil // US Core 6.1 has no profile of it
	key := joinKey("composition", document.DateTime, document.Type, document.Title)
	at := w.record(compositionTable, &document, out, child(w.visitOwner(), key))
	w.m.Focus = []int{at}
	if w.subject >= 0 {
		w.m.Focus = append(w.m.Focus, w.subject)
	}
	body := reflect.ValueOf(&b).Elem()
	for i := range sections {
		if s := w.section(&sections[i], body); s != nil {
			out.Section = append(out.Section, s)
		}
	}
	if s := w.noteSections(take(&b.NoteSections)); s != nil {
		out.Section = append(out.Section, s)
	}
	out.Extension = append(out.Extension, w.rest("Header", &header)...)
	out.Extension = append(out.Extension, w.rest("ClinicalSummary", &b)...)
	w.ownVisit(at)
}

// section makes a section with its text and its resources; nil for an empty one.
func (w *writer) section(s *section, body reflect.Value) *compositionpb.Composition_Section {
	out := &compositionpb.Composition_Section{Title: str(s.title), Code: concept(loinc, s.code, s.title, "")}
	if s.text != "" {
		text := reach(body, s.textPath()).Addr().Interface().(*string)
		if n := narrative(*text); n != nil {
			out.Text, *text = n, ""
		}
	}
	for i := range s.parts {
		p := &s.parts[i]
		if at := peek(body, p.path()); !at.IsValid() || emptyValue(at) {
			continue
		}
		entries := w.part(p, reach(body, p.path()))
		if len(s.parts) == 1 {
			out.Entry = entries
		} else if len(entries) > 0 {
			out.Section = append(out.Section, &compositionpb.Composition_Section{
				Code: concept(partCodeset, p.member, "", ""), Entry: entries})
		}
	}
	if out.Text == nil && out.Entry == nil && out.Section == nil {
		return nil
	}
	return out
}

// part makes the resources of a list.
func (w *writer) part(p *sectionPart, list reflect.Value) (entries []*dtpb.Reference) {
	if p.member == insurancePart {
		if w.subject < 0 { // a Coverage is somebody's
			return nil
		}
		for _, i := range w.coverages(take(list.Addr().Interface().(*[]Insurance)), w.subject) {
			entries = append(entries, w.ref(i))
		}
		return entries
	}
	items := reflect.ValueOf(list.Interface())
	list.SetZero()
	seen := map[string]int{}
	for i := range items.Len() {
		if emptyValue(items.Index(i)) {
			continue
		}
		object := reflect.New(items.Type().Elem())
		object.Elem().Set(items.Index(i))
		key := p.key(object.Elem())
		seen[key]++
		if seen[key] > 1 {
			key += "|" + strconv.Itoa(seen[key])
		}
		resource := p.make()
		tag(resource, p)
		at := w.record(p.table, object.Interface(), resource, child(w.visitOwner(), key))
		if p.finish != nil {
			p.finish(w, resource)
		}
		entries = append(entries, w.ref(at))
	}
	return entries
}

// narrative is the text of a section, as XHTML: what the message has is
// markup of CDA or plain text, so it is written as text. Text that is only
// white space is none (R4 narrative: txt-2).
func narrative(s string) *dtpb.Narrative {
	if strings.TrimSpace(s) == "" || strings.ContainsFunc(s, func(r rune) bool { return r == 0xFFFE || r == 0xFFFF || r == 0xFFFD }) {
		return nil
	}
	return &dtpb.Narrative{
		Status: &dtpb.Narrative_StatusCode{Value: narrativeAdditional},
		Div:    &dtpb.Xhtml{Value: divOpen + escapeXML.Replace(s) + divClose},
	}
}

const (
	divOpen  = `<div xmlns="http://www.w3.org/1999/xhtml"><pre>`
	divClose = `</pre></div>`
)

var (
	escapeXML   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\r", "&#13;")
	unescapeXML = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&quot;", `"`, "&#13;", "\r")
)

func readNarrative(n *dtpb.Narrative) string {
	div := n.GetDiv().GetValue()
	if text, ok := strings.CutPrefix(div, divOpen); ok {
		return unescapeXML.Replace(strings.TrimSuffix(text, divClose))
	}
	return div
}

// summary reads a Composition; without one, what the patient has.
func (r *reader) summary() (Body, error) {
	body := &ClinicalSummary{}
	document, header := &Document{}, &Header{}
	var composition *compositionpb.Composition
	if found := focused[*compositionpb.Composition](r); len(found) > 0 {
		composition = found[0]
	} else {
		composition = r.gather()
	}
	r.restore("ClinicalSummary", composition.Extension, body)
	r.restore("Header", composition.Extension, header)
	r.read(compositionTable, composition, document)
	if !isEmpty(document) {
		header.Document = document
	}
	patient, at := target[*patientpb.Patient](r, composition.Subject)
	if at >= 0 && !r.assumed(patient.Extension) {
		header.Patient, header.PCP = r.headerPatient(patient)
	}
	v := reflect.ValueOf(body).Elem()
	for _, in := range composition.Section {
		if s := sectionOf(codeIn(in.Code, loinc)); s != nil {
			r.section(s, in, v)
		} else if codeIn(in.Code, partCodeset) == noteSections {
			for _, one := range in.Section {
				body.NoteSections = append(body.NoteSections, r.noteSection(one))
			}
		}
	}
	if !isEmpty(header) {
		body.Header = header
	}
	if strings.HasSuffix(r.m.EventType, "Push") && at < 0 && isEmpty(body) {
		return nil, absent("Composition")
	}
	return body, nil
}

func (r *reader) section(s *section, in *compositionpb.Composition_Section, body reflect.Value) {
	if s.text != "" && in.Text != nil {
		give(reach(body, s.textPath()).Addr().Interface().(*string), readNarrative(in.Text))
	}
	if len(s.parts) == 1 {
		r.part(&s.parts[0], in.Entry, body)
		return
	}
	for _, inner := range in.Section {
		member := codeIn(inner.Code, partCodeset)
		for i := range s.parts {
			if s.parts[i].member == member {
				r.part(&s.parts[i], inner.Entry, body)
			}
		}
	}
}

func (r *reader) part(p *sectionPart, entries []*dtpb.Reference, body reflect.Value) {
	for _, ref := range entries {
		i := r.m.Find(ref)
		if i < 0 {
			continue
		}
		list := reach(body, p.path())
		if c := r.m.Entries[i].Resource.GetCoverage(); p.member == insurancePart {
			if c != nil {
				list.Set(reflect.Append(list, reflect.ValueOf(r.coverage(c))))
			}
			continue
		}
		resource := mapping.Typed(r.m.Entries[i].Resource)
		if resource.ProtoReflect().Descriptor() != p.descriptor() {
			continue
		}
		object := reflect.New(list.Type().Elem())
		r.read(p.table, resource, object.Interface())
		list.Set(reflect.Append(list, object.Elem()))
	}
}

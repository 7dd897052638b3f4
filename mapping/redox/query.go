package redox

import (
	"slices"
	"strings"
)

// Search is a query of a data model as a FHIR search of one type. A resource
// answers it that all parameters of any of the alternatives find. R4: search.
type Search struct {
	Type string
	Any  [][]Parameter
	// Sort is the parameter that puts the answers in order.
	Sort string
	// With are the types of which all resources of the patients found belong
	// to the answer; each has the search parameter patient.
	With []string
}

// Parameter is a search parameter with its value, commas and bars escaped.
type Parameter struct{ Name, Value string }

// searches are the queries that are answered by one search each.
var searches = map[string]func(q *query, body Body) Search{
	"Results:Query": resultsQuery,
	"Order:Query":   ordersQuery,

	"Media:Query":                 mediaQuery,
	"Notes:Query":                 notesQuery,
	"Vaccination:PatientQuery":    vaccinationsQuery,
	"PatientSearch:Query":         patientQuery,
	"PatientSearch:LocationQuery": patientQuery,

	"ClinicalSummary:DocumentQuery": documentsQuery,
	"ClinicalSummary:DocumentGet":   documentGet,
}

// Search says a query in FHIR; ok is false for a message that is none, or is
// not answered by one search. A word that a query asks for and no code stands
// for is an error.
func (m *Message) Search(o Options) (s Search, ok bool, err error) {
	build, ok := searches[m.Pair()]
	if !ok {
		return Search{}, false, nil
	}
	q := &query{o: o, m: m}
	s = build(q, m.Body)
	s.Any = q.alternatives()
	return s, true, q.problems.or()
}

// query gathers the parameters of a search.
type query struct {
	o          Options
	m          *Message
	parameters []Parameter
	ors        [][]Parameter
	problems   Errors
}

// Escape protects the characters that separate values (R4 search §3.1.1.4.1).
var Escape = strings.NewReplacer(`\`, `\\`, `,`, `\,`, `$`, `\$`, `|`, `\|`).Replace

func (q *query) add(name, value string) {
	if value != "" {
		q.parameters = append(q.parameters, Parameter{name, value})
	}
}

// any adds a parameter that any of the values meets.
func (q *query) any(name string, values []string) {
	var list []string
	for _, v := range values {
		if v != "" {
			list = append(list, Escape(v))
		}
	}
	q.add(name, strings.Join(list, ","))
}

// patients asks for what is of those that have any of the identifiers.
func (q *query) patients(patients ...Patient) {
	var list []string
	for _, p := range patients {
		list = append(list, q.identifiers(p.Identifiers)...)
	}
	q.add("patient.identifier", strings.Join(list, ","))
}

func (q *query) identifiers(ids []Identifier) (list []string) {
	for _, id := range ids {
		switch {
		case id.ID == "":
		case id.IDType == "":
			list = append(list, Escape(id.ID))
		default:
			list = append(list, Escape(q.o.IdentifierSystem(id.IDType))+"|"+Escape(id.ID))
		}
	}
	return list
}

// numbers are identifiers of a type of their own.
func (q *query) numbers(idType string, values []string) []string {
	var ids []Identifier
	for _, v := range values {
		ids = append(ids, Identifier{ID: v, IDType: idType})
	}
	return q.identifiers(ids)
}

// period asks for a time from one to another. A time without an offset is in
// the source's zone.
func (q *query) period(name, path string, from, to string) {
	for _, end := range []struct{ prefix, member, value string }{{"ge", "StartDateTime", from}, {"le", "EndDateTime", to}} {
		if end.value == "" {
			continue
		}
		t, ok := q.o.parseTime(end.value)
		if !ok {
			q.wrong(path+end.member, "a date and time")
			continue
		}
		q.add(name, end.prefix+t.text())
	}
}

// codes asks for any of the codes.
func (q *query) codes(name string, list []Code) {
	var values []string
	for _, c := range list {
		switch {
		case c.Code == "" && c.CodeSystem == "" && c.Codeset == "":
		case c.Codeset != "":
			values = append(values, Escape(q.o.system(c.Codeset))+"|"+Escape(c.Code))
		case c.CodeSystem != "":
			values = append(values, Escape(q.o.system(c.CodeSystem))+"|"+Escape(c.Code))
		default:
			values = append(values, Escape(c.Code))
		}
	}
	q.add(name, strings.Join(values, ","))
}

// words asks for the codes of words of a table.
func (q *query) words(name, path string, t words, list []string) {
	var values []string
	for _, w := range list {
		if c := t.code(w); c != "" {
			values = append(values, c)
		} else if w != "" {
			q.wrong(path, "a known status")
		}
	}
	q.add(name, strings.Join(values, ","))
}

func (q *query) wrong(path, want string) {
	q.problems = append(q.problems, problem(ErrValue, path, path+" must be "+want+" in "+q.m.Pair()))
}

// or adds a condition that any of several parameters meets.
func (q *query) or(any ...Parameter) {
	var set []Parameter
	for _, p := range any {
		if p.Value != "" {
			set = append(set, p)
		}
	}
	if len(set) > 0 {
		q.ors = append(q.ors, set)
	}
}

// department asks for visits in a department: at it, in a room of it or in a
// bed of such a room.
func (q *query) department(name, department string) {
	value := Escape(department)
	q.or(Parameter{name + ".name:exact", value}, Parameter{name + ".partof.name:exact", value},
		Parameter{name + ".partof.partof.name:exact", value})
}

// alternatives are the searches: the parameters with one of each condition.
func (q *query) alternatives() [][]Parameter {
	all := [][]Parameter{q.parameters}
	for _, set := range q.ors {
		var more [][]Parameter
		for _, one := range all {
			for _, p := range set {
				more = append(more, append(slices.Clone(one), p))
			}
		}
		all = more
	}
	return all
}

func resultsQuery(q *query, body Body) Search {
	ask := body.(*Results)
	q.patients(ask.Patients...)
	q.codes("code", ask.Procedures)
	q.words("status", "ResultStatuses", reportStatuses, ask.ResultStatuses)
	if c := ask.Completion; c != nil {
		q.period("issued", "Completion.", c.StartDateTime, c.EndDateTime)
	}
	if c := ask.LastUpdated; c != nil {
		q.period("_lastUpdated", "LastUpdated.", c.StartDateTime, c.EndDateTime)
	}
	if l := ask.Location; l != nil && l.Department != "" {
		q.department("encounter.location", l.Department)
	}
	// The parts of one order share its number; the first alone has it.
	placed := strings.Join(q.numbers(placerNumber, ask.OrderIDs), ",")
	q.or(Parameter{"identifier", placed}, Parameter{"based-on:ServiceRequest.identifier", placed})
	return Search{Type: "DiagnosticReport", Sort: "date"}
}

func ordersQuery(q *query, body Body) Search {
	ask := body.(*OrderMessage)
	q.patients(ask.Patients...)
	q.add("encounter.identifier", strings.Join(q.numbers(visitNumber, ask.VisitNumbers), ","))
	q.codes("code", ask.Procedures)
	q.period("authored", "", ask.StartDateTime, ask.EndDateTime)
	q.add("identifier", strings.Join(q.numbers(placerNumber, ask.OrderIDs), ","))
	return Search{Type: "ServiceRequest", Sort: "authored"}
}

// documents are the conditions that Media and Notes queries have in common.
func (q *query) documents(patients []Patient, ids, types, visits []string) Search {
	q.patients(patients...)
	q.add("identifier", strings.Join(q.numbers(documentNumber, ids), ","))
	q.any("type:text", types)
	q.add("encounter.identifier", strings.Join(q.numbers(visitNumber, visits), ","))
	q.add("status", "current,superseded")
	return Search{Type: "DocumentReference"}
}

func mediaQuery(q *query, body Body) Search {
	ask := body.(*MediaMessage)
	q.add("category:not", "clinical-note")
	return q.documents(ask.Patients, ask.DocumentIDs, ask.DocumentTypes, ask.VisitNumbers)
}

func notesQuery(q *query, body Body) Search {
	ask := body.(*Notes)
	q.add("category", "clinical-note")
	return q.documents(ask.Patients, ask.DocumentIDs, ask.DocumentTypes, ask.VisitNumbers)
}

func vaccinationsQuery(q *query, body Body) Search {
	if p := body.(*VaccinationMessage).Patient; p != nil {
		q.patients(*p)
		if d := p.Demographics; d != nil && len(p.Identifiers) == 0 {
			q.person("patient.", *d)
		}
	}
	q.add("status", "completed,not-done")
	return Search{Type: "Immunization", Sort: "date"}
}

// person asks for people by what is known of them.
func (q *query) person(prefix string, d Demographics) {
	q.add(prefix+"family", Escape(d.LastName))
	q.add(prefix+"given", Escape(d.FirstName))
	q.add(prefix+"birthdate", Escape(d.DOB))
	q.add(prefix+"gender", genders.code(d.Sex))
	if a := d.Address; a != nil {
		q.add(prefix+"address-postalcode", Escape(a.ZIP))
		q.add(prefix+"address-city", Escape(a.City))
		q.add(prefix+"address-state", Escape(a.State))
	}
	if p := d.PhoneNumber; p != nil {
		q.any(prefix+"phone", []string{p.Home, p.Mobile, p.Office})
	}
	q.add(prefix+"identifier", identified(d.SSN))
}

// patientQuery asks for patients by any of their identifiers, or by all that
// the query says of the person.
func patientQuery(q *query, body Body) Search {
	if p := body.(*PatientSearch).Patient; p != nil {
		if ids := q.identifiers(p.Identifiers); len(ids) > 0 {
			q.add("identifier", strings.Join(ids, ","))
		} else if d := p.Demographics; d != nil {
			q.person("", *d)
		}
	}
	if len(q.parameters) == 0 {
		q.wrong("Patient", "identified or described")
	}
	return Search{Type: "Patient", With: []string{"Coverage", "Account"}}
}

// identified is a social security number as a token.
func identified(ssn string) string {
	if ssn == "" {
		return ""
	}
	return ssnSystem + "|" + Escape(ssn)
}

func documentsQuery(q *query, body Body) Search {
	ask := body.(*ClinicalSummary)
	if ask.Patient != nil {
		q.patients(*ask.Patient)
	}
	if d := ask.Document; d != nil {
		q.codes("type", d.Types)
		q.add("identifier", strings.Join(q.numbers(documentNumber, []string{d.ID}), ","))
		q.period("date", "Document.", d.StartDate, d.EndDate)
	}
	if v := ask.Visit; v != nil {
		q.any("encounter.identifier", []string{v.VisitNumber, v.ID})
		q.period("encounter.date", "Visit.", v.StartDateTime, v.EndDateTime)
	}
	return Search{Type: "DocumentReference"}
}

func documentGet(q *query, body Body) Search {
	if d := body.(*ClinicalSummary).Document; d != nil {
		if id, ok := strings.CutPrefix(d.ID, "DocumentReference/"); ok {
			q.add("_id", Escape(id))
		} else {
			q.any("identifier", []string{d.ID})
		}
	}
	return Search{Type: "DocumentReference"}
}

// Summary is a query for a clinical summary, which is answered by all that
// there is of a patient, or by a document about a visit.
type Summary struct {
	// Patient finds the patient. Documents, which may have no conditions, finds
	// those about the visit; the latest one answers.
	Patient, Documents Search
	// Types are what a summary is made of; each has the search parameter
	// patient.
	Types []string
}

// Summary says a query for a summary in FHIR; ok is false for other messages.
func (m *Message) Summary(o Options) (s Summary, ok bool) {
	ask, is := m.Body.(*ClinicalSummary)
	if !is || m.EventType != "PatientQuery" && m.EventType != "VisitQuery" {
		return Summary{}, false
	}
	q := &query{o: o, m: m}
	if p := ask.Patient; p != nil {
		q.add("identifier", strings.Join(q.identifiers(p.Identifiers), ","))
	}
	s = Summary{Patient: Search{Type: "Patient", Any: q.alternatives()}, Types: summaryTypes()}
	if v := ask.Visit; v != nil && m.EventType == "VisitQuery" {
		d := &query{o: o, m: m}
		d.any("encounter.identifier", []string{v.VisitNumber, v.ID})
		if len(d.parameters) > 0 {
			d.patients(*ask.Patient)
			s.Documents = Search{Type: "Composition", Sort: "-date", Any: d.alternatives()}
		}
	}
	return s, true
}

// summaryTypes are the resource types of all sections.
func summaryTypes() (types []string) {
	for _, s := range sections {
		for i := range s.parts {
			if t := string(s.parts[i].descriptor().Name()); !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	return types
}

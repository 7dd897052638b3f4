package redox

import (
	"strconv"

	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	reportpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/diagnostic_report_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
	requestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/service_request_go_proto"
	specimenpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/specimen_go_proto"

	"github.com/fhirfacade/fhirfacade/mapping"
)

var resultsTranslations = map[string]translation{"New": reports, "NewUnsolicited": reports, "QueryResponse": reports}

var reports = translation{write: (*writer).results, read: (*reader).results}

// Redox: Orders[].ResultsStatus; FHIR: diagnostic-report-status.
var reportStatuses = words{
	{"Final", "final"}, {"Preliminary", "preliminary"}, {"In Process", "registered"}, {"Corrected", "corrected"},
	{"Canceled", "cancelled"}, {"Other", "unknown"}, {"Partial", "partial"}, {"Amended", "amended"}, {"Appended", "appended"},
	{"Cancelled", "cancelled"}, {"In Progress", "registered"}, {"Complete", "final"}, {"Completed", "final"},
}

// Redox: Results[].Status; FHIR: observation-status.
var resultStatuses = words{
	{"Final", "final"}, {"Incomplete", "registered"}, {"Preliminary", "preliminary"}, {"Corrected", "corrected"},
	{"Amended", "amended"}, {"Canceled", "cancelled"}, {"Cancelled", "cancelled"}, {"Unknown", "unknown"},
	{"Complete", "final"}, {"Completed", "final"}, {"Active", "preliminary"}, {"In Progress", "preliminary"}, {"In Process", "registered"},
}

// Redox: Order.Priority; FHIR: request-priority. R4 has none before surgery
// and none for a certain time.
var orderPriorities = words{
	{"Stat", "stat"}, {"ASAP", "asap"}, {"Routine", "routine"}, {"Urgent", "urgent"},
	{"Preoperative", "routine"}, {"Timing Critical", "urgent"},
}

const (
	placerNumber = "PLAC" // Order.ID, HL7 v2 ORC-2
	fillerNumber = "FILL" // ApplicationOrderID, HL7 v2 ORC-3
)

// reportTable is an order with its results as us-core-diagnosticreport-lab.
// HL7 v2-to-FHIR: OBR.
var reportTable = tableOf[Order, *reportpb.DiagnosticReport]("Order",
	line{"ID", "identifier", identifier(placerNumber)},
	line{"ApplicationOrderID", "identifier", identifier(fillerNumber)},
	line{"", "category", category(v2+"0074", "LAB", "Laboratory")},
	line{"ResultsStatus", "status", status(reportStatuses, "unknown")},
	line{"Procedure", "code", described},
	line{"CollectionDateTime", "effectiveDateTime", dateTime},
	line{"CompletionDateTime", "issued", instant},
	line{"Notes", "conclusion", conclusion},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
	line{"ResultCopyProviders", "extension", providersIn("result-copy-provider")},
	line{"Results", "result", results},
).byIdentifier()

// resultRequestTable is what such a message says of the order itself.
var resultRequestTable = tableOf[Order, *requestpb.ServiceRequest]("Order",
	line{"", "status", fixed(assumedValue{"active"})},
	line{"", "intent", fixed(assumedValue{"order"})},
	line{"TransactionDateTime", "authoredOn", dateTime},
	line{"Priority", "priority", code(orderPriorities)},
	line{"Provider", "requester", provider},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
)

// resultTable is one result as us-core-observation-lab. HL7 v2-to-FHIR: OBX.
var resultTable = tableOf[Result, *observationpb.Observation]("Result",
	line{"", "category", category(terminology+"observation-category", "laboratory", "Laboratory")},
	line{"Status", "status", status(resultStatuses, "final")},
	line{"Code Codeset Description", "code", coded},
	line{"ReferenceRange Units", "referenceRange", normalRange}, // before the value, which takes the units
	line{"Value ValueType Units FileType", "value", measured},
	line{"AbnormalFlag", "interpretation", interpretation},
	line{"CompletionDateTime", "effectiveDateTime", dateTime},
	line{"Notes", "note", notes},
	line{"Producer", "performer", company},
	line{"Performer", "performer", provider},
	line{"ObservationMethod", "method", described},
	line{"Specimen", "specimen", specimen},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
)

// conclusion is the only note of an order, or the notes stay where they are:
// R4's report has one conclusion.
var conclusion = codec{
	write: func(_ *writer, f fields, put func(any)) {
		if list := f[0].(*[]string); len(*list) == 1 && (*list)[0] != "" {
			put(take(list)[0])
		}
	},
	read: func(_ *reader, f fields, v any) {
		if list := f[0].(*[]string); len(*list) == 0 {
			*list = []string{v.(string)}
		}
	},
}

var specimenTable = tableOf[Specimen, *specimenpb.Specimen]("Specimen",
	line{"ID", "identifier", identifier("SPECIMEN")},
	line{"Source", "type", inText},
	line{"BodySite", "collection.bodySite", inText},
	line{"", "subject", subject},
)

var specimen = codec{
	write: func(w *writer, f fields, put func(any)) {
		if s := take(f[0].(**Specimen)); s != nil && !isEmpty(s) {
			o := *s
			put(w.ref(w.record(specimenTable, &o, &specimenpb.Specimen{}, child(w.at, joinKey("specimen", s.ID, s.Source, s.BodySite)))))
		}
	},
	read: func(r *reader, f fields, v any) {
		s, i := target[*specimenpb.Specimen](r, v.(*dtpb.Reference))
		if p := f[0].(**Specimen); i >= 0 && *p == nil {
			*p = &Specimen{}
			r.read(specimenTable, s, *p)
		}
	},
}

// results are the Observations of a report, each known by its code and its
// place among those of the same code.
var results = codec{
	write: func(w *writer, f fields, put func(any)) {
		report := w.m.Entries[w.at].Resource.GetDiagnosticReport()
		w.attach = func(a *dtpb.Attachment) { report.PresentedForm = append(report.PresentedForm, a) }
		seen := map[string]int{}
		for _, o := range take(f[0].(*[]Result)) {
			if isEmpty(o) {
				continue
			}
			key := joinKey("result", w.o.system(o.Codeset), o.Code, o.RelatedGroupID)
			seen[key]++
			if seen[key] > 1 {
				key += "|" + strconv.Itoa(seen[key])
			}
			out := &observationpb.Observation{Meta: profile("observation-lab")}
			interpreter := take(&o.PrimaryResultsInterpreter)
			i := w.record(resultTable, &o, out, child(w.at, key))
			if interpreter != nil && !isEmpty(interpreter) {
				ref := w.provider(*interpreter, child(w.at, "provider"))
				ref.Extension = append(ref.Extension, &dtpb.Extension{Url: uri(w.o.url("interpreted")),
					Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Reference{Reference: w.ref(i)}}})
				report.ResultsInterpreter = append(report.ResultsInterpreter, ref)
			}
			w.complete(out, report)
			put(w.ref(i))
		}
		w.attach = nil
	},
	read: func(r *reader, f fields, v any) {
		in, i := target[*observationpb.Observation](r, v.(*dtpb.Reference))
		if i < 0 {
			return
		}
		o := Result{}
		r.read(resultTable, in, &o)
		if o.ValueType == valueDocument && o.Value == "" && len(r.attached) > 0 {
			r.readDocument(r.attached[0], &o.Value, &o.FileType)
			r.attached = r.attached[1:]
		}
		list := f[0].(*[]Result)
		*list = append(*list, o)
	},
}

// complete adds to an Observation what US Core wants and the message says
// elsewhere: when, which is the report's time; and why there is no value.
func (w *writer) complete(o *observationpb.Observation, report *reportpb.DiagnosticReport) {
	if t := report.GetEffective().GetDateTime(); o.Effective == nil && t != nil {
		again := *moment{inZone(t.ValueUs, t.Timezone), t.Precision}.dateTime()
		again.Extension = w.assumed()
		o.Effective = &observationpb.Observation_EffectiveX{Choice: &observationpb.Observation_EffectiveX_DateTime{DateTime: &again}}
	}
	w.noValue(o)
}

// noValue says why an Observation has no value. US Core: us-core-2.
func (w *writer) noValue(o *observationpb.Observation) {
	if o.Value == nil && len(o.HasMember) == 0 && len(o.Component) == 0 {
		o.DataAbsentReason = concept(terminology+"data-absent-reason", "unknown", "Unknown", "")
	}
	if o.Code == nil {
		o.Code = &dtpb.CodeableConcept{Text: str("unknown"), Extension: w.assumed()}
	}
}

// results makes the reports of a message. The visit and the patient stand
// beside the orders, in an answer inside each.
func (w *writer) results(body Body) {
	b := *body.(*Results)
	b.Meta = nil
	answer := w.m.EventType == "QueryResponse"
	if !answer {
		w.about(take(&b.Patient), take(&b.Visit))
	}
	for _, o := range take(&b.Orders) {
		if isEmpty(o) {
			continue
		}
		if answer {
			w.about(take(&o.Patient), take(&o.Visit))
		}
		w.m.Focus = append(w.m.Focus, w.report(o))
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("Results", &b)...)
}

// report makes the report of an order and, where it answers one, the order. A
// number that another report of the message has already stays in an extension:
// the parts of one order share it, and two records must not.
func (w *writer) report(o Order) int {
	out := &reportpb.DiagnosticReport{Meta: profile("diagnosticreport-lab")}
	key := joinKey("report", o.CollectionDateTime, o.CompletionDateTime)
	if p := o.Procedure; p != nil {
		key = joinKey(key, w.o.system(p.Codeset), p.Code, p.Description)
	}
	owner := w.visitOwner()
	ids := known(w.orderNumbers(o)).Identifiers
	left := Order{ID: o.ID, ApplicationOrderID: o.ApplicationOrderID}
	entry := child(owner, key)
	if first := w.sharing("DiagnosticReport", ids); first >= 0 {
		o.ID, o.ApplicationOrderID = "", ""
		entry = child(first, key)
	} else {
		left = Order{}
	}
	request := -1
	if first := w.sharing("ServiceRequest", ids); first >= 0 && (left.ID != "" || left.ApplicationOrderID != "") {
		out.BasedOn = []*dtpb.Reference{w.ref(first)}
	}
	if len(ids) > 0 && left.ID == "" && left.ApplicationOrderID == "" && w.m.EventType != "NewUnsolicited" {
		request = w.resultRequest(&o)
		out.BasedOn = []*dtpb.Reference{w.ref(request)}
	}
	at := w.record(reportTable, &o, out, entry)
	setExtensions(out.ProtoReflect(), w.rest("Order", &left))
	if out.Code == nil {
		out.Code = &dtpb.CodeableConcept{Text: str("unknown"), Extension: w.assumed()}
	}
	if request >= 0 {
		sr := w.m.Entries[request].Resource.GetServiceRequest()
		if !r4Assumed(out.Code) {
			sr.Code = out.Code
		}
	}
	w.ownVisit(at)
	return at
}

func r4Assumed(c *dtpb.CodeableConcept) bool {
	return len(c.GetExtension()) > 0 && c.GetText().GetValue() == "unknown" && len(c.GetCoding()) == 0
}

// visitOwner is to whom a record without identifiers belongs.
func (w *writer) visitOwner() int {
	if w.subject >= 0 {
		return w.subject
	}
	return mapping.NoParent
}

// sharesIdentifier tells whether two records have a number in common: a report
// that has none of its order's is a further part of the order, and says itself
// what it knows.
func sharesIdentifier(a, b []*dtpb.Identifier) bool {
	for _, x := range a {
		for _, y := range b {
			if x.GetSystem().GetValue() == y.GetSystem().GetValue() && x.GetValue().GetValue() == y.GetValue().GetValue() {
				return true
			}
		}
	}
	return false
}

func (w *writer) orderNumbers(o Order) (ids []*dtpb.Identifier) {
	for _, n := range []struct{ idType, value string }{{placerNumber, o.ID}, {fillerNumber, o.ApplicationOrderID}} {
		if id := w.number(n.idType, n.value); id != nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// sharing finds an earlier entry of a type that has any of the identifiers.
func (w *writer) sharing(resourceType string, ids []mapping.Identifier) int {
	for i, e := range w.m.Entries {
		for _, id := range e.Identifiers {
			for _, other := range ids {
				if id == other && mapping.TypeName(e.Resource) == resourceType {
					return i
				}
			}
		}
	}
	return -1
}

// resultRequest takes what an order with results says of the order.
func (w *writer) resultRequest(o *Order) int {
	part := Order{TransactionDateTime: take(&o.TransactionDateTime), Priority: take(&o.Priority), Provider: take(&o.Provider)}
	out := &requestpb.ServiceRequest{Meta: profile("servicerequest"), Identifier: w.orderNumbers(*o)}
	entry := known(out.Identifier)
	return w.record(resultRequestTable, &part, out, entry)
}

// results reads all reports of a message.
func (r *reader) results() (Body, error) {
	body := &Results{}
	r.restore("Results", r.m.Extensions, body)
	answer := r.m.EventType == "QueryResponse"
	found := focused[*reportpb.DiagnosticReport](r)
	if answer {
		body.Orders = []Order{}
	}
	for _, in := range found {
		o := r.report(in)
		p, v := r.about(in.Subject, in.Encounter)
		if answer {
			o.Patient, o.Visit = p, v
		} else {
			if body.Patient == nil {
				body.Patient = p
			}
			if body.Visit == nil {
				body.Visit = v
			}
		}
		body.Orders = append(body.Orders, o)
	}
	if !answer && len(found) == 0 {
		return nil, absent("DiagnosticReport")
	}
	return body, nil
}

func (r *reader) report(in *reportpb.DiagnosticReport) Order {
	o := Order{}
	for _, ref := range in.BasedOn {
		request, i := target[*requestpb.ServiceRequest](r, ref)
		if i >= 0 && sharesIdentifier(request.Identifier, in.Identifier) {
			r.read(resultRequestTable, request, &o)
			break
		}
	}
	r.attached = in.PresentedForm
	r.read(reportTable, in, &o)
	for _, ref := range in.ResultsInterpreter {
		p := r.provider(ref)
		of := -1
		for _, e := range ref.GetExtension() {
			if e.GetUrl().GetValue() == r.o.url("interpreted") {
				of = r.m.Find(e.GetValue().GetReference())
			}
		}
		n := -1
		for i, result := range in.Result {
			if r.m.Find(result) == of {
				n = i
			}
		}
		if p != nil && n < 0 {
			n = 0
		}
		if p != nil && n < len(o.Results) && o.Results[n].PrimaryResultsInterpreter == nil {
			o.Results[n].PrimaryResultsInterpreter = p
		}
	}
	return o
}

package redox

import (
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	conditionpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/condition_go_proto"
	observationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/observation_go_proto"
	requestpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/service_request_go_proto"
	specimenpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/specimen_go_proto"
)

var orderTranslations = map[string]translation{
	"New": orders, "Update": orders, "Cancel": orders, "GroupedOrders": orders, "QueryResponse": orders,
}

var orders = translation{write: (*writer).orders, read: (*reader).orders}

// Redox: Order.Status; FHIR: request-status. An order that is cancelled by its
// event is revoked whatever its status says.
var orderStatuses = words{
	{"New", "active"}, {"Active", "active"}, {"In Progress", "active"}, {"In Process", "active"}, {"Scheduled", "active"},
	{"Completed", "completed"}, {"Complete", "completed"}, {"Resulted", "completed"}, {"Final", "completed"},
	{"On Hold", "on-hold"}, {"Held", "on-hold"}, {"Canceled", "revoked"}, {"Cancelled", "revoked"}, {"Discontinued", "revoked"},
	{"Draft", "draft"}, {"Entered in error", "entered-in-error"}, {"Unknown", "unknown"},
}

// orderTable is an order as a us-core-servicerequest. HL7 v2-to-FHIR: ORC, OBR.
var orderTable = tableOf[Order, *requestpb.ServiceRequest]("Order",
	line{"ID", "identifier", identifier(placerNumber)},
	line{"ApplicationOrderID", "identifier", identifier(fillerNumber)},
	line{"Status", "status", orderStatus},
	line{"", "intent", fixed("order")},
	line{"TransactionDateTime", "authoredOn", dateTime},
	line{"Procedure", "code", described},
	line{"Priority", "priority", code(orderPriorities)},
	line{"Specimen CollectionDateTime", "specimen", collected},
	line{"Provider", "requester", provider},
	line{"ResultCopyProviders", "extension", providersIn("result-copy-provider")},
	line{"OrderingFacility", "extension", facilityIn("ordering-facility")},
	line{"Expiration", "occurrencePeriod", until},
	line{"Notes Comments", "note", notesAndComments},
	line{"Diagnoses", "reasonReference", diagnoses},
	line{"ClinicalInfo", "supportingInfo", clinicalInfo},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
	line{"", "insurance", insuranceOf},
)

// clinicalInfoTable is an answer to a question of the order form.
var clinicalInfoTable = tableOf[ClinicalInfo, *observationpb.Observation]("ClinicalInfo",
	line{"", "category", category(terminology+"observation-category", "survey", "Survey")},
	line{"", "status", fixed("final")},
	line{"Code Codeset Description", "code", coded},
	line{"Value ValueType Units", "value", measured},
	line{"CompletionDateTime", "effectiveDateTime", dateTime},
	line{"Notes", "note", notes},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
)

// orderStatus follows the event, else the word. An order that is not cancelled
// and has no known status is assumed to be active.
var orderStatus = codec{always: true,
	write: func(w *writer, f fields, put func(any)) {
		if w.m.EventType == "Cancel" {
			put("revoked")
		} else if c := orderStatuses.take(f.text(0)); c != "" {
			put(c)
		} else {
			put(assumedValue{"active"})
		}
	},
	read: func(r *reader, f fields, v any) {
		if r.m.EventType != "Cancel" {
			orderStatuses.give(f.text(0), v.(string))
		}
	},
}

// collected is Specimen with CollectionDateTime, which the order has.
var collected = codec{
	write: func(w *writer, f fields, put func(any)) {
		s, at := take(f[0].(**Specimen)), f.text(1)
		if s == nil {
			s = &Specimen{}
		}
		out := &specimenpb.Specimen{}
		if t := w.dateTime(at); t != nil {
			out.Collection = &specimenpb.Specimen_Collection{Collected: &specimenpb.Specimen_Collection_CollectedX{
				Choice: &specimenpb.Specimen_Collection_CollectedX_DateTime{DateTime: t}}}
		} else if isEmpty(s) {
			return
		}
		o := *s
		put(w.ref(w.record(specimenTable, &o, out, child(w.at, joinKey("specimen", s.ID, s.Source, s.BodySite)))))
	},
	read: func(r *reader, f fields, v any) {
		specimen.read(r, f, v)
		if s, i := target[*specimenpb.Specimen](r, v.(*dtpb.Reference)); i >= 0 {
			m, ok := ofDateTime(s.GetCollection().GetCollected().GetDateTime())
			r.giveTime(f.text(1), m, ok)
		}
		if p := f[0].(**Specimen); *p != nil && isEmpty(*p) {
			*p = nil
		}
	},
}

// until is the end of a period.
var until = codec{
	write: func(w *writer, f fields, put func(any)) {
		if t := w.dateTime(f.text(0)); t != nil {
			put(&dtpb.Period{End: t})
		}
	},
	read: func(r *reader, f fields, v any) {
		m, ok := ofDateTime(v.(*dtpb.Period).GetEnd())
		r.giveTime(f.text(0), m, ok)
	},
}

// commentMark is the name of the extension on the annotation that is Comments
// and no note.
const commentMark = "order-comments"

var notesAndComments = codec{
	write: func(w *writer, f fields, put func(any)) {
		notes.write(w, f, put)
		if c := take(f.text(1)); c != "" {
			a := annotation(c)
			a.Extension = flagged(w.o.url(commentMark))
			put(a)
		}
	},
	read: func(r *reader, f fields, v any) {
		if a := v.(*dtpb.Annotation); hasExtension(a.Extension, r.o.url(commentMark)) {
			give(f.text(1), a.GetText().GetValue())
			return
		}
		notes.read(r, f, v)
	},
}

func referenceIn(address string, ref *dtpb.Reference) *dtpb.Extension {
	return &dtpb.Extension{Url: uri(address), Value: &dtpb.Extension_ValueX{Choice: &dtpb.Extension_ValueX_Reference{Reference: ref}}}
}

// providersIn are practitioners that R4 has no element for, in an extension
// each.
func providersIn(name string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			for _, p := range take(f[0].(*[]Provider)) {
				if !isEmpty(p) {
					put(referenceIn(w.o.url(name), w.provider(p, child(w.at, "provider"))))
				}
			}
		},
		read: func(r *reader, f fields, v any) {
			if e := v.(*dtpb.Extension); e.GetUrl().GetValue() == r.o.url(name) {
				if p := r.provider(e.GetValue().GetReference()); p != nil {
					list := f[0].(*[]Provider)
					*list = append(*list, *p)
				}
			}
		},
	}
}

// facilityIn is the organization that orders, in an extension.
func facilityIn(name string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			if o := take(f[0].(**OrderingFacility)); o != nil && !isEmpty(o) {
				put(referenceIn(w.o.url(name), w.ref(w.company(Company{Object: o.Object, Name: o.Name, Address: o.Address, PhoneNumber: o.PhoneNumber}))))
			}
		},
		read: func(r *reader, f fields, v any) {
			e := v.(*dtpb.Extension)
			if e.GetUrl().GetValue() != r.o.url(name) {
				return
			}
			if c := r.company(e.GetValue().GetReference()); c != nil {
				*f[0].(**OrderingFacility) = &OrderingFacility{Object: c.Object, Name: c.Name, Address: c.Address, PhoneNumber: c.PhoneNumber}
			}
		},
	}
}

// diagnoses are the Conditions that an order is for. Without a patient they
// stay where they are.
var diagnoses = codec{
	write: func(w *writer, f fields, put func(any)) {
		if w.subject < 0 {
			return
		}
		for _, d := range w.conditions(take(f[0].(*[]Diagnosis)), w.subject, nil) {
			put(w.ref(d.index))
		}
	},
	read: func(r *reader, f fields, v any) {
		if c, i := target[*conditionpb.Condition](r, v.(*dtpb.Reference)); i >= 0 {
			list := f[0].(*[]Diagnosis)
			*list = append(*list, r.diagnosis(c, ""))
		}
	},
}

var clinicalInfo = codec{
	write: func(w *writer, f fields, put func(any)) {
		for _, o := range take(f[0].(*[]ClinicalInfo)) {
			if isEmpty(o) {
				continue
			}
			out := &observationpb.Observation{}
			i := w.record(clinicalInfoTable, &o, out, child(w.at, joinKey("clinical-info", w.o.system(o.Codeset), o.Code, o.Description, o.RelatedGroupID)))
			w.noValue(out)
			put(w.ref(i))
		}
	},
	read: func(r *reader, f fields, v any) {
		if in, i := target[*observationpb.Observation](r, v.(*dtpb.Reference)); i >= 0 {
			o := ClinicalInfo{}
			r.read(clinicalInfoTable, in, &o)
			list := f[0].(*[]ClinicalInfo)
			*list = append(*list, o)
		}
	},
}

// insuranceOf are the coverages of the visit.
var insuranceOf = codec{always: true,
	write: func(w *writer, _ fields, put func(any)) {
		if w.visitAt < 0 {
			return
		}
		for _, e := range w.m.Entries[w.visitAt].Resource.GetEncounter().Extension {
			if e.GetUrl().GetValue() == w.o.url(visitCoverage) {
				put(e.GetValue().GetReference())
			}
		}
	},
	read: func(*reader, fields, any) {},
}

// orders makes the ServiceRequests of a message.
func (w *writer) orders(body Body) {
	b := *body.(*OrderMessage)
	b.Meta = nil
	var list []Order
	switch w.m.EventType {
	case "GroupedOrders", "QueryResponse":
		list = take(&b.Orders)
	default:
		if o := take(&b.Order); o != nil {
			list = []Order{*o}
		}
	}
	answer := w.m.EventType == "QueryResponse"
	if !answer {
		w.about(take(&b.Patient), take(&b.Visit))
	}
	for _, o := range list {
		if isEmpty(o) {
			continue
		}
		if answer {
			w.about(take(&o.Patient), take(&o.Visit))
		}
		w.m.Focus = append(w.m.Focus, w.order(o))
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("OrderMessage", &b)...)
}

func (w *writer) order(o Order) int {
	out := &requestpb.ServiceRequest{Meta: profile("servicerequest")}
	entry := known(w.orderNumbers(o))
	left := Order{}
	if first := w.sharing("ServiceRequest", entry.Identifiers); len(entry.Identifiers) == 0 || first >= 0 {
		owner := w.visitOwner()
		if first >= 0 { // see report
			owner, left = first, Order{ID: take(&o.ID), ApplicationOrderID: take(&o.ApplicationOrderID)}
		}
		key := joinKey("order", o.TransactionDateTime)
		if p := o.Procedure; p != nil {
			key = joinKey(key, w.o.system(p.Codeset), p.Code, p.Description)
		}
		entry = child(owner, key)
	}
	at := w.record(orderTable, &o, out, entry)
	setExtensions(out.ProtoReflect(), w.rest("Order", &left))
	if out.Code == nil {
		out.Code = &dtpb.CodeableConcept{Text: str("unknown"), Extension: w.assumed()}
	}
	w.ownVisit(at)
	return at
}

// orders reads all ServiceRequests of a message.
func (r *reader) orders() (Body, error) {
	body := &OrderMessage{}
	r.restore("OrderMessage", r.m.Extensions, body)
	found := focused[*requestpb.ServiceRequest](r)
	answer := r.m.EventType == "QueryResponse"
	if answer {
		body.Orders = []Order{}
	}
	for _, in := range found {
		o := Order{}
		r.read(orderTable, in, &o)
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
		if answer || r.m.EventType == "GroupedOrders" {
			body.Orders = append(body.Orders, o)
		} else if body.Order == nil {
			body.Order = &o
		}
	}
	if !answer && len(found) == 0 {
		return nil, absent("ServiceRequest")
	}
	return body, nil
}

package redox

import (
	dtpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/datatypes_go_proto"
	allergypb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/allergy_intolerance_go_proto"
	administrationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_administration_go_proto"
	medicationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/medication_request_go_proto"
	organizationpb "github.com/google/fhir/go/proto/google/fhir/proto/r4/core/resources/organization_go_proto"
	"google.golang.org/protobuf/proto"
)

var medicationsTranslations = map[string]translation{
	"New": medicationOrders, "Update": medicationOrders, "Cancel": medicationOrders,
	"Administration": {write: (*writer).administrations, read: (*reader).administrations},
}

var medicationOrders = translation{write: (*writer).medicationOrder, read: (*reader).medicationOrder}

// medicationOrderTable is a us-core-medicationrequest. HL7 v2-to-FHIR: RXO, RXE.
var medicationOrderTable = tableOf[MedicationsOrder, *medicationpb.MedicationRequest]("MedicationsOrder",
	line{"ID", "identifier", identifier(placerNumber)},
	line{"", "status", medicationStatus},
	line{"", "intent", fixed("order")},
	line{"Priority", "priority", code(orderPriorities)},
	line{"Medication.Product", "medicationCodeableConcept", objectOrUnknown},
	line{"Medication.Dose", "dosageInstruction.doseAndRate.doseQuantity", amount},
	line{"Medication.Rate", "dosageInstruction.doseAndRate.rateQuantity", amount},
	line{"Medication.Route", "dosageInstruction.route", clinicalObject},
	line{"Medication.Frequency", "dosageInstruction.timing.repeat", frequency},
	line{"Medication.StartDate Medication.EndDate", "dosageInstruction.timing.repeat.boundsPeriod", span},
	line{"Medication.IsPRN", "dosageInstruction.asNeededBoolean", yesNo},
	line{"Medication.FreeTextSig", "dosageInstruction.text", plainText},
	line{"Medication.Dispense", "dispenseRequest.quantity", amount},
	line{"Medication.NumberOfRefillsRemaining", "dispenseRequest.numberOfRepeatsAllowed", wholeNumber},
	line{"Pharmacy", "dispenseRequest.performer", pharmacy},
	line{"Indications", "reasonCode", indications},
	line{"Provider", "requester", provider},
	line{"EnteredBy", "recorder", provider},
	line{"VerifiedBy", "extension", providerIn("verified-by")},
	line{"Notes", "note", notes},
	line{"", "subject", subject},
	line{"", "encounter", encounterOf},
	line{"", "insurance", insuranceOf},
).byIdentifier()

// medicationStatus follows the event.
var medicationStatus = codec{always: true,
	write: func(w *writer, _ fields, put func(any)) {
		if w.m.EventType == "Cancel" {
			put("cancelled")
		} else {
			put("active")
		}
	},
	read: func(*reader, fields, any) {},
}

// pharmacyTable is who dispenses.
var pharmacyTable = tableOf[Pharmacy, *organizationpb.Organization]("Pharmacy",
	line{"Description", "name", plainText},
	line{"Address", "address", address},
)

var pharmacy = reference(pharmacyTable, func() proto.Message {
	return &organizationpb.Organization{Meta: profile("organization"), Active: boolean(true)}
}, "pharmacy", "Description")

// indications are codes with a codeset.
var indications = codec{
	write: func(w *writer, f fields, put func(any)) {
		for _, o := range take(f[0].(*[]OrderIndication)) {
			if isEmpty(o) {
				continue
			}
			c := w.code(&o.Code, &o.Codeset, &o.Description)
			if c == nil {
				c = &dtpb.CodeableConcept{}
			}
			c.Extension = w.rest("OrderIndication", &o)
			put(c)
		}
	},
	read: func(r *reader, f fields, v any) {
		c, o := v.(*dtpb.CodeableConcept), OrderIndication{}
		r.restore("OrderIndication", c.Extension, &o)
		r.code(c, &o.Code, &o.Codeset, &o.Description)
		list := f[0].(*[]OrderIndication)
		*list = append(*list, o)
	},
}

// providerIn is a practitioner that R4 has no element for, in an extension.
func providerIn(name string) codec {
	return codec{
		write: func(w *writer, f fields, put func(any)) {
			if p := take(f[0].(**Provider)); p != nil && !isEmpty(p) {
				put(referenceIn(w.o.url(name), w.provider(*p, child(w.at, "provider"))))
			}
		},
		read: func(r *reader, f fields, v any) {
			e := v.(*dtpb.Extension)
			if p := f[0].(**Provider); *p == nil && e.GetUrl().GetValue() == r.o.url(name) {
				*p = r.provider(e.GetValue().GetReference())
			}
		},
	}
}

// administrationTable is what was given. HL7 v2-to-FHIR: RXA.
var administrationTable = tableOf[Administration, *administrationpb.MedicationAdministration]("Administration",
	line{"Status", "status", status(administrationStatuses, "completed")},
	line{"Medication.Order.ID", "request", administeredOrder},
	line{"Medication.Product", "medicationCodeableConcept", objectOrUnknown},
	line{"Medication.Indications", "reasonCode", indications},
	line{"Medication.Dose", "dosage.dose", amount},
	line{"Medication.Rate", "dosage.rateQuantity", amount},
	line{"Medication.Route", "dosage.route", clinicalObject},
	line{"StartDate EndDate", "effectivePeriod", fullSpan},
	line{"StartDate", "effectiveDateTime", dateTime},
	line{"AdministeringProvider", "performer", administrator},
	line{"OrderedBy", "extension", providerIn("ordered-by")},
	line{"VerifiedBy", "extension", providerIn("verified-by")},
	line{"", "subject", subject},
	line{"", "context", encounterOf},
)

var administrator = codec{
	write: func(w *writer, f fields, put func(any)) {
		provider.write(w, f, func(v any) {
			put(&administrationpb.MedicationAdministration_Performer{Actor: v.(*dtpb.Reference)})
		})
	},
	read: func(r *reader, f fields, v any) {
		provider.read(r, f, v.(*administrationpb.MedicationAdministration_Performer).GetActor())
	},
}

// administeredOrderTable is the order that was carried out, of which the
// message says the number.
var administeredOrderTable = tableOf[Order, *medicationpb.MedicationRequest]("Order",
	line{"ID", "identifier", identifier(placerNumber)},
	line{"", "status", fixed(assumedValue{"active"})},
	line{"", "intent", fixed(assumedValue{"order"})},
	line{"", "medicationCodeableConcept", fixed(assumedValue{inWords("unknown")})},
	line{"", "subject", subject},
).byIdentifier()

var administeredOrder = codec{
	write: func(w *writer, f fields, put func(any)) {
		o := Order{ID: take(f.text(0))}
		put(w.ref(w.record(administeredOrderTable, &o, &medicationpb.MedicationRequest{}, child(w.at, "order"))))
	},
	read: func(r *reader, f fields, v any) {
		if in, i := target[*medicationpb.MedicationRequest](r, v.(*dtpb.Reference)); i >= 0 {
			o := Order{}
			r.read(administeredOrderTable, in, &o)
			give(f.text(0), o.ID)
		}
	},
}

// medicationsAbout makes the patient, with allergies, and the visit.
func (w *writer) medicationsAbout(b *Medications) {
	in := MedicationsPatient{}
	if p := take(&b.Patient); p != nil {
		in = *p
	}
	w.about(&Patient{Object: in.Object, Identifiers: in.Identifiers, Demographics: in.Demographics, Notes: in.Notes}, take(&b.Visit))
	for _, a := range in.Allergies {
		if isEmpty(a) {
			continue
		}
		key := joinKey("Allergies", a.Code, a.CodeSystem, a.Name)
		if s := a.Substance; s != nil {
			key = joinKey(key, s.Code, s.Name, s.CodeSystem)
		}
		w.record(allergyTable, &a, &allergypb.AllergyIntolerance{Meta: profile("allergyintolerance")}, child(w.visitOwner(), key))
	}
}

func (r *reader) medicationsAbout(b *Medications, subject, encounter *dtpb.Reference) {
	p, v := r.about(subject, encounter)
	b.Visit = v
	out := MedicationsPatient{}
	if p != nil {
		out = MedicationsPatient{Object: p.Object, Identifiers: p.Identifiers, Demographics: p.Demographics, Notes: p.Notes}
	}
	for _, in := range all[*allergypb.AllergyIntolerance](r) {
		a := Allergy{}
		r.read(allergyTable, in, &a)
		out.Allergies = append(out.Allergies, a)
	}
	if !isEmpty(out) {
		b.Patient = &out
	}
}

func (w *writer) medicationOrder(message Body) {
	b := *message.(*Medications)
	b.Meta = nil
	w.medicationsAbout(&b)
	o := MedicationsOrder{}
	if p := take(&b.Order); p != nil {
		o = *p
	}
	at := w.record(medicationOrderTable, &o, &medicationpb.MedicationRequest{Meta: profile("medicationrequest")}, child(w.visitOwner(), "medication"))
	w.ownVisit(at)
	w.m.Focus = []int{at}
	w.m.Extensions = append(w.m.Extensions, w.rest("Medications", &b)...)
}

func (r *reader) medicationOrder() (Body, error) {
	found := focused[*medicationpb.MedicationRequest](r)
	if len(found) == 0 {
		return nil, absent("MedicationRequest")
	}
	body := &Medications{Order: &MedicationsOrder{}}
	r.restore("Medications", r.m.Extensions, body)
	r.read(medicationOrderTable, found[0], body.Order)
	r.medicationsAbout(body, found[0].Subject, found[0].Encounter)
	return body, nil
}

func (w *writer) administrations(message Body) {
	b := *message.(*Medications)
	b.Meta = nil
	w.medicationsAbout(&b)
	for _, a := range take(&b.Administrations) {
		if isEmpty(a) {
			continue
		}
		key := joinKey("administration", a.StartDate)
		if m := a.Medication; m != nil && m.Product != nil {
			key = joinKey(key, m.Product.CodeSystem, m.Product.Code, m.Product.Name)
		}
		out := &administrationpb.MedicationAdministration{}
		at := w.record(administrationTable, &a, out, child(w.visitOwner(), key))
		effective(w, out)
		w.ownVisit(at)
		w.m.Focus = append(w.m.Focus, at)
	}
	w.m.Extensions = append(w.m.Extensions, w.rest("Medications", &b)...)
}

func (r *reader) administrations() (Body, error) {
	found := focused[*administrationpb.MedicationAdministration](r)
	if len(found) == 0 {
		return nil, absent("MedicationAdministration")
	}
	body := &Medications{}
	r.restore("Medications", r.m.Extensions, body)
	for i, in := range found {
		if i == 0 {
			r.medicationsAbout(body, in.Subject, in.Context)
		}
		a := Administration{}
		r.read(administrationTable, in, &a)
		body.Administrations = append(body.Administrations, a)
	}
	return body, nil
}
